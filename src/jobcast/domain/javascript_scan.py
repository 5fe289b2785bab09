"""The scan behind `javascript_json` that takes any JSON: indexes as keys, surrogates, any depth.

It keeps its own stack, so nesting costs no recursion, and is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from typing import Final

from jobcast.domain.javascript_scalars import number, string

# Strings, numbers, literals and marks; what stands between tokens may only be white space.
_TOKEN: Final = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<string>"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")
      | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)
      | (?P<literal>true|false|null)
      | (?P<mark>[\[\]{},:])
    )""",
    re.VERBOSE,
)
_ARRAY_INDEX: Final = re.compile(r'"(?:0|[1-9][0-9]{0,9})"')
_LAST_ARRAY_INDEX: Final = 2**32 - 2

_Value = str | list["_Value"] | dict[str, "_Value"]
"""A finished scalar, or a container: keys are finished JSON strings."""


def rewrite(text: str) -> str:
    """See `javascript_json`, which this does for any text, if more slowly."""
    return "".join(_pieces(_parse(text)))


def _parse(text: str) -> _Value:
    document: _Value = ""
    within: list[list[_Value] | dict[str, _Value]] = []
    key = ""
    expected = "value"

    def place(value: _Value) -> None:
        nonlocal document
        if not within:
            document = value
        elif isinstance(within[-1], list):
            within[-1].append(value)
        else:
            within[-1][key] = value

    for position, mark, scalar in _tokens(text):
        in_list = bool(within) and isinstance(within[-1], list)
        if expected in ("key", "first key") and scalar.startswith('"'):
            key, expected = scalar, "colon"
        elif expected in ("value", "first element") and scalar:
            place(scalar)
            expected = "more"
        elif expected in ("value", "first element") and mark in ("[", "{"):
            container: list[_Value] | dict[str, _Value] = [] if mark == "[" else {}
            place(container)
            within.append(container)
            expected = "first element" if mark == "[" else "first key"
        elif expected == "colon" and mark == ":":
            expected = "value"
        elif expected == "more" and mark == "," and within:
            expected = "value" if in_list else "key"
        elif within and mark == ("]" if in_list else "}") and expected[:5] in ("first", "more"):
            within.pop()
            expected = "more"
        else:
            raise _not_json(position)
    if within or expected != "more":
        raise _not_json(len(text))
    return document


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Position, mark and scalar of each token; one of the latter two is empty."""
    position = 0
    while token := _TOKEN.match(text, position):
        position = token.end()
        if mark := token["mark"]:
            yield token.start(), mark, ""
        elif token["string"]:
            yield token.start(), "", string(token["string"])
        elif token["number"]:
            yield token.start(), "", number(token["number"])
        else:
            yield token.start(), "", token["literal"]
    if text[position:].strip(" \t\n\r"):
        raise _not_json(position)


def _not_json(position: int) -> ValueError:
    return ValueError(f"Not JSON: something unexpected at character {position}.")


def _pieces(document: _Value) -> Iterator[str]:
    within = [iter([document])]
    while within:
        for piece in within[-1]:
            if not isinstance(piece, str):
                within.append(_written(piece))
                break
            yield piece
        else:
            within.pop()


def _written(container: list[_Value] | dict[str, _Value]) -> Iterator[_Value]:
    comma = ""
    if isinstance(container, list):
        yield "["
        for element in container:
            yield comma
            yield element
            comma = ","
        yield "]"
        return
    yield "{"
    for key in sorted(filter(_is_index, container), key=_index) + [
        key for key in container if not _is_index(key)
    ]:
        yield f"{comma}{key}:"
        yield container[key]
        comma = ","
    yield "}"


def _is_index(key: str) -> bool:
    return bool(_ARRAY_INDEX.fullmatch(key)) and _index(key) <= _LAST_ARRAY_INDEX


def _index(key: str) -> int:
    return int(key[1:-1])
