"""Schemathesis over the whole OpenAPI document, every check on, against real servers.

Both sets of drivers: `jobcast dev` on SQLite, and a gateway and a worker in production's dress on
PostgreSQL and Redis. On each once with a service key and once as the owner of a tenant.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.server import DevServer
from tests.support.cluster import Cluster, Member
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
NO_LIMITS: Final = {
    "JOBCAST_RATE_LIMIT": "100000000",
    "JOBCAST_KEY_RATE_LIMIT": "100000000",
    "JOBCAST_READ_RATE_LIMIT": "100000000",
    "JOBCAST_PUBLISH_RATE_LIMIT": "100000000",
    "JWT_ACCESS_EXPIRES_IN": "1d",
}
PERSON: Final = {"email": "fuzz@example.com", "password": "correct horse battery"}

Say = Callable[[str], None]


class Target:
    """A server, who asks it, and what it says of bugs of its own."""

    def __init__(self, url: str, key: str, faults: Callable[[], list[str]]) -> None:
        self.url = url
        self.key = key
        self.faults = faults

    def callers(self) -> Mapping[str, str]:
        """A header for each kind of credentials."""
        return {"service key": f"X-API-Key: {self.key}", "owner": f"Authorization: {self._owner()}"}

    def _owner(self) -> str:
        tenant = self._post("/api/tenants", {})["id"]
        invite = self._post(f"/api/tenants/{tenant}/invites", {"owner": True})["invite"]
        self._post("/api/auth/register", {**PERSON, "invite": invite})
        return f"Bearer {self._post('/api/auth/login', PERSON)['accessToken']}"

    def _post(self, path: str, body: Any) -> Any:
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]


@contextmanager
def sqlite(folder: Path) -> Iterator[Target]:
    """`jobcast dev`: SQLite and the bus in the process."""
    server = DevServer(folder, **NO_LIMITS)
    try:
        server.start()
        yield Target(server.url, server.key, server.faults)
    finally:
        server.close()


@contextmanager
def postgres(folder: Path) -> Iterator[Target]:
    """A gateway and a worker on PostgreSQL and Redis, as production starts them."""
    with ExitStack() as stack:
        database = PostgresServer().start()
        stack.callback(database.stop)
        redis = RedisServer().start()
        stack.callback(redis.stop)
        cluster = Cluster(
            folder,
            database_url=database.create_database(),
            redis_url=redis.url,
            JOBCAST_ENV="production",
            JWT_SECRET=secrets.token_hex(32),
            WEBHOOK_SECRET=secrets.token_hex(32),
            **NO_LIMITS,
        )
        stack.callback(cluster.close)
        key = cluster.prepare()
        gateway, _ = cluster.gateway(), cluster.worker()
        cluster.start()
        yield Target(gateway.url, key, lambda: _faults(cluster.members))


def attack(target: Target, caller: str, *, examples: int, seed: int, say: Say) -> bool:
    """Runs it as one caller; whether nothing was found. What is found is said."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
        *(f"{target.url}/openapi.json", "--header", caller, "--checks", "all", "--no-color"),
        *("--max-examples", str(examples), "--seed", str(seed)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    faults = target.faults()
    if done.returncode != 0 or faults:
        say("\n".join([done.stdout, done.stderr, *faults]))
        return False
    say("\n".join(line for line in done.stdout.splitlines() if "generated" in line))
    return True


def _faults(members: list[Member]) -> list[str]:
    marks = ('"level":"error"', '"level": "error"', "Traceback", "level='error'")
    return [
        line
        for member in members
        for line in member.log.read_text().splitlines()
        if any(mark in line for mark in marks) and "handler raised" not in line
    ]
