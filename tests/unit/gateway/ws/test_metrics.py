"""What Prometheus reads of the sockets, on a whole house."""

from tests.support.talk import member
from tests.support.whole_house import House, eventually
from tests.unit.gateway.ws.conftest import Open

GAUGES = ("connections", "subscriptions", "topics")


async def told(house: House) -> dict[str, float]:
    """Every number by its name, as a scrape gets it."""
    lines = (await house("GET", "/metrics")).text.splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


async def test_sockets_subscriptions_and_topics_are_counted_while_they_live(live: House) -> None:
    job = await live.waiting()
    async with (
        member(live.address, live.key.headers) as one,
        member(live.address, live.key.headers) as two,
    ):
        await one.ask("subscribe", jobId=job["id"])
        await two.ask("subscribe", jobId=job["id"])
        await two.ask("subscribe", tenantId="acme")
        seen = await told(live)
        assert [seen[f"jobcast_ws_{name}"] for name in GAUGES] == [2, 3, 2]
    await eventually(lambda: not live.hub.watches)
    seen = await told(live)
    assert [seen[f"jobcast_ws_{name}"] for name in GAUGES] == [0, 0, 0]


async def test_messages_frames_and_bytes_are_counted(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        before = await told(live)
        for _ in range(3):
            await client.ask("ping")
        after = await told(live)
    grown = {
        name: after[f"jobcast_ws_{name}_total"] - before[f"jobcast_ws_{name}_total"]
        for name in ("received", "frames", "bytes", "dropped", "slow_closes")
    }
    size = sum(len(frame) for frame in ('{"type":"pong","id":2}',) * 3) + 3 * 2
    assert grown == {"received": 3, "frames": 3, "bytes": size, "dropped": 0, "slow_closes": 0}


async def test_what_a_slow_reader_never_got_is_counted(open_house: Open) -> None:
    async with (
        open_house(ws_pending_bytes=100_000) as live,
        member(live.address, live.key.headers) as client,
    ):
        [connection] = live.home.connections
        for _ in range(5):
            connection.deliver([b'"%b"' % (b"x" * 50_000)])
        seen = await told(live)
        assert seen["jobcast_ws_slow_closes_total"] == 1
        assert seen["jobcast_ws_dropped_total"] == 2
        assert (await client.closed())[0] == 3008


async def test_a_drain_shows(live: House) -> None:
    assert (await told(live))["jobcast_draining"] == 0
    live.gateway.readiness.drain()
    assert (await told(live))["jobcast_draining"] == 1
