"""What this gateway counts, for Prometheus: on a registry of its own, without tenant labels."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from jobcast.services.refusals import REFUSED

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class _Refusals(Collector):
    """What quotas have refused in this process."""

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "jobcast_quota_refusals", "What was refused as too much, by quota.", labels=["quota"]
        )
        for quota, count in REFUSED.items():
            family.add_metric([quota], count)
        yield family


@dataclass(slots=True)
class SocketCounts:
    """What the sockets count themselves, as often as they send: plain numbers cost least."""

    received: int = 0
    frames: int = 0
    bytes: int = 0
    dropped: int = 0


class _Sockets(Collector):
    """The counts of the sockets as Prometheus reads them."""

    def __init__(self, counts: SocketCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        counts = self._counts
        for name, text, value in (
            ("received", "Messages received on WebSockets.", counts.received),
            ("frames", "Frames sent on WebSockets.", counts.frames),
            ("bytes", "Bytes sent on WebSockets.", counts.bytes),
            ("dropped", "Frames that were never sent: their socket closed.", counts.dropped),
        ):
            yield CounterMetricFamily(f"jobcast_ws_{name}", text, value)


class Metrics:
    """The registry and what HTTP puts in it; others register theirs beside."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry(auto_describe=True)
        self.refreshes: list[Callable[[], Awaitable[None]]] = []
        """What is awaited before the registry is read for Prometheus."""

        self._requests = Counter(
            "jobcast_http_requests",
            "Answers given, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "jobcast_http_request_seconds",
            "Seconds from a request to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )

        self.registry.register(_Refusals())
        self.sockets: Final = SocketCounts()
        self.registry.register(_Sockets(self.sockets))
        self.slow_closes: Final = Counter(
            "jobcast_ws_slow_closes",
            "Connections closed because they read too slowly.",
            registry=self.registry,
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answer. `route` is the template of its path, so that labels stay few."""
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def measure(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    async def scrape(self) -> bytes:
        """As `render`, brought up to date."""
        for refresh in self.refreshes:
            await refresh()
        return self.render()

    def render(self) -> bytes:
        """All of the registry as Prometheus reads it."""
        return generate_latest(self.registry)
