"""Remembered jobs in Redis: entries that a newer seq makes void, for one run of the server.

The names of the entries carry the server's run id, learned anew with every connection: what a
restarted server has read back from its disk is older than the floors that it has lost, so nobody
asks for it.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

FLOOR_SECONDS: Final = 60
"""How long a floor stands, and so how long whoever asked has to fill an entry in."""


class Remembered:
    """What redis-py raises goes through. Without a run id nothing is remembered."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._run: str | None = None
        self._recall, self._remember, self._raise = map(_script, ("recall", "remember", "raise"))

    async def connected(self, connection: Any) -> None:
        """Greets a new connection, and learns which run of the server it leads to."""
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        try:
            told: bytes = await connection.read_response()
        except ResponseError:  # it may be forbidden
            self._run = None
            return
        lines = dict(line.partition(b":")[::2] for line in told.splitlines())
        self._run = lines.get(b"run_id", b"").decode() or None

    async def recall(self, client: Redis, job_id: str) -> bytes | None:
        """The entry's body; who asks for one that isn't there will fill it in."""
        if self._run is None:
            await client.ping()
        for _ in range(2):
            run = self._run
            if run is None:
                return None
            entry: bytes | None = await client.eval(
                self._recall, 1, self._name(job_id), FLOOR_SECONDS
            )
            if run == self._run:
                return None if entry is None else entry.partition(b":")[2] or None
        return None  # it was started anew, twice

    async def remember(
        self, client: Redis, job_id: str, seq: int, body: bytes, *, seconds: int
    ) -> None:
        """Fills an entry in, unless its floor is higher by now."""
        if self._run is not None:
            await client.eval(self._remember, 1, self._name(job_id), seq, seconds, body)

    def raising(self, newest: Mapping[str, int]) -> tuple[Any, ...] | None:
        """The arguments of an `eval` that raises these floors; None where there is no run."""
        if self._run is None or not newest:
            return None
        names = [self._name(job_id) for job_id in newest]
        return (self._raise, len(names), *names, FLOOR_SECONDS, *newest.values())

    @property
    def run(self) -> str | None:
        """Which run of the server the newest connection leads to."""
        return self._run

    def _name(self, job_id: str) -> str:
        return f"{self._prefix}seen:{self._run}:{job_id}"


def _script(name: str) -> str:
    return files("jobcast.bus.redis").joinpath(f"{name}.lua").read_text("utf-8")
