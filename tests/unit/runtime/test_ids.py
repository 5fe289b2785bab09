"""Ids: the order of ids is the order in which they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from jobcast.runtime.ids import first_id, new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    text = new_id()
    assert UUID(text).version == 7
    assert text == str(UUID(text))


def test_each_id_is_greater_than_every_earlier_one() -> None:
    ids = [new_id() for _ in range(100_000)]
    assert ids == sorted(set(ids))


def test_ids_of_several_threads_are_all_different_and_rise_in_each() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: [new_id() for _ in range(5_000)], range(4)))
    for ids in made:
        assert ids == sorted(ids)
    assert len({job_id for ids in made for job_id in ids}) == 20_000


def test_the_first_id_of_a_moment_stands_before_all_that_are_made_from_it_on() -> None:
    earlier = new_id()
    at = (UUID(earlier).int >> 80) + 1
    assert earlier < first_id(at)
    while (later := new_id()) and UUID(later).int >> 80 < at:
        continue
    assert first_id(at) < later
    assert str(UUID(first_id(0))) == first_id(0)
