"""Logs: structured, one line an event, people's form on a terminal and JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog

from jobcast.runtime.redaction import redact

_formatter = logging.Formatter()


def configure_logging(*, level: str, pretty: bool) -> None:
    """Sets up structlog on standard error; `level` is a name of the standard library's levels."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any
    if pretty:
        # Plain tracebacks: pretty ones print local variables, and with them payloads and secrets.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain)
    else:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    shared.append(lambda logger, name, event: redact(renderer(logger, name, event)))
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("uvicorn.error").addFilter(_without_clients_traces)
    if logging.getLogRecordFactory() is not _redacted_record:
        logging.setLogRecordFactory(_redacted_record)


def _redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Records of libraries, too, are told without secrets: their text, and their traceback."""
    record = logging.LogRecord(*args, **kwargs)
    record.msg, record.args = redact(record.getMessage()), ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = redact(_formatter.formatException(record.exc_info))
    return record


def _without_clients_traces(record: logging.LogRecord) -> bool:
    """uvicorn logs a client's broken UTF-8 as a bug, with a traceback: one line says it as well."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info, record.exc_text = None, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _number(level: str) -> int:
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
