"""Logs: structured, one line an event, people's form on a terminal and JSON elsewhere.

What a line is about is bound by context and stands on every line emitted within: `request_id` in a
request, `connection_id` in a command of a WebSocket, `job_id` and `attempt` in a run, `job_id` and
`delivery` in a webhook. So it is for lines of the standard library's `logging`, too.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars, reset_contextvars

from jobcast.runtime.redaction import redact

_formatter = logging.Formatter()

_CHATTY: Final = (
    "alembic",
    "asyncio",
    "httpcore2",
    "httpx2",
    "opentelemetry",
    "redis",
    "sqlalchemy",
    "uvicorn",
)
"""Libraries of ours whose everyday lines nobody needs."""


def configure_logging(*, level: str, pretty: bool) -> None:
    """Sets up structlog on standard error; `level` is a name of the standard library's levels.

    The standard library's lines take the same form, unless the application has given its root
    logger a handler already.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = []
    renderer: Any
    if pretty:
        # Plain tracebacks: pretty ones print local variables, and with them payloads and secrets.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain)
    else:
        rendering.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    rendering.append(lambda logger, name, event: redact(renderer(logger, name, event)))
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("uvicorn.error").addFilter(_without_clients_traces)
    if logging.getLogRecordFactory() is not _redacted_record:
        logging.setLogRecordFactory(_redacted_record)
    if not logging.getLogger().handlers:
        _take_in_libraries(level, shared, rendering)


@contextmanager
def about(**ids: str | int) -> Iterator[None]:
    """Every line that is emitted within says so."""
    tokens = bind_contextvars(**ids)
    try:
        yield
    finally:
        reset_contextvars(**tokens)


def _take_in_libraries(
    level: str,
    shared: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(_number(level))
    for name in _CHATTY:
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(max(_number(level), logging.WARNING))


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
