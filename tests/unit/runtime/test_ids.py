"""Ids: the order of ids is the order in which they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from jobcast.runtime.ids import new_id


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
