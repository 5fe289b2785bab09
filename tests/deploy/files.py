"""The deployment files, read: services with their commands and settings, wherever they stand."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
SYSTEMD: Final = ROOT / "deploy" / "systemd"
NGINX: Final = ROOT / "deploy" / "nginx" / "nginx.conf"
PROGRAM: Final = "/opt/jobcast/bin/jobcast"

_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")
_CONTINUED: Final = re.compile(r"\\\n")


@dataclass(frozen=True)
class Program:
    """A `jobcast` command of a file, without the program's name, and the settings it names."""

    where: str
    words: Sequence[str]
    settings: Mapping[str, str]


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """`${NAME:-default}`, as Compose replaces it."""
    return _VARIABLE.sub(lambda match: given.get(match[1]) or match[2] or "", text)


def compose(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """A Compose file with its variables replaced; the services in it are whole."""
    text = (ROOT / name).read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(interpolated(text, given))
    return document


def instructions(stage: int = -1) -> list[tuple[str, str]]:
    """The instructions of one stage of the Dockerfile, the last one unless told."""
    text = _CONTINUED.sub(" ", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    stages: list[list[tuple[str, str]]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, " ".join(rest.split())))
    return stages[stage]


def image_settings() -> dict[str, str]:
    """What the image sets by ENV."""
    found: dict[str, str] = {}
    for word, rest in instructions():
        if word == "ENV":
            found |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return found


def health_command() -> list[str]:
    """What the image's HEALTHCHECK runs."""
    [rest] = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
    command: list[str] = json.loads(rest[rest.index("CMD ") + 4 :])
    return command


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Kubernetes resource, with its file."""
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            yield path.name, document


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod specification, with the name of what makes it."""
    for _, document in manifests():
        template = document.get("spec", {}).get("template")
        if template is not None:
            yield document["metadata"]["name"], template["spec"]


def unit(path: Path) -> list[tuple[str, str]]:
    """The directives of a systemd unit."""
    lines = path.read_text("utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#[")
    return [(name, value) for name, _, value in pairs]


def programs() -> Iterator[Program]:
    """Every `jobcast` command of all files."""
    for name in ("compose.yaml", "compose.single.yaml"):
        for service, spec in compose(name, {})["services"].items():
            if spec["image"] == "jobcast":
                yield Program(f"{name}: {service}", spec["command"], spec["environment"])
    configured = {
        name: value
        for _, document in manifests()
        for name, value in {**document.get("data", {}), **document.get("stringData", {})}.items()
    }
    for pod, spec in pods():
        [container] = spec["containers"]
        own = {pair["name"]: pair["value"] for pair in container.get("env", ())}
        yield Program(f"kubernetes: {pod}", container["args"], {**configured, **own})
    for path in sorted(SYSTEMD.glob("*.service")):
        [start] = [value for name, value in unit(path) if name == "ExecStart"]
        program, *words = shlex.split(start)
        assert program == PROGRAM, path.name
        own = dict(value.split("=", 1) for name, value in unit(path) if name == "Environment")
        yield Program(f"systemd: {path.name}", words, {**unit_settings(), **own})
    yield Program("Dockerfile", health_command()[1:], {})


def unit_settings() -> dict[str, str]:
    """What the example of the units' environment file sets."""
    lines = (SYSTEMD / "jobcast.env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")
