"""Alerts at work: rules are evaluated by one worker at a time, and sinks are told by any."""
