"""Text in, scores out: no database, queue, web, settings, clock, environment or socket."""
