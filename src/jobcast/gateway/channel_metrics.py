"""What Prometheus reads of channels, presence and the bus: plain numbers, read when it asks."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from jobcast.bus.base import Bus
from jobcast.gateway.hub import Hub
from jobcast.gateway.rooms import Rooms
from jobcast.services.channels import Channels


class ChannelMetrics(Collector):
    """The numbers of one gateway."""

    def __init__(self, *, hub: Hub, rooms: Rooms, channels: Channels, bus: Bus) -> None:
        self._hub = hub
        self._rooms = rooms
        self._channels = channels
        self._bus = bus

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "jobcast_channel_messages",
            "Messages that clients published here.",
            self._channels.published,
        )
        yield CounterMetricFamily(
            "jobcast_channel_deliveries",
            "Messages handed to connections here.",
            self._rooms.delivered,
        )
        yield GaugeMetricFamily(
            "jobcast_channels", "Channels that somebody is in here.", self._rooms.topics
        )
        yield GaugeMetricFamily(
            "jobcast_channel_members",
            "Connections in channels, each for every channel it is in.",
            self._rooms.watches,
        )
        yield GaugeMetricFamily(
            "jobcast_presence_counted",
            "Connections counted as present here, those held back in a drain included.",
            self._rooms.present,
        )
        yield CounterMetricFamily(
            "jobcast_presence_restated",
            "Channels whose presence had been lost and was stated anew.",
            self._rooms.restated,
        )
        repairs = CounterMetricFamily(
            "jobcast_repair_deliveries",
            "What the bus had dropped, read from the store or the history.",
            labels=("kind",),
        )
        repairs.add_metric(["event"], self._hub.repaired)
        repairs.add_metric(["message"], self._rooms.repaired)
        yield repairs
        lag = GaugeMetricFamily(
            "jobcast_bus_lag_seconds", "How long the newest canary took over the bus."
        )
        if self._bus.lag is not None:
            lag.add_metric([], self._bus.lag)
        yield lag
        yield GaugeMetricFamily(
            "jobcast_bus_degraded",
            "1 while the bus is away or deaf.",
            0 if self._bus.degraded is None else 1,
        )
