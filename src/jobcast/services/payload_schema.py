"""The JSON Schema of one type's payloads: what fits passes fast, what does not is told in time."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema_rs

from jobcast.domain.errors import InvalidRequest
from jobcast.services.payload_faults import by_field

MAX_DIGITS: Final = 400
"""Integers with more are larger than any that a schema can name."""

LARGE: Final = 4096
"""Characters of a payload beyond which its first fault is told alone: the validator makes all
faults before it gives the first, about 10 microseconds each, while everybody else waits."""

_OF_SCHEMAS: Final = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
_LISTS: Final = frozenset({"allOf", "prefixItems"})
_ALONE: Final = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)


class PayloadSchema:
    """A schema, ready to judge payloads; `text` is how it was registered."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._schema = json.loads(text)
        self._validator: Any = jsonschema_rs.validator_for(self._schema)
        self._blunt: Any = None

    def check(self, payload: str) -> None:
        """Raises InvalidRequest naming each field of the payload that does not fit.

        Of a large payload it names the first, and does not say what each branch of a choice misses.
        """
        document = json.loads(payload, parse_float=_float, parse_int=_int)
        try:
            fields = self._faults(document, large=len(payload) > LARGE)
        except UnicodeEncodeError:
            fields = self._faults(_without_surrogates(document), large=len(payload) > LARGE)
        if fields:
            raise InvalidRequest("Validation error", fields=fields)

    def _faults(self, document: Any, *, large: bool) -> Mapping[str, list[str]]:
        if self._validator.is_valid(document):
            return {}
        found = self._first(document) if large else self._validator.iter_errors(document)
        return by_field(found) or {"payload": ["It does not fit the schema of its type"]}

    def _first(self, document: Any) -> Iterable[Any]:
        if self._blunt is None:
            self._blunt = jsonschema_rs.validator_for(blunt(self._schema))
        try:
            self._blunt.validate(document)
        except jsonschema_rs.ValidationError as fault:
            return [fault]
        return []


def blunt(schema: Any) -> Any:
    """The schema, with each choice so written that only its verdict is told.

    Of a plain choice a validator tells every fault of every branch, a million of a long list. The
    usual "this or null" becomes a condition, which still tells the first fault of this.
    """
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    judged: list[Any] = []
    for name, value in schema.items():
        if name in ("anyOf", "oneOf") and isinstance(value, list):
            judged.append(_verdict(name, [blunt(branch) for branch in value]))
        elif name in _OF_SCHEMAS and isinstance(value, dict):
            found[name] = {key: blunt(below) for key, below in value.items()}
        elif name in _LISTS and isinstance(value, list):
            found[name] = [blunt(below) for below in value]
        else:
            found[name] = blunt(value) if name in _ALONE else value
    if judged:
        found["allOf"] = [*found.get("allOf", []), *judged]
    return found


def _verdict(name: str, branches: list[Any]) -> dict[str, Any]:
    others = [branch for branch in branches if branch != {"type": "null"}]
    if name == "anyOf" and len(others) == 1 and len(branches) == 2:
        return {"if": {"type": "null"}, "then": True, "else": others[0]}
    return {"not": {"not": {name: branches}}}


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
