"""Writes `jobcast.client.sync_client`: the blocking twin of every method of `AsyncClient`.

    make client

Each is a line that runs the asynchronous one, with its signature and docstring, so that editors and
type checkers see a plain method.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Final

from jobcast.client import sync_client
from jobcast.client.client import AsyncClient

TARGET: Final = Path(sync_client.__file__)

HEAD: Final = '''"""`Client`: everything a program can ask of a Jobcast server, in blocking calls.

Written by `make client` from the classes that make up `AsyncClient`; change those.
"""

'''
DOC: Final = """A client of the server at `url`, with an API key or an access (or watch) token.

    Use it as `with Client(url, key) as client`. It may be shared by threads, also where an event
    loop runs, and its iterators are plain ones. `retry_for` is for how long a call that failed for
    a passing reason is tried again, and `reconnect_for` for how long a watch tries to come back,
    both in seconds. Every call may raise the errors of `jobcast.client.errors`; Unreachable,
    Unauthorized and ServerError always.
    """


def render() -> str:
    """The module as it should be."""
    parts = [base for base in AsyncClient.__mro__ if base is not object][::-1]
    imports: dict[str, None] = {}
    classes: list[ast.stmt] = []
    for part in parts:
        module = inspect.getmodule(part)
        assert module is not None
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports[ast.unparse(node)] = None
            if isinstance(node, ast.ClassDef) and node.name == part.__name__:
                classes.append(_twin(node, [f"_{base.__name__}" for base in part.__bases__]))
    lines = [
        *imports,
        "from collections.abc import Generator",
        "from jobcast.client.blocking import Blocking, Channel",
        *(ast.unparse(node) for node in classes),
    ]
    return _tidied(HEAD + "\n".join(lines))


def _twin(node: ast.ClassDef, bases: list[str]) -> ast.ClassDef:
    is_whole = node.name == "AsyncClient"
    methods = [
        _method(item)
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and not item.name.startswith("_")
        and item.name != "aclose"
    ]
    return ast.ClassDef(
        name="Client" if is_whole else f"_{node.name}",
        bases=[ast.Name(name) for name in (bases if is_whole else ["Blocking"])],
        keywords=[],
        body=[*([ast.Expr(ast.Constant(DOC))] if is_whole else []), *methods],
        decorator_list=[],
    )


def _method(item: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.FunctionDef:
    assert item.returns is not None
    returns = ast.unparse(item.returns).strip("'")
    call = f"client.{item.name}({_passed_on(item.args)})"
    if returns.startswith("AsyncGenerator"):
        returns = f"Generator[{returns[len('AsyncGenerator[') : -1]}, None]"
        body = f"return self._portal.each(lambda client: {call})"
    elif returns == "AsyncChannel":
        returns = "Channel"
        body = f"return Channel(self._portal, name, lambda client: {call})"
    else:
        body = f"return self._portal.run(lambda client: {call})"
    first = item.body[0]
    return ast.FunctionDef(
        name=item.name,
        args=item.args,
        body=[first, ast.parse(body).body[0]],
        decorator_list=[],
        returns=ast.Name(returns),
        lineno=0,
    )


def _passed_on(arguments: ast.arguments) -> str:
    named = [argument.arg for argument in arguments.args if argument.arg != "self"]
    keywords = [f"{argument.arg}={argument.arg}" for argument in arguments.kwonlyargs]
    rest = [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return ", ".join([*named, *keywords, *rest])


def _tidied(text: str) -> str:
    """Without what it does not need, and laid out like all code here."""
    for words in (["check", "--fix", "--exit-zero", "--quiet"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(TARGET), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
