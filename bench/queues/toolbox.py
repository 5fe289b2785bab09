"""The peers' own environments, set up once in `.bench/` from pinned lists with hashes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / ".bench"


def python() -> Path:
    """The interpreter that has the Python peers."""
    wanted = ROOT / "requirements" / "bench.txt"
    place = FOLDER / "venv"
    if _stale(place, [wanted]):
        _say("Setting up the Python peers …")
        shutil.rmtree(place, ignore_errors=True)
        install = ["--no-deps", "--require-hashes", "-r", str(wanted)]
        interpreter = place / "bin" / "python"
        uv = shutil.which("uv")
        if uv:
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(place)])
            _run([uv, "pip", "install", "--quiet", "--python", str(interpreter), *install])
        else:
            _run([sys.executable, "-m", "venv", str(place)])
            quiet = ["--quiet", "--disable-pip-version-check"]
            _run([str(interpreter), "-m", "pip", "install", *quiet, *install])
        _fresh(place, [wanted])
    return place / "bin" / "python"


def node() -> Path:
    """The folder that has the script and the packages of the peer on Node."""
    source = ROOT / "bench" / "node"
    lists = [source / "package.json", source / "package-lock.json"]
    place = FOLDER / "node"
    if shutil.which("npm") is None:
        raise SystemExit("BullMQ needs Node 18 or newer and npm: install them, or use --only.")
    if _stale(place, lists):
        _say("Setting up the peer on Node …")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for path in lists:
            shutil.copy(path, place)
        _run(["npm", "ci", "--prefix", str(place), "--no-fund", "--no-audit", "--loglevel=error"])
        _fresh(place, lists)
    shutil.copy(source / "bullmq.mjs", place)  # packages are looked for beside the script
    return place


def _stale(place: Path, lists: Sequence[Path]) -> bool:
    stamp = place / ".ready"
    return not stamp.exists() or stamp.read_text() != _digest(lists)


def _fresh(place: Path, lists: Sequence[Path]) -> None:
    (place / ".ready").write_text(_digest(lists))


def _digest(lists: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()


def _run(command: Sequence[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"This failed: {' '.join(command)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
