"""What the Dockerfile builds, built without it: the same files, the same steps, in a folder."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.deploy import files
from tests.deploy.files import ROOT
from tests.deploy.linters import run

UID = 10001


def build(folder: Path) -> Path:
    """Builds the image's virtual environment from what its builder gets; where it is."""
    context = folder / "context"
    for word, rest in files.instructions(0):
        if word == "COPY":
            *sources, _ = rest.split()
            for source in sources:
                _copy(ROOT / source, context / source)
    venv = environment(folder / "jobcast", ROOT / "requirements" / "runtime.txt")
    run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist"],
        cwd=context,
    )
    [wheel] = (folder / "dist").glob("*.whl")
    _install(venv, "--no-deps", str(wheel))
    return venv


def environment(venv: Path, requirements: Path) -> Path:
    """A fresh virtual environment with exactly what a list names, by its hashes."""
    uv, python = shutil.which("uv"), interpreter()
    make = [uv, "venv", "--python", python] if uv else [python, "-m", "venv"]
    run([*make, venv])
    _install(venv, "--no-deps", "--require-hashes", "-r", str(requirements))
    return venv


def size(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


class Container:
    """A process as a container runs it: user 10001, an empty environment, nothing to write to.

    Where we are not root, or only root can run our Python, it runs as we are.
    """

    def __init__(
        self, name: str, venv: Path, words: list[str], settings: dict[str, str], *, cwd: Path
    ) -> None:
        self.log = cwd.parent / f"{name}.log"
        self.name = name
        path = f"{venv / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        self.environment = {"PATH": path, "HOME": "/data", "LANG": "C.UTF-8", **settings}
        self.words = [str(venv / "bin" / "jobcast"), *words]
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Container:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **become(),
            )
        return self

    def run(self) -> int:
        """Runs it to its end; the exit code."""
        self.start()
        return self.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float = 60) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def terminate(self) -> int:
        """SIGTERM, as `docker stop` sends it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        if self.running:
            assert self._process is not None
            self._process.kill()
            self._process.wait()


@functools.cache
def interpreter() -> str:
    """A Python 3.11 or newer, if possible one that any user of this machine may run."""
    needed = "import sys" if shutil.which("uv") else "import ensurepip, sys"
    for found in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if found is None or not _everyones(Path(found).resolve()):
            continue
        asked = [found, "-c", f"{needed}; sys.exit(sys.version_info < (3, 11))"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return found
    return sys.executable


@functools.cache
def become() -> dict[str, Any]:
    """What makes a process user 10001, where we may and where that user can run our Python."""
    if os.geteuid() != 0 or not _everyones(Path(interpreter()).resolve()):
        return {}
    return {"user": UID, "group": UID, "extra_groups": []}


def _everyones(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _install(venv: Path, *words: str) -> None:
    uv = shutil.which("uv")
    python = str(venv / "bin" / "python")
    if uv:
        run([uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode", *words])
    else:
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words])


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, to)
