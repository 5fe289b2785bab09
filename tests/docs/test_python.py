"""Python on the pages: it compiles, it runs where it stands alone, and names what there is."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from tests.docs.pages import Fence, fences

import jobcast
import jobcast.client
import jobcast.safe_http
import jobcast.testing
import jobcast.webhooks

SNIPPETS = fences("python")

KNOWN: dict[str, Any] = {
    "app": jobcast.App,
    "jobs": jobcast.App,
    "client": jobcast.client.AsyncClient,
    "ctx": jobcast.Context,
    "jobcast": jobcast,
}
"""What these names stand for on every page."""


def compiled(fence: Fence) -> ast.Module:
    return ast.parse(fence.text, str(fence))


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call | None]]:
    """`name.attribute` wherever it stands, with its call if it is called."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr, called.get(id(node))


@pytest.mark.parametrize("fence", SNIPPETS, ids=str)
def test_a_snippet_compiles(fence: Fence) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compile(fence.text, str(fence), "exec", flags, dont_inherit=True)


@pytest.mark.parametrize("fence", SNIPPETS, ids=str)
def test_a_snippet_names_what_there_is(fence: Fence) -> None:
    unknown = []
    for name, attribute, call in calls(compiled(fence)):
        if name not in KNOWN:
            continue
        owner = KNOWN[name]
        found = getattr(owner, attribute, None)
        if found is None:
            instance = attribute in {"job", "settings", "cancelled", "attempt"}
            if not (name == "ctx" and instance):
                unknown.append(f"{name}.{attribute}")
        elif call is not None and callable(found):
            if inspect.isclass(found) and "__init__" not in vars(found):
                continue  # an exception as Python makes them
            taken = inspect.signature(found).parameters
            if any(one.kind is one.VAR_KEYWORD for one in taken.values()):
                continue
            given = {word.arg for word in call.keywords if word.arg}
            unknown += [f"{name}.{attribute}({word}=…)" for word in given - set(taken)]
    assert unknown == []


@pytest.mark.parametrize("fence", SNIPPETS, ids=str)
def test_imports_of_a_snippet_can_be_had(fence: Fence) -> None:
    for node in ast.walk(compiled(fence)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobcast"):
            module = __import__(node.module or "", fromlist=["*"])
            for alias in node.names:
                assert hasattr(module, alias.name), alias.name


@pytest.mark.parametrize("fence", [f for f in SNIPPETS if "\n@app." in f"\n{f.text}"], ids=str)
def test_handlers_can_be_registered(fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snippet that registers handlers is run, with the usual names around it."""
    if _awaits(fence):
        pytest.fail("Registering and awaiting at top level don't go together in one snippet.")
    module = types.ModuleType("docs_snippet")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.__dict__.update(
        {"app": jobcast.App(), "jobcast": jobcast, "asyncio": __import__("asyncio")}
    )
    builtins.exec(compile(fence.text, str(fence), "exec", dont_inherit=True), module.__dict__)
    app = module.__dict__["app"]
    assert isinstance(app, jobcast.App)
    assert app.handlers.types or app.schedules


def _awaits(fence: Fence) -> bool:
    code = compile(
        fence.text, str(fence), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    return bool(code.co_flags & inspect.CO_COROUTINE)
