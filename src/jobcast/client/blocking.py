"""What the parts of the blocking client share, and its channels."""

import weakref
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self

from jobcast.client import address
from jobcast.client.channel_models import ChannelEvent, Message, Published
from jobcast.client.channels import AsyncChannel
from jobcast.client.client import RECONNECT_FOR, RETRY_FOR, AsyncClient
from jobcast.client.portal import Portal


class Blocking:
    """An `AsyncClient` on a loop in a thread of its own; `Client` is one of these."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        token: str | None = None,
        retry_for: float = RETRY_FOR,
        reconnect_for: float = RECONNECT_FOR,
    ) -> None:
        address.parse(url)  # a bad one is refused here, not at the first call

        def make() -> AsyncClient:
            return AsyncClient(
                url, key, token=token, retry_for=retry_for, reconnect_for=reconnect_for
            )

        self._portal = Portal(make, close=AsyncClient.aclose)
        weakref.finalize(self, self._portal.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; later calls, and those under way, raise ClientClosed."""
        self._portal.close()


class Channel:
    """Taking part in a channel: `with client.join("chat:1") as chat`, then iterate.

    Lost connections are taken up again where they broke. Who stops reading for long is cut off by
    the server, and resumes with the next read.
    """

    def __init__(
        self, portal: Portal[AsyncClient], name: str, join: Callable[[AsyncClient], AsyncChannel]
    ) -> None:
        self.name = name
        self._portal = portal
        self._join = join
        self._joined: AsyncChannel | None = None

    def __enter__(self) -> Self:
        async def enter(client: AsyncClient) -> AsyncChannel:
            return await self._join(client).__aenter__()

        self._joined = self._portal.run(enter)
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.run(lambda _: self._channel.__aexit__())

    @property
    def count(self) -> int:
        """Connections that take part, over all gateways, as of the newest thing read."""
        return self._channel.count

    @property
    def users(self) -> int:
        """Distinct users that take part."""
        return self._channel.users

    @property
    def offset(self) -> int:
        """Up to where everything was read; with `epoch` it is where a later `join` goes on."""
        return self._channel.offset

    @property
    def epoch(self) -> str | None:
        """The history that `offset` counts in; another one once the server has lost it."""
        return self._channel.epoch

    def publish(self, data: Any) -> Published:
        """Says `data`, any JSON, to all who take part; this channel hears it, too."""
        return self._portal.run(lambda _: self._channel.publish(data))

    def events(self) -> Generator[ChannelEvent, None, None]:
        """All that comes: messages, who is there, what can't be had any more, steps of jobs."""
        return self._portal.each(lambda _: self._channel.events())

    def __iter__(self) -> Generator[Message, None, None]:
        return self._portal.each(lambda _: self._channel.__aiter__())

    @property
    def _channel(self) -> AsyncChannel:
        if self._joined is None:
            raise RuntimeError("Enter the channel first: with client.join(…) as chat.")
        return self._joined
