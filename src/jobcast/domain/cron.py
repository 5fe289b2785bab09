"""Cron: the moments at which a schedule ticks. Moments are milliseconds, and come in.

A cron text has the five fields of Debian's cron: minute, hour, day of month, month, day of week.
Ticks follow the wall clock of a time zone, also where it is moved:

- A tick at a set time of day (neither its minute nor its hour begins with `*`) comes once a day. In
  the hour that is skipped in spring it comes at the end of the gap; in the hour that comes twice in
  autumn it comes the first time.
- Any other (`*/15 * * * *`, `0 * * * *`) goes by real time: nothing in the hour that is skipped,
  both times in the hour that comes twice.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MAX_LENGTH: Final = 200
MINUTE_MS: Final = 60_000

_EXAMPLE: Final = "write it like '0 3 * * *' (every day at 03:00)"
_NO_NAMES: Final = ("localtime", "posixrules")  # files beside the zones: other on each machine
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")


def cron_fault(cron: str) -> str | None:
    """What is wrong with a cron text, if anything, as a sentence."""
    fields = len(cron.split())
    if len(cron) > MAX_LENGTH:
        return f"Must be at most {MAX_LENGTH} characters"
    if fields != 5:
        return (
            "Must have 5 fields (minute, hour, day of month, month, day of week), "
            f"not {fields}: {_EXAMPLE}"
        )
    try:
        first = next_tick(cron, "UTC", after=0)
    except ValueError as problem:
        return str(problem)
    return "This cron text never comes true" if first is None else None


def zone_fault(timezone: str) -> str | None:
    """What is wrong with the name of a time zone, if anything, as a sentence."""
    try:
        _zone(timezone)
    except ValueError as problem:
        return str(problem)
    return None


def next_tick(cron: str, timezone: str, *, after: int) -> int | None:
    """The first tick later than a moment; None where there is none within 50 years.

    Raises ValueError with a sentence for a cron text or a time zone that is none.
    """
    start = datetime.fromtimestamp(after // 1000, _zone(timezone))
    try:
        for moment in CronSim(cron, start):
            tick = int(moment.timestamp()) * 1000
            # In the second of two like hours the library answers with the first one's.
            if tick > after:
                return tick
    except CronSimError as problem:
        raise ValueError(f"{problem}: {_EXAMPLE}") from None
    return None


def last_tick(cron: str, timezone: str, *, first: int, now: int) -> int:
    """The latest tick up to now, from `first` on, which is one itself.

    Found by halves: a minutely schedule that was away for a year has missed half a million.
    """
    last, bound = first, now
    while bound - last > MINUTE_MS:
        middle = (last + bound) // 2
        tick = next_tick(cron, timezone, after=middle)
        if tick is not None and tick <= now:
            last = tick
        else:
            bound = middle
    while (tick := next_tick(cron, timezone, after=last)) is not None and tick <= now:
        last = tick
    return last


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        if _ZONE.fullmatch(name) and name not in _NO_NAMES:
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no such name, a file that is no zone, a folder
        pass
    raise ValueError("Unknown time zone: use a name such as UTC or Europe/Berlin")
