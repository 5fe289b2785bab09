"""Runs an example with a Jobcast of its own, until it ends or Ctrl-C.

python examples/run.py NAME [ITS ARGUMENTS…]

By default that is `jobcast dev` on SQLite in a temporary folder. With DATABASE_URL and REDIS_URL it
is two gateways and two workers on those. Nothing here is special: you can run the same commands.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
JOBCAST = [sys.executable, "-m", "jobcast.cli"]


def main() -> int:
    names = sorted(path.parent.name for path in HERE.glob("*/main.py"))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"Which example? python examples/run.py {' | '.join(names)}", file=sys.stderr)
        return 2
    folder = HERE / sys.argv[1]
    app = ["jobs:app"] if (folder / "jobs.py").exists() else []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        data = stack.enter_context(TemporaryDirectory(prefix="jobcast-example-"))
        given = {"JOBCAST_GUESTS": "true", "WEBHOOK_SECRET": secrets.token_hex(32), **os.environ}
        given |= {"JOBCAST_DATA_DIR": data}
        if "DATABASE_URL" in given:
            urls, key = cluster(app, folder, given, stack)
        else:
            [server] = servers([["dev", *app, "--port", "0"]], folder, given, stack)
            urls, key = [server["url"]], server["apiKey"]
        print(f"Dashboard: {urls[0]}/#key={key}", flush=True)
        given |= {"JOBCAST_URL": urls[0], "JOBCAST_API_KEY": key, "GATEWAYS": ",".join(urls)}
        program = [sys.executable, str(folder / "main.py"), *sys.argv[2:]]
        return stack.enter_context(process(program, env=given)).wait()


def cluster(
    app: list[str], folder: Path, given: dict[str, str], stack: ExitStack
) -> tuple[list[str], str]:
    """Two gateways and two workers: the gateways' addresses, and a key."""
    gateways = servers(2 * [["serve", "--migrate", "--port", "0"]], folder, given, stack)
    create = [*JOBCAST, "keys", "create", "--service", "--direct", "--json"]
    key = json.loads(subprocess.check_output(create, env=given, cwd=folder))["key"]
    servers(2 * [["worker", *app]] if app else [], folder, given, stack)
    return [gateway["url"] for gateway in gateways], key


def servers(
    commands: list[list[str]], folder: Path, given: dict[str, str], stack: ExitStack
) -> list[dict[str, str]]:
    """Starts them, and returns what each says when it is ready."""
    started = [
        stack.enter_context(
            process(
                [*JOBCAST, *words, "--json"],
                cwd=folder,
                env=given,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C ends the example first, and then these are drained
            )
        )
        for words in commands
    ]
    return [ready(server) for server in started]


def ready(server: subprocess.Popen[str]) -> dict[str, str]:
    """What a server prints when it is ready."""
    assert server.stdout is not None
    line = server.stdout.readline()
    try:
        said: dict[str, str] = json.loads(line)
    except ValueError:
        sys.exit(f"Jobcast did not start. {line}{server.stdout.read()}")
    return said


@contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the block."""
    running = subprocess.Popen(command, **options)
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
