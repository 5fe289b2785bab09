"""What is wrong with a payload, in the words of whoever sends it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

MOST: Final = 20
"""Faults that are told: a list of ten thousand wrong items is wrong in one way."""

LONGEST: Final = 200
"""Characters of a fault: a sentence holds the value that is wrong, however large."""

_CHOICES: Final = frozenset({"anyOf", "oneOf"})


def by_field(faults: Iterable[Any]) -> Mapping[str, list[str]]:
    """The faults that a JSON Schema validator finds, by the path of the field at fault."""
    fields: dict[str, list[str]] = {}
    for path, sentence in islice(_sentences(faults), MOST):
        fields.setdefault(".".join(["payload", *map(str, path)]), []).append(sentence)
    return fields


def _sentences(faults: Iterable[Any]) -> Iterator[tuple[list[str | int], str]]:
    for fault in faults:
        match fault.kind.name:
            case "required":
                yield [*fault.instance_path, fault.kind.property], "Required"
            case "additionalProperties":
                for name in fault.kind.unexpected:
                    yield [*fault.instance_path, name], "Unknown field"
            case name if name in _CHOICES and hasattr(fault.kind, "context"):
                yield from _of_none(fault)
            case "not":
                yield fault.instance_path, _sentence_of_not(fault)
            case _:
                yield fault.instance_path, _sentence(fault)


def _of_none(fault: Any) -> Iterator[tuple[list[str | int], str]]:
    """A value that fits no branch of a choice; "or null" is no branch worth telling."""
    branches = [branch for branch in fault.kind.context if not _asks_for_null(branch)]
    if len(branches) == 1:
        yield from _sentences(branches[0])
    elif all([each.kind.name for each in branch] == ["required"] for branch in branches):
        names = dict.fromkeys(branch[0].kind.property for branch in branches)
        yield fault.instance_path, f"One of these is required: {', '.join(names)}"
    else:
        firsts = dict.fromkeys(_sentence(branch[0]) for branch in branches if branch)
        yield fault.instance_path, "; ".join(firsts)


def _sentence_of_not(fault: Any) -> str:
    """A double negation is a choice whose branches are not told: see `payload_schema.blunt`."""
    match fault.kind.schema:
        case {"not": {"anyOf": _} | {"oneOf": _}}:
            return "The value has none of the forms that it may have"
    return _sentence(fault)


def _asks_for_null(branch: list[Any]) -> bool:
    return [(each.kind.name, each.kind.value) for each in branch] == [("type", ["null"])]


def _sentence(fault: Any) -> str:
    if len(fault.message) <= LONGEST:
        return str(fault.message)
    return f"The value does not fit: {fault.kind.name} {fault.kind.value}"[:LONGEST]
