"""The linters of the deployment files, in an environment of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.deploy import files
from tests.deploy.files import KUBERNETES, PROGRAM, ROOT, SYSTEMD


class Failed(Exception):
    """A check did not hold: a sentence."""


def lint(folder: Path, venv: Path, program: Path) -> Iterator[str]:
    """Lints every file; says which linter found nothing. Raises Failed for the first that did.

    `venv` has requirements/deploy.txt; `program` stands in for the program of the units.
    """
    tools = venv / "bin"
    run([tools / "hadolint", ROOT / "Dockerfile"])
    yield "Dockerfile: hadolint"
    composes = [ROOT / "compose.yaml", ROOT / "compose.single.yaml"]
    run([tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *composes])
    yield "compose: the schema of the Compose specification"
    manifests = sorted(KUBERNETES.glob("*.yaml"))
    run([tools / "kubernetes-validate", "--strict", *manifests])
    yield "Kubernetes: the schemas of its API, strictly"
    rules = "{extends: relaxed, rules: {line-length: {max: 100}}}"
    run([tools / "yamllint", "--strict", "-d", rules, *composes, *manifests])
    yield "all YAML: yamllint"
    if shutil.which("systemd-analyze"):
        run(["systemd-analyze", "verify", "--man=no", *units(folder, program)])
        yield "systemd: systemd-analyze verify"
    else:
        yield "systemd: NOT linted, there is no systemd-analyze here"


def units(folder: Path, program: Path) -> Sequence[Path]:
    """The units as they would be on a machine that has the program, its settings and its docs."""
    folder.mkdir()
    settings = folder / "jobcast.env"
    settings.write_text((SYSTEMD / "jobcast.env.example").read_text("utf-8"))
    made = []
    for path in sorted(SYSTEMD.glob("*.service")):
        text = path.read_text("utf-8").replace(PROGRAM, str(program))
        text = text.replace("=/etc/jobcast/jobcast.env", f"={settings}")
        named = folder / path.name.replace("@.", "@1.")
        named.write_text(text)
        made.append(named)
    assert made, files.SYSTEMD
    return made


def run(command: Sequence[str | Path], **more: Any) -> str:
    """What a command says; raises Failed with it where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )
    said: str = done.stdout
    if done.returncode:
        raise Failed(f"{' '.join(words[:6])} … ended with {done.returncode}:\n{said[-4_000:]}")
    return said
