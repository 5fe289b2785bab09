from jobcast.bus.redis.canary import Canary


def test_nothing_is_known_before_the_first_has_come() -> None:
    canary = Canary()
    canary.begin(10)
    canary.sang(10)
    assert canary.lag(12) is None
    assert canary.silence(12) == 2


def test_the_lag_is_that_of_the_newest() -> None:
    canary = Canary()
    canary.begin(0)
    for sung, heard in ((1, 1.25), (3, 3.5)):
        canary.sang(sung)
        canary.heard(heard)
    assert canary.lag(4) == 0.5
    assert canary.silence(4) == 0.5


def test_one_that_is_late_counts_before_it_comes() -> None:
    canary = Canary()
    canary.begin(0)
    canary.sang(1)
    canary.heard(1.5)
    canary.sang(3)
    assert canary.lag(3.25) == 0.5
    assert canary.lag(5) == 2
    canary.sang(5)  # the next one is sent, and the first is still awaited
    assert canary.lag(6) == 3
    canary.heard(7)
    assert canary.lag(7) == 4
    canary.heard(7)
    assert canary.lag(9) == 2


def test_a_new_connection_awaits_nothing_of_the_old() -> None:
    canary = Canary()
    canary.begin(0)
    canary.sang(1)
    canary.heard(1.5)
    canary.sang(3)
    canary.begin(100)
    assert canary.lag(100) == 0.5
    assert canary.silence(100) == 0
