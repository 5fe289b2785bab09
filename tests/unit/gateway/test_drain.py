"""A drain on a clock that jumps to the next timer as soon as nothing is left to do."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest

from jobcast.gateway.drain import A_SECOND, ANSWERS_WITHIN, RECONNECT_MS, Drainer
from jobcast.wire.close import CloseCode

WINDOW = 10.0
GRAIN = 0.05
"""How much later than planned something may be: the drain looks at its clock at intervals."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """Waits for nothing: its time goes on instead."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = selectors.DefaultSelector()
        super().__init__(selector)
        look = selector.select

        def select(timeout: float | None = None) -> Any:
            self.now += timeout or 0.0
            return look(0)

        selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self.now


class Client:
    """A connection that notes when it was told and closed."""

    def __init__(self, number: int, *, answered_at: float = 0.0) -> None:
        self.id = f"{number:06}"
        self.told: list[tuple[float, int]] = []
        self.closed: list[tuple[float, CloseCode]] = []
        self._answered_at = answered_at

    @property
    def busy(self) -> bool:
        return _now() < self._answered_at

    def drain(self, *, reconnect_in_ms: int) -> None:
        self.told.append((_now(), reconnect_in_ms))

    def close(self, code: CloseCode) -> None:
        self.closed.append((_now(), code))


def _now() -> float:
    return asyncio.get_running_loop().time()


def crowd(count: int) -> list[Client]:
    return [Client(number) for number in range(count)]


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story)


def drain(clients: list[Client], *, window: float = WINDOW, until: float = 60.0) -> None:
    async def story() -> None:
        Drainer(clients, window=window).start()
        await asyncio.sleep(until)

    run(story())


def test_everyone_is_told_and_then_closed_once() -> None:
    clients = crowd(40)
    drain(clients)
    shortest, longest = RECONNECT_MS
    for client in clients:
        [(told, asked)] = client.told
        [(closed, code)] = client.closed
        assert code is CloseCode.DRAINING
        assert told <= closed <= told + GRAIN
        assert shortest <= asked <= longest


def test_clients_are_asked_to_come_back_at_different_times() -> None:
    clients = crowd(40)
    drain(clients)
    asked = {client.told[0][1] for client in clients}
    assert len(asked) > 20


def test_closes_are_spread_so_that_others_see_so_many_a_second() -> None:
    clients = crowd(A_SECOND * 4)
    drain(clients)
    for second in range(4):
        begun = [c for c in clients if second <= c.told[0][0] < second + 1]
        assert A_SECOND * 0.8 < len(begun) < A_SECOND * 1.2


def test_many_are_closed_within_the_window_however_many_they_are() -> None:
    clients = crowd(int(A_SECOND * WINDOW * 3))
    drain(clients)
    closed = [client.closed[0][0] for client in clients]
    assert WINDOW * 0.9 < max(closed) < WINDOW + GRAIN


def test_a_few_do_not_take_the_whole_window() -> None:
    clients = crowd(5)
    drain(clients, until=5 / A_SECOND + 2 * GRAIN)
    assert all(client.closed for client in clients)


def test_the_order_is_nobodys_choice() -> None:
    def order(number: int) -> list[str]:
        clients = crowd(50)
        draws = iter(range(number, number + 50))

        async def story() -> None:
            Drainer(
                clients,
                window=WINDOW,
                uniform=lambda low, high: (next(draws, 0) * 37 % 50) / 50 * (high - low) + low,
            ).start()
            await asyncio.sleep(60)

        run(story())
        return [client.id for client in sorted(clients, key=lambda client: client.told)]

    assert order(0) != order(1)
    assert sorted(order(0)) == sorted(order(1))


def test_a_client_that_waits_for_an_answer_gets_it_before_the_close() -> None:
    asking = Client(1, answered_at=0.5)
    drain([asking])
    assert 0.5 <= asking.closed[0][0] <= 0.5 + GRAIN


def test_no_answer_is_waited_for_long() -> None:
    asking, other = Client(1, answered_at=30.0), Client(2)
    drain([asking, other])
    [(told, _)] = asking.told
    assert ANSWERS_WITHIN <= asking.closed[0][0] - told <= ANSWERS_WITHIN + GRAIN
    assert other.closed[0][0] <= other.told[0][0] + GRAIN  # it waits for nobody else's


@pytest.mark.parametrize("window", [0.0, WINDOW])
def test_to_start_twice_changes_nothing(window: float) -> None:
    clients = crowd(10)

    async def story() -> None:
        drainer = Drainer(clients, window=window)
        states = [drainer.started]
        drainer.start()
        drainer.start()
        assert [*states, drainer.started] == [False, True]
        await asyncio.sleep(60)

    run(story())
    assert all(len(client.told) == len(client.closed) == 1 for client in clients)
