"""A connection over a transport that the test holds in its hands."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.whole_house import House, eventually

from jobcast.gateway.ws import connection
from jobcast.gateway.ws.connection import Connection
from jobcast.gateway.ws.handshake import session_limits
from jobcast.wire.actions import Credentials
from jobcast.wire.close import CloseCode


class Line:
    """A transport whose peer reads when the test says so."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.waiting = 0
        self.reads = True
        self.pings = 0
        self.closing: tuple[int, str, bool] | None = None
        self._drained = asyncio.Event()

    def send(self, frames: Sequence[bytes]) -> None:
        assert self.closing is None
        self.frames += map(json.loads, frames)
        if not self.reads:
            self.waiting += sum(map(len, frames))

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        assert self.closing is None
        self.closing = (code, reason, drop)

    async def drained(self) -> None:
        if self.waiting:
            await self._drained.wait()

    def read(self) -> None:
        """The peer takes all that waits."""
        self.waiting = 0
        self._drained.set()

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class Desk:
    """A connection and its line."""

    def __init__(self, house: House, **changes: Any) -> None:
        self.line = Line()
        given = house.settings.model_copy(update=changes)
        self.connection = Connection(
            replace(house.gateway, settings=given),
            self.line,
            limits=session_limits(given),
            pings=True,
        )

    async def greeted(self, house: House) -> None:
        """Comes in with the key of `acme`."""
        self.connection.opened(Credentials("key", house.key.text), at_once=True)
        await eventually(lambda: self.line.types == ["connected"])

    async def say(self, type: str, **fields: Any) -> dict[str, Any]:
        """Sends a command; its answer."""
        self.connection.text(json.dumps({"type": type, "id": "q", **fields}))
        before = len(self.line.frames)
        await eventually(
            lambda: any(frame.get("id") == "q" for frame in self.line.frames[before - 1 :])
        )
        return next(frame for frame in self.line.frames[before - 1 :] if frame.get("id") == "q")


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Desk]:
    made = Desk(house)
    await made.greeted(house)
    yield made
    await made.connection.lost()


@pytest.fixture
async def small(house: House) -> AsyncIterator[Desk]:
    """A desk of which little may wait."""
    made = Desk(house, ws_pending_bytes=1_000)
    await made.greeted(house)
    yield made
    await made.connection.lost()


async def test_it_acts_for_whoever_the_credentials_stand_for(desk: Desk) -> None:
    assert desk.connection.principal is not None
    assert desk.connection.principal.tenant_id == "acme"


async def test_a_peer_that_pings_and_never_reads_is_closed(small: Desk) -> None:
    small.line.reads = False

    for _ in range(200):
        small.connection.text('{"type":"ping"}')

    assert small.line.closing == (3008, "Reads too slowly; reconnect and resume", True)
    assert small.line.waiting < 1_100


async def test_one_hand_of_frames_is_never_too_much(small: Desk) -> None:
    small.line.reads = False

    small.connection.deliver([b'{"type":"job:output","data":"%b"}' % (b"x" * 5_000)])
    assert [small.line.closing] == [None]
    small.connection.deliver([b'{"type":"job:output"}'])

    assert small.line.closing is not None
    assert small.line.closing[0] == 3008
    small.connection.deliver([b'{"type":"job:output"}'])  # too late, and harmless


async def test_the_past_waits_for_a_peer_that_reads_slowly(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.gateway.hub.PAGE", 10)
    monkeypatch.setattr(connection, "ROOM_BYTES", 100)
    job = await house.done("speak", {"pieces": 95})
    desk.line.reads = False

    await desk.say("subscribe", jobId=job["id"], after=0)
    assert len(desk.line.frames) == 2 + 10
    assert (await desk.say("ping"))["type"] == "pong"
    desk.line.reads = True
    desk.line.read()
    await eventually(lambda: desk.line.types[-1] == "job:done")

    seqs = [frame["seq"] for frame in desk.line.frames if "seq" in frame and "jobType" in frame]
    assert seqs == list(range(1, job["seq"] + 1))
    assert desk.line.closing is None


async def test_a_fault_of_ours_shows_nothing_of_itself(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(house.gateway.jobs, "cancel", broken)

    answer = await desk.say("cancel", jobId="x")

    assert (answer["type"], answer["message"]) == ("error", "Internal server error")
    assert "hunter2" not in json.dumps(answer)
    assert (await desk.say("ping"))["type"] == "pong"


async def test_credentials_that_cannot_be_checked_ask_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(**_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(house.gateway.accounts, "authenticate", away)
    desk = Desk(house)
    desk.connection.opened(Credentials("key", "x"), at_once=True)

    await eventually(lambda: desk.line.closing is not None)

    assert desk.line.closing is not None
    assert desk.line.closing[0] == CloseCode.UNAVAILABLE
    await desk.connection.lost()


async def test_commands_are_carried_out_in_their_order(house: House, desk: Desk) -> None:
    job = await house.waiting()
    for id, command in enumerate(["subscribe", "unsubscribe"] * 10):
        desk.connection.text(json.dumps({"type": command, "id": id, "jobId": job["id"]}))

    await eventually(lambda: len(desk.line.frames) == 21)

    assert [frame.get("id") for frame in desk.line.frames[1:]] == list(range(20))
    assert desk.line.types[1:] == ["subscribed", "unsubscribed"] * 10
    assert house.hub.watches == 0


async def test_too_many_commands_at_once_are_refused_and_the_shell_stops_reading(
    house: House, desk: Desk
) -> None:
    job = await house.waiting()
    for _ in range(40):
        desk.connection.text(json.dumps({"type": "cancel", "jobId": job["id"]}))
    assert desk.connection.crowded
    for _ in range(40):
        desk.connection.text(json.dumps({"type": "cancel", "jobId": job["id"]}))

    await eventually(lambda: not desk.connection.crowded and len(desk.line.frames) == 81)
    codes = [frame.get("code") for frame in desk.line.frames]
    assert codes.count("TOO_MANY_PENDING") == 16


async def test_what_a_lost_connection_was_doing_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.waiting()
    for wait in range(12):
        desk = Desk(house)
        desk.connection.opened(Credentials("key", house.key.text), at_once=True)
        for command in ("subscribe", "cancel", "submit"):
            fields = {"job": {"type": "work", "delayMs": 60_000}} if command == "submit" else {}
            jobs = {} if fields else {"jobId": job["id"]}
            desk.connection.text(json.dumps({"type": command, **fields, **jobs}))
        desk.connection.text('{"type":"subscribe","tenantId":"acme"}')
        for _ in range(wait):
            await house.store.read(lambda conn: None)

        await desk.connection.lost()

        assert house.hub.watches == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ws ")]


async def test_a_silent_peer_is_pinged_and_then_given_up(house: House, desk: Desk) -> None:
    now = house.gateway.clock.monotonic()
    desk.connection._now = lambda: now + 26
    desk.connection.tick()
    assert desk.line.pings == 1
    desk.connection.pong()
    desk.connection._now = lambda: now + 37
    desk.connection.tick()
    assert [desk.line.closing] == [None]
    desk.connection._now = lambda: now + 52
    desk.connection.tick()
    desk.connection._now = lambda: now + 63
    desk.connection.tick()

    assert desk.line.closing == (3007, "Heartbeat missed", False)
    assert desk.connection.next_deadline == float("inf")
