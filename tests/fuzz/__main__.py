"""`make fuzz`: HTTP by its own description, then the socket by broken frames."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz import http


def main() -> None:
    """Exits with 1 where something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--only", choices=("sqlite", "postgres", "socket"))
    parser.add_argument("--examples", type=int, default=50, help="for each HTTP operation")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    say(f"seed {given.seed}")
    good = True
    for name, start in (("sqlite", http.sqlite), ("postgres", http.postgres)):
        if given.only not in (None, name):
            continue
        with (
            tempfile.TemporaryDirectory(prefix="jobcast-fuzz-") as folder,
            start(Path(folder)) as target,
        ):
            for who, header in target.callers().items():
                say(f"HTTP on {name} as {who}:")
                good &= http.attack(
                    target, header, examples=given.examples, seed=given.seed, say=say
                )
    sys.exit(0 if good else 1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
