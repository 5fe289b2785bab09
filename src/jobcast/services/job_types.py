"""What gateways know of the job types: their defaults, and the schema of their payloads."""

import asyncio
import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema_rs

from jobcast.domain.errors import InvalidRequest, UnknownJobType
from jobcast.runtime.clock import Clock
from jobcast.services.message_jobs import handling
from jobcast.services.payload_faults import by_field
from jobcast.store.base import Store, TypeInfo
from jobcast.store.overview import registered_types

ANY_TYPE: Final = "*"
STALE_AFTER: Final = 2.0
"""Seconds: types that a worker registers elsewhere are known here after this long at most."""

MAX_DIGITS: Final = 400
"""Integers with more are larger than any that a schema can name."""

LARGE: Final = 16_384
"""Characters of a payload beyond which its first fault is told alone."""

PLAIN = TypeInfo(
    type=ANY_TYPE,
    queue="default",
    max_attempts=3,
    timeout_ms=600_000,
    max_running=None,
    schema=None,
)
"""What holds for a type that no worker has named: the contract's defaults."""


def choose(known: Mapping[str, TypeInfo], kind: str) -> TypeInfo:
    """The defaults of a type among those that workers have registered.

    Raises UnknownJobType where there are some, but none for it.
    """
    if not known:
        return PLAIN
    found = known.get(kind) or known.get(ANY_TYPE)
    if found is None:
        raise UnknownJobType(f"Unknown job type: {kind}")
    return found


def check_payload(info: TypeInfo, payload: str) -> None:
    """Raises InvalidRequest naming each field of the payload that does not fit the type."""
    if info.schema is not None:
        _check(jsonschema_rs.validator_for(json.loads(info.schema)), payload)


def _check(validator: Any, payload: str) -> None:
    document = json.loads(payload, parse_float=_float, parse_int=_int)
    find = _first if len(payload) > LARGE else _all
    try:
        fields = by_field(find(validator, document))
    except UnicodeEncodeError:
        fields = by_field(find(validator, _without_surrogates(document)))
    if fields:
        raise InvalidRequest("Validation error", fields=fields)


def _all(validator: Any, document: Any) -> Iterable[Any]:
    faults: Iterable[Any] = validator.iter_errors(document)
    return faults


def _first(validator: Any, document: Any) -> Iterable[Any]:
    """The first fault alone: a large document may have more than there is time to tell."""
    try:
        validator.validate(document)
    except jsonschema_rs.ValidationError as fault:
        return [fault]
    return []


class JobTypes:
    """The registered types, read again when they are older than `STALE_AFTER`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, TypeInfo] = {}
        self._validators: dict[str, tuple[str, Any]] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._news = 0

    def forget(self) -> None:
        """Reads the types anew at the next use: a worker has registered some."""
        self._read_at = None
        self._news += 1

    async def all(self) -> list[TypeInfo]:
        """Every registered type by name that can be submitted, `*` among them."""
        return [info for info in (await self._types()).values() if info.channel is None]

    async def handling(self, channel: str) -> TypeInfo | None:
        """What the messages that clients publish to a channel become; None: they stay messages."""
        return handling((await self._types()).values(), channel)

    async def resolve(self, kind: str) -> TypeInfo:
        """The type's defaults; raises UnknownJobType where workers are known, but none for it."""
        return choose(await self._types(), kind)

    def check(self, info: TypeInfo, payload: str) -> None:
        """Raises InvalidRequest naming each field of the payload that does not fit the type."""
        if info.schema is None:
            return
        held = self._validators.get(info.type)
        if held is None or held[0] != info.schema:
            held = (info.schema, jsonschema_rs.validator_for(json.loads(info.schema)))
            self._validators[info.type] = held
        _check(held[1], payload)

    async def _types(self) -> dict[str, TypeInfo]:
        if not self._fresh():
            async with self._reading:  # nobody judges by what was known before the first read
                if not self._fresh():
                    began, news = self._clock.monotonic(), self._news
                    self._known = await self._store.read(registered_types)
                    if news == self._news:
                        self._read_at = began
        return self._known

    def _fresh(self) -> bool:
        return self._read_at is not None and self._clock.monotonic() - self._read_at <= STALE_AFTER


def _without_surrogates(document: Any) -> Any:
    """A document with another character in place of each lone surrogate: JSON holds those."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(text.encode("utf-8", "replace"), parse_float=_float, parse_int=_int)


def _float(text: str) -> float:
    """A number, or the largest one where it is larger: 1e200000 is a number to a schema."""
    number = float(text)
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else number


def _int(text: str) -> int | float:
    """As `_float`: Python refuses to read some thousands of digits."""
    return int(text) if len(text) < MAX_DIGITS else _float(text)
