"""Commands on the pages: `jobcast`, `make` and `curl` say what there is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest
from tests.docs.pages import ROOT, Fence, fences, pages, prose
from tools.reference.commands import commands, options_of

from jobcast.services.job_input import parse_job
from jobcast.settings import Settings
from jobcast.settings.variables import PREFIX, STAND_INS, variables

SNIPPETS = fences("bash", "shell")
COMMANDS = dict(commands())
CLIENT = {"JOBCAST_URL", "JOBCAST_API_KEY"}
"""Variables of the command line and of no server."""

TESTS = {"JOBCAST_TEST_DATABASE_URL", "JOBCAST_TEST_REDIS_URL"}


def lines(fence: Fence) -> Iterator[list[str]]:
    """The words of each command, lines that go on joined, pipes and substitutions opened."""
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", fence.text.replace("\\\n", " "))
    text = re.sub(r"\w+=\$\((.*?)\)(?=\n|$)", r"\1", text, flags=re.DOTALL)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;()<>\n")
    lexer.commenters = ""
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word.strip("|&;()<>\n") == "":
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def called(fence: Fence, program: str) -> list[list[str]]:
    """The arguments with which a program is called."""
    found = []
    for words in lines(fence):
        settings = sum(1 for _ in takewhile(re.compile(r"\w+=").match, words))
        if words[settings:] and words[settings].rpartition("/")[2] == program:
            found.append(words[settings + 1 :])
    return found


def command_of(words: list[str]) -> tuple[str, list[str]] | None:
    for size in (2, 1):
        name = " ".join(["jobcast", *words[:size]])
        if name in COMMANDS:
            return name, words[size:]
    return None


@pytest.mark.parametrize("fence", SNIPPETS, ids=str)
def test_commands_and_their_options_exist(fence: Fence) -> None:
    wrong = []
    for words in called(fence, "jobcast"):
        found = command_of(words)
        if found is None:
            wrong.append(" ".join(words))
            continue
        name, rest = found
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        wrong += [f"{name} {option}" for option in given - options_of(COMMANDS[name])]
    assert wrong == []


def test_commands_in_the_text_exist() -> None:
    wrong = []
    for page in pages():
        for words in re.findall(r"`jobcast ([a-z][^`]*)`", prose(page)):
            if command_of(words.split()) is None and words.split()[0] not in {"keys", "tenants"}:
                wrong.append(f"{page.name}: jobcast {words}")
    assert wrong == []


@pytest.mark.parametrize("fence", SNIPPETS, ids=str)
def test_targets_of_make_exist(fence: Fence) -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = {words[0] for words in called(fence, "make") if words}
    assert asked - there == set()


@pytest.mark.parametrize("fence", [fence for fence in SNIPPETS if "curl" in fence.text], ids=str)
def test_calls_exist_and_their_bodies_are_taken(fence: Fence, openapi: dict[str, Any]) -> None:
    for words in called(fence, "curl"):
        path, method, body = request(words)
        template = match(path, openapi)
        assert template is not None, path
        operation = openapi["paths"].get(template, {}).get(method.lower())
        assert operation or template in OUTSIDE or method == "OPTIONS", f"{method} {path}"
        if body is not None and template == "/api/jobs":
            parse_job(body.encode())
        elif body is not None:
            json.loads(body)


OUTSIDE = {"/asyncapi.json", "/openapi.json", "/docs", "/asyncapi", "/"}


def request(words: list[str]) -> tuple[str, str, str | None]:
    """Path, method and body of a call of curl."""
    method, body, url = None, None, ""
    values = iter(words)
    for word in values:
        if word in {"-X", "--request"}:
            method = next(values)
        elif word in {"-d", "--data", "--data-binary", "--json"}:
            body = next(values)
        elif word in {"-H", "-o", "-w", "-F", "--retry", "--max-time"}:
            next(values)
        elif not word.startswith("-"):
            url = word
    path = re.sub(r"^(?:\$\w+|https?://[^/]+)", "", url).partition("?")[0]
    if body is not None and body.startswith("@"):
        body = None
    return path, method or ("GET" if body is None else "POST"), body


def match(path: str, openapi: dict[str, Any]) -> str | None:
    """The template of the route that a path is of."""
    if path in openapi["paths"] or path in OUTSIDE:
        return path
    asked = path.split("/")
    for template in openapi["paths"]:
        parts = template.split("/")
        if len(parts) == len(asked) and all(
            part == word or part.startswith("{") for part, word in zip(parts, asked, strict=True)
        ):
            return str(template)
    return None


def test_settings_in_the_text_exist() -> None:
    there = {name for field in Settings.model_fields for name in variables(field)}
    there |= {*STAND_INS, *CLIENT, *TESTS, *(PREFIX + name for name in STAND_INS)}
    wrong = []
    for page in pages():
        named = set(re.findall(r"\bJOBCAST_[A-Z_]+\b", page.read_text("utf-8")))
        wrong += [f"{page.name}: {name}" for name in named - there]
    assert wrong == []


def test_routes_in_the_text_exist(openapi: dict[str, Any]) -> None:
    wrong = []
    for page in pages():
        text = prose(page)
        for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/[^`\s?]*)", text):
            template = match(path, openapi) or match(f"/api{path}", openapi)
            there = openapi["paths"].get(template, {}) if template else {}
            if template is None or (method.lower() not in there and template not in OUTSIDE):
                wrong.append(f"{page.name}: {method} {path}")
    assert wrong == []
