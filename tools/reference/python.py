"""What users import, from signatures and docstrings."""

import dataclasses
import inspect
from collections.abc import Iterator
from types import ModuleType, NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec
from tools.reference.markdown import page, section

import jobcast
import jobcast.client
import jobcast.safe_http
import jobcast.testing
import jobcast.webhooks

ONE_LINE: Final = 80
"""Signatures that are longer stand in several lines."""

INTRO: Final = """
Everything here is typed (`py.typed`), without a gap for mypy and pyright. What is not named here is
not for users and may change.
"""
MODULES: Final = (
    (jobcast, "What jobs are written with."),
    (jobcast.testing, "Runs a handler in a test, with no server."),
    (jobcast.client, "Submits and watches from another program, over HTTP and WebSocket."),
    (jobcast.webhooks, "For receivers of webhooks."),
    (jobcast.safe_http, "For handlers that fetch what somebody else has named."),
)


def render() -> str:
    """The page."""
    seen: dict[Any, str] = {}
    return page(
        "Python",
        source="signatures and docstrings",
        intro=INTRO,
        parts=[
            section(module.__name__, about, *_members(module, seen)) for module, about in MODULES
        ],
    )


def _members(module: ModuleType, seen: dict[Any, str]) -> Iterator[str]:
    names = getattr(module, "__all__", None) or [
        name
        for name, found in vars(module).items()
        if getattr(found, "__module__", None) == module.__name__ and not name.startswith("_")
    ]
    for name in names:
        found, full = getattr(module, name), f"{module.__name__}.{name}"
        if not (inspect.isclass(found) or inspect.isfunction(found)):
            continue
        if found in seen:
            yield section(_escaped(full), f"The same as `{seen[found]}`.", level=3)
            continue
        seen[found] = full
        yield _class(full, found) if inspect.isclass(found) else _function(full, found, level=3)


def _class(name: str, found: type[Any]) -> str:
    methods = [
        _function(f"{found.__name__}.{word}", member, level=4)
        for word, member in _public(found)
        if inspect.isfunction(member)
    ]
    fields = [
        f"- `{word}`: {_line(inspect.getdoc(member.fget))}"
        for word, member in _public(found)
        if isinstance(member, property) and inspect.getdoc(member.fget)
    ]
    made = vars(found).get("__init__")
    if made is not None and found.__module__.startswith("jobcast.") and not _is_data(found):
        made = f"```python\n{found.__name__}{_signature(made).removesuffix(' -> None')}\n```"
    else:
        made = ", ".join(f"`{field}: {kind!r}`" for field, kind in _data(found))
        made = made and f"Fields: {made}."
    return section(_escaped(name), made, _doc(found), "\n".join(fields), *methods, level=3)


def _is_data(found: type[Any]) -> bool:
    return dataclasses.is_dataclass(found) or issubclass(found, msgspec.Struct)


def _data(found: type[Any]) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(found):
        yield from ((field.name, _named(field.type)) for field in dataclasses.fields(found))
    elif issubclass(found, msgspec.Struct):
        fields = msgspec.structs.fields(found)
        yield from ((field.name, _named(field.type)) for field in fields)


def _public(found: type[Any]) -> Iterator[tuple[str, Any]]:
    """Public members, also those of bases of ours, as they are defined."""
    seen: set[str] = set()
    for base in found.__mro__:
        if not base.__module__.startswith("jobcast."):
            continue
        for word, member in vars(base).items():
            if not word.startswith("_") and word not in seen:
                seen.add(word)
                yield word, member


def _function(name: str, found: Any, *, level: int) -> str:
    kind = "async def" if inspect.iscoroutinefunction(found) else "def"
    words = name.rpartition(".")[2]
    return section(
        _escaped(name),
        f"```python\n{kind} {words}{_signature(found)}: ...\n```",
        _doc(found),
        level=level,
    )


def _signature(found: Any) -> str:
    signature = inspect.signature(found)
    answer = _named(signature.return_annotation)
    shown = [
        parameter.replace(annotation=_named(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    text = str(signature.replace(parameters=shown, return_annotation=answer))
    if len(text) < ONE_LINE:
        return text
    words, star = [], False
    for parameter in shown:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            star = True
            words.append("*")
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        words.append(str(parameter))
    return "(\n" + "".join(f"    {word},\n" for word in words) + f") -> {answer!r}"


class _Text:
    """An annotation that is shown as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _named(annotation: Any) -> Any:
    return annotation if annotation is inspect.Parameter.empty else _Text(_said(annotation))


def _said(annotation: Any) -> str:
    """An annotation with short names, the same on every version of Python."""
    if isinstance(annotation, str):
        return annotation
    if annotation is None or annotation is NoneType:
        return "None"
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, list):
        return f"[{', '.join(map(_said, annotation))}]"
    if origin in (Union, UnionType):
        return " | ".join(map(_said, inner))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inner))}]"
    if annotation is Ellipsis:
        return "..."
    name = str(getattr(origin or annotation, "__name__", annotation))
    return f"{name}[{', '.join(map(_said, inner))}]" if inner else name


def _doc(found: Any) -> str:
    """The docstring; what is indented in it is code."""
    parts: list[str] = []
    for block in (inspect.getdoc(found) or "").split("\n\n"):
        lines = block.splitlines()
        if lines and all(line.startswith("    ") or not line for line in lines):
            text = "\n".join(line.removeprefix("    ") for line in lines)
            if parts and parts[-1].endswith("\n```") and "```python" in parts[-1]:
                parts[-1] = f"{parts[-1].removesuffix('```')}\n{text}\n```"
            else:
                parts.append(f"```python\n{text}\n```")
        else:
            parts.append(" ".join(lines))
    return "\n\n".join(parts)


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
