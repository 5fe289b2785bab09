"""The audit log: who came in, who did not, and who changed what may come in.

One line an event, with `log="audit"`, the actor (`user`, `key`), the `tenant`, and where it came
from: `about` says that once for a whole request, socket or run; their ids stand on every line of
the log (`runtime.telemetry`). Nothing secret is ever given: ids and hints, no texts of keys,
tokens, passwords, and no e-mail addresses, into whose field people type passwords.
"""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import structlog

log: Final = structlog.get_logger("jobcast.audit", log="audit")

MOST: Final = 60
"""Lines in a minute of one refusal that strangers can bring about as often as they like."""

_about: ContextVar[Mapping[str, str | None]] = ContextVar("jobcast.audit.about")
_told: dict[str, tuple[float, int]] = {}


def about(**facts: str | None) -> None:
    """What holds for all that follows in this task: `address`, `tenant`."""
    _about.set(facts)


def note(event: str, **facts: Any) -> None:
    """Something was done."""
    log.info(event, **_whole(facts))


def refusal(event: str, **facts: Any) -> None:
    """Something was refused, by someone whose number of tries is bounded elsewhere."""
    log.warning(event, **_whole(facts))


def stranger(event: str, **facts: Any) -> None:
    """Something was refused to anyone who cares to try: at most `MOST` lines a minute.

    The first line of a minute says how many went unsaid in the one before.
    """
    minute = time.monotonic() // 60
    before, count = _told.get(event, (minute, 0))
    unsaid = max(0, count - MOST)
    if before != minute:
        count = 0
        if unsaid:
            facts["unsaid"] = unsaid
    _told[event] = (minute, count + 1)
    if count < MOST:
        log.warning(event, **_whole(facts))


def _whole(facts: Mapping[str, Any]) -> dict[str, Any]:
    """With what is known of where it comes from; what is nothing is left out."""
    whole = {**_about.get({}), **facts}
    return {name: value for name, value in whole.items() if value is not None}
