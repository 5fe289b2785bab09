"""Following a topic over the WebSocket: everything once, in order, over any number of connections.

connect ─▶ connected ─▶ command with what is known ─▶ answer ─▶ frames ─▶ over, if it has an end
   ▲                                                             │ closed or lost
   └──────────────── pause, unless the code says stay away ◀─────┘
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol, TypeVar

from jobcast.client.address import Address
from jobcast.client.backoff import Pauses
from jobcast.client.connection import Connection, Lost
from jobcast.client.errors import Unauthorized, Unreachable
from jobcast.client.transport import Transport

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Topic(Protocol[T_co]):
    """What is followed: it knows how far the caller has seen, and asks for what comes after."""

    answer: str
    """The type of the frame that answers `command`."""

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        ...

    def command(self) -> dict[str, Any]:
        """What asks for everything that the caller has not seen yet."""
        ...

    def opened(self, answer: dict[str, Any]) -> T_co | None:
        """Takes the answer to the command; what the caller should see of it."""
        ...

    def take(self, frame: dict[str, Any]) -> T_co | None:
        """Takes a frame; what the caller should see. Raises Lost where it has to ask anew."""
        ...


async def follow(
    topic: Topic[T], *, address: Address, transport: Transport, pauses: Pauses
) -> AsyncGenerator[T, None]:
    """What the topic has for the caller, through lost connections, until it is over.

    Raises Unreachable when no connection came about for the whole budget of `pauses`, Unauthorized
    and NotFound as the server says, and Disconnected when it does not want this client back.
    """
    while not topic.over:
        token = transport.access_token
        try:
            async with Connection(address, transport) as connection:
                found = topic.opened(await connection.ask(topic.command(), answer=topic.answer))
                pauses.reached()
                if found is not None:
                    yield found
                while not topic.over:
                    found = topic.take(await connection.receive())
                    if found is not None:
                        pauses.progressed()
                        yield found
        except Unauthorized:
            if not await transport.refresh(token) or not await pauses.wait():
                raise
        except Lost as lost:
            if not await pauses.wait(at_least=lost.at_least):
                raise Unreachable(
                    f"Lost the connection to {address.root} and could not come back: {lost}."
                ) from lost
