"""The jobs that a queue may name. They carry no text: a job only says that there is something to do."""

from workers.pipeline import Pipeline

_resident: list[Pipeline] = []  # the pipeline of this process, put here by the worker before it listens


def make_resident(pipeline: Pipeline) -> None:
    """Makes this process's pipeline the one that jobs use."""
    _resident[:] = [pipeline]


def drain() -> int:
    """Scores what is pending; the doorbell's job."""
    return _resident[0].drain()
