"""The program's own log: structured, on standard error, never mixed with results on standard output."""

import logging
import sys
from typing import Literal

import structlog


def configure(level: str = "info", format: Literal["auto", "json", "text"] = "auto") -> None:
    """Send log events of at least `level` to standard error: text on a terminal, JSON lines elsewhere.

    Libraries that log through `logging` come out the same way, from warnings up.
    """
    text = format == "text" or (format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    render: list[structlog.typing.Processor] = (
        [_printable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _printable(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what would move the cursor: a message may hold a path, and a path may hold anything."""
    text = str(event["event"])
    event["event"] = text if text.isprintable() else repr(text)[1:-1]
    return event
