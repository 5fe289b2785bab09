from jobcast.client.backoff import Pauses


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds

    def pauses(self, budget: float) -> Pauses:
        return Pauses(
            budget=budget,
            sleep=self.sleep,
            uniform=lambda _low, high: high,
            now=lambda: self.now,
        )


async def test_waits_double_up_to_their_cap() -> None:
    clock = Clock()
    pauses = clock.pauses(1000)
    for _ in range(8):
        assert await pauses.wait()
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


async def test_what_the_server_asked_for_is_waited_at_least() -> None:
    clock = Clock()
    assert await clock.pauses(60).wait(at_least=45)
    assert clock.slept == [45.1]


async def test_a_wait_beyond_the_budget_is_refused_without_waiting() -> None:
    clock = Clock()
    assert not await clock.pauses(30).wait(at_least=45)
    assert clock.slept == []


async def test_an_answer_renews_the_budget_and_keeps_the_waits_growing() -> None:
    clock = Clock()
    pauses = clock.pauses(0.35)
    assert await pauses.wait()
    assert await pauses.wait()
    assert not await pauses.wait()
    pauses.reached()
    assert not await pauses.wait()  # 0.4 s is more than the whole budget


async def test_progress_makes_the_next_wait_short_again() -> None:
    clock = Clock()
    pauses = clock.pauses(10)
    await pauses.wait()
    await pauses.wait()
    pauses.progressed()
    await pauses.wait()
    assert clock.slept == [0.1, 0.2, 0.1]


async def test_no_budget_means_no_second_attempt() -> None:
    assert not await Clock().pauses(0).wait()
