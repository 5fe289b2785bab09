"""`make deploy-check`: the deployment files linted, and what they describe run without containers.

    the Dockerfile's steps in a clean folder ─▶ its virtual environment
    compose.yaml's services as processes of it, on a PostgreSQL and a Redis of our own
    deploy/nginx/nginx.conf in a real nginx before them; HTTP, event streams and sockets through it
    compose.single.yaml's service on SQLite

Takes about a minute. Exits 1 with a sentence where something does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.deploy import image, linters
from tests.deploy.files import ROOT
from tests.deploy.linters import Failed
from tests.deploy.services import cluster, single


def main() -> int:
    parser = argparse.ArgumentParser(prog="make deploy-check", description="See the module.")
    parser.add_argument("--no-lint", action="store_true", help="run things only")
    chosen = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jobcast-deploy-")))
        folder.chmod(0o755)
        try:
            venv = image.build(folder)
            say(f"built: {image.size(venv) / 1e6:.0f} MB of virtual environment")
            if not chosen.no_lint:
                tools = image.environment(folder / "linters", ROOT / "requirements" / "deploy.txt")
                for line in linters.lint(folder / "units", tools, venv / "bin" / "jobcast"):
                    say(line)
            for part in (cluster, single):
                for line in asyncio.run(part(folder, venv)):
                    say(line)
        except Failed as fault:
            say(f"FAILED: {fault}")
            return 1
    say(f"all holds, in {time.monotonic() - began:.0f} s")
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
