"""A registered handler, and what it may raise."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

ANY_TYPE = "*"
"""Stands for every type without a handler of its own."""


class Retry(Exception):
    """Raised by a handler to be run again: after `after` seconds, else by the usual backoff."""

    def __init__(
        self, message: str = "The handler asked to be retried", *, after: float | None = None
    ) -> None:
        super().__init__(message)
        if after is not None and not after >= 0:  # NaN too
            raise ValueError(f"Retry(after=…) takes seconds from 0 on, not {after!r}.")
        self.after = after


class Fail(Exception):
    """Raised by a handler to fail its job at once; its text is the job's error."""


class PayloadError(Exception):
    """The payload does not fit the type that the handler asks for; trying again cannot help."""


class JobType(msgspec.Struct, frozen=True, kw_only=True):
    """One registered type. `timeout` is in seconds; `schema` is None where any object will do.

    `channel` is set where it takes the messages to channels of this pattern, for the app
    `declared_by`. Types that are `internal` are Jobcast's own: nobody submits them by name, and
    they run in no child process, whatever became of the workers that ran them.
    """

    type: str
    handler: Callable[..., Any]
    max_attempts: int
    timeout: float
    queue: str
    max_running: int | None
    isolated: bool
    is_async: bool
    payload_type: Any
    schema: dict[str, Any] | None
    adapter: Any
    channel: str | None = None
    declared_by: str | None = None
    internal: bool = False

    def decode(self, payload: str) -> Any:
        """The payload as the handler wants it; raises `PayloadError` naming each bad field."""
        try:
            if self.adapter is None:
                return json.loads(payload)
            return self.adapter.validate_json(payload)
        except ValidationError as problem:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'payload'}: {fault['msg']}"
                for fault in problem.errors(include_url=False, include_input=False)
            )
            raise PayloadError(f"The payload does not fit {self.type}: {faults}") from None
        except (ValueError, RecursionError) as problem:  # a number of 5,000 digits
            raise PayloadError(f"The payload can't be read by {self.type}: {problem}") from None


class Handlers(msgspec.Struct, frozen=True):
    """The handlers that a worker serves, by type; `*` stands for any other."""

    types: Mapping[str, JobType]

    def find(self, kind: str) -> JobType | None:
        """The handler of a type, else the one of `*`, else None; `*` takes no messages."""
        found = self.types.get(kind)
        return found if found is not None or "/" in kind else self.types.get(ANY_TYPE)
