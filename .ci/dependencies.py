"""Check what is installed: exactly the versions of the lock file, and all that packages require.

Usage: dependencies.py REQUIREMENTS. Exits 1 and says what is wrong. Needs no network; known
vulnerabilities are `make audit`'s affair, which asks an advisory service.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")
OWN = "jobcast"


def main(lock: Path) -> int:
    installed = {canonicalize_name(one.metadata["Name"]): one for one in distributions()}
    faults = sorted({*_unlocked(lock, installed), *_unmet(installed)})
    for fault in faults:
        print(fault)
    print(f"{len(installed)} packages, {len(faults)} faults")
    return int(bool(faults))


def _unlocked(lock: Path, installed: dict[str, Distribution]) -> Iterator[str]:
    locked: dict[str, str] = {}
    for line in lock.read_text("utf-8").splitlines():
        match = PINNED.match(line)
        if match is None:
            continue
        name, version, marker = match.groups()
        written = f"{name}=={version}" + (f" ; {marker.strip()}" if marker else "")
        wanted = Requirement(written)
        if wanted.marker is None or wanted.marker.evaluate():
            locked[canonicalize_name(name)] = version
    for name, version in locked.items():
        found = installed.get(name)
        if found is None:
            yield f"{name} {version} is locked, but not installed"
        elif found.version != version:
            yield f"{name} {found.version} is installed, but {version} is locked"
    for name in installed.keys() - locked.keys() - {OWN, "pip", "setuptools", "uv"}:
        yield f"{name} is installed, but not locked"


def _unmet(installed: dict[str, Distribution]) -> Iterator[str]:
    environment = {**default_environment(), "extra": ""}
    for name, one in installed.items():
        for text in one.requires or ():
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate(environment):
                continue
            found = installed.get(canonicalize_name(wanted.name))
            if found is None:
                yield f"{name} requires {wanted.name}, which is not installed"
            elif not wanted.specifier.contains(found.version, prereleases=True):
                yield f"{name} requires {wanted.name}{wanted.specifier}, not {found.version}"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
