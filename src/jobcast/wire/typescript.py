"""TypeScript types of the socket's messages, made of the same types as everything else.

`make types` writes them to `clients/js/types.d.ts`; a test says when they are old.
"""

import inspect
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import inspect as shapes

from jobcast.wire.asyncapi import commands, frames, tag_of

HEAD: Final = """\
// Made by `make types` from src/jobcast/wire: change them there.

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
"""


def render() -> str:
    """The whole file."""
    known = {**_infos(commands()), **_infos(frames())}
    parts = [HEAD]
    for name, info in _with_parts(known).items():
        parts.append(_interface(name, info))
    parts.append(_union("Command", "What a client may send.", [k.__name__ for k in commands()]))
    parts.append(_union("Frame", "What the server sends.", [k.__name__ for k in frames()]))
    return "\n".join(parts)


def _infos(kinds: Iterable[type[msgspec.Struct]]) -> dict[str, shapes.StructType]:
    found = {}
    for kind in kinds:
        info = shapes.type_info(kind)
        assert isinstance(info, shapes.StructType)
        found[kind.__name__] = info
    return found


def _with_parts(known: dict[str, shapes.StructType]) -> dict[str, shapes.StructType]:
    """The structs that others consist of come first."""
    parts: dict[str, shapes.StructType] = {}
    for info in known.values():
        for field in info.fields:
            if isinstance(field.type, shapes.StructType):
                parts[field.type.cls.__name__] = field.type
    return parts | known


def _interface(name: str, info: shapes.StructType) -> str:
    lines = [_comment(inspect.getdoc(info.cls) or ""), f"export interface {name} {{"]
    if info.tag is not None:
        lines.append(f'  type: "{tag_of(info.cls)}";')
    for field in info.fields:
        kinds = _parts(field.type)
        optional = not field.required
        text = " | ".join(dict.fromkeys(map(_type, kinds)))
        lines.append(f"  {field.encode_name}{'?' if optional else ''}: {text};")
    return "\n".join([*lines, "}\n"])


def _union(name: str, text: str, members: Iterable[str]) -> str:
    return f"/** {text} */\nexport type {name} =\n  | " + "\n  | ".join(members) + ";\n"


def _parts(kind: shapes.Type) -> tuple[shapes.Type, ...]:
    return kind.types if isinstance(kind, shapes.UnionType) else (kind,)


def _type(kind: shapes.Type) -> str:
    match kind:
        case shapes.StrType():
            return "string"
        case shapes.IntType() | shapes.FloatType():
            return "number"
        case shapes.BoolType():
            return "boolean"
        case shapes.NoneType():
            return "null"
        case shapes.RawType():
            return "Json"
        case shapes.LiteralType(values=values):
            return " | ".join(_literal(value) for value in values)
        case shapes.CollectionType(item_type=item):
            return f"{_type(item)}[]"
        case shapes.DictType(value_type=value):
            return f"{{ [name: string]: {_type(value)} }}"
        case shapes.StructType(cls=cls):
            return str(cls.__name__)
        case shapes.UnionType(types=types):
            return " | ".join(map(_type, types))
        case _:
            raise TypeError(f"There is no TypeScript for {kind!r} yet.")


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _comment(text: str) -> str:
    lines = text.splitlines()
    if len(lines) == 1:
        return f"/** {text} */"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */"])
