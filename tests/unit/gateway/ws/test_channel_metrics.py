"""What Prometheus reads of channels, on a whole house."""

from tests.support.talk import member
from tests.support.whole_house import House, eventually


def metric(house: House, name: str, labels: str = "") -> float:
    """The value of one line."""
    text = house.gateway.metrics.render().decode()
    [line] = [found for found in text.splitlines() if found.startswith(f"{name}{labels} ")]
    return float(line.rpartition(" ")[2])


async def test_channels_presence_and_the_bus_are_counted(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="chat")
        await client.ask("publish", channel="chat", data=1)
        assert metric(live, "jobcast_channel_messages_total") == 1
        assert metric(live, "jobcast_channel_deliveries_total") >= 1
        assert metric(live, "jobcast_channels") == 1
        assert metric(live, "jobcast_channel_members") == 1
        assert metric(live, "jobcast_presence_counted") == 1
        assert metric(live, "jobcast_bus_lag_seconds") == 0
        assert metric(live, "jobcast_bus_degraded") == 0
        for kind in ("event", "message"):
            assert metric(live, "jobcast_repair_deliveries_total", f'{{kind="{kind}"}}') == 0
    await eventually(lambda: metric(live, "jobcast_channel_members") == 0)
    assert metric(live, "jobcast_channel_deliveries_total") >= 1
