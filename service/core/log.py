"""Logging: event names with fields; ids, never text of users."""

import logging
import sys
import traceback

import structlog

from service.core.config import LogFormat, Settings


def configure_logging(settings: Settings) -> None:
    """Sets up this process's log lines; the entry points call it once."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    as_json = settings.log_format is LogFormat.JSON
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    logging.getLogger("rq").setLevel(logging.ERROR)  # the doorbell's own chatter; failures are logged by the worker


def where(error: BaseException) -> str:
    """Type and place of an error. Its message is left out: it may quote the text of a user."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"


log: structlog.typing.FilteringBoundLogger = structlog.get_logger("assay")
