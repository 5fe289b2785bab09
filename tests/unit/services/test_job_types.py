"""What gateways know of types: soon, and never from before the first look."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field
from tests.support.house import House

from jobcast.app import App
from jobcast.domain.errors import InvalidRequest, UnknownJobType
from jobcast.services.job_types import PLAIN, STALE_AFTER, JobTypes
from jobcast.services.payload_faults import MOST
from jobcast.services.payload_schema import LARGE
from jobcast.store.base import TypeInfo


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App()).open()
    yield made
    await made.__aexit__()


def info(type: str, schema: object = None) -> TypeInfo:
    text = None if schema is None else json.dumps(schema)
    return TypeInfo(type, "default", 3, 60_000, None, text)


async def register(house: House, *types: TypeInfo) -> None:
    await house.store.register_types("s", types)


class TestKnowing:
    async def test_without_workers_every_type_has_the_defaults(self, house: House) -> None:
        assert await house.types.resolve("anything") == PLAIN

    async def test_with_workers_an_unknown_type_is_refused(self, house: House) -> None:
        await register(house, info("work"))
        with pytest.raises(UnknownJobType, match="Unknown job type: other"):
            await house.types.resolve("other")

    async def test_the_star_takes_the_others(self, house: House) -> None:
        await register(house, info("work"), info("*"))
        assert (await house.types.resolve("other")).type == "*"
        assert (await house.types.resolve("work")).type == "work"
        assert [each.type for each in await house.types.all()] == ["*", "work"]

    async def test_a_hint_makes_new_types_known_at_once(self, house: House) -> None:
        assert await house.types.resolve("work") == PLAIN
        await register(house, info("work"))
        house.types.forget()
        assert (await house.types.resolve("work")).type == "work"

    async def test_without_one_they_are_known_within_two_seconds(self, house: House) -> None:
        assert await house.types.resolve("work") == PLAIN
        await register(house, info("work"))
        house.fake.advance(STALE_AFTER)
        assert await house.types.resolve("work") == PLAIN
        house.fake.advance(0.01)
        assert (await house.types.resolve("work")).type == "work"

    async def test_a_worker_tells_the_gateway(self, house: House) -> None:
        app = App()

        @app.job("thumbnail", queue="media", max_attempts=5, timeout=7)
        async def thumbnail(ctx: object, payload: dict[str, Any]) -> None: ...

        await house.types.all()
        async with house.hire(app):
            known = await house.types.resolve("thumbnail")
        assert (known.queue, known.max_attempts, known.timeout_ms) == ("media", 5, 7000)


class SlowStore:
    """Reads when it is let; counts the reads."""

    def __init__(self, house: House) -> None:
        self.go = asyncio.Event()
        self.reads = 0
        self.types = JobTypes(self, house.clock)  # type: ignore[arg-type]
        self._store = house.store

    async def read(self, query: Any) -> Any:
        self.reads += 1
        found = await self._store.read(query)
        await self.go.wait()
        if self.reads == 1 and getattr(self, "fails", False):
            raise OSError
        return found


class TestReading:
    async def test_nobody_judges_by_what_was_known_before_the_first_look(
        self, house: House
    ) -> None:
        await register(house, info("work"))
        slow = SlowStore(house)
        asked = [asyncio.create_task(slow.types.resolve("other")) for _ in range(5)]
        await asyncio.sleep(0)
        slow.go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [UnknownJobType] * 5
        assert slow.reads == 1, "one look for all"

    async def test_what_is_registered_during_a_look_is_seen_by_the_next(self, house: House) -> None:
        slow = SlowStore(house)
        early = asyncio.create_task(slow.types.all())
        await house.store.read(lambda conn: None)
        await house.store.read(lambda conn: None)
        while slow.reads == 0:
            await house.store.read(lambda conn: None)
        await register(house, info("work"))
        slow.types.forget()
        slow.go.set()
        await early
        assert [each.type for each in await slow.types.all()] == ["work"]

    async def test_a_look_that_fails_is_not_taken_for_one(self, house: House) -> None:
        await register(house, info("work"))
        slow = SlowStore(house)
        slow.fails = True  # type: ignore[attr-defined]
        slow.go.set()
        with pytest.raises(OSError):
            await slow.types.all()
        with pytest.raises(UnknownJobType):
            await slow.types.resolve("other")


class Picture(BaseModel):
    url: str
    width: int = Field(gt=0)
    scale: float = 1.0
    tags: list[str] = []


class TestChecking:
    def check(self, house: House, payload: str) -> dict[str, Any]:
        try:
            house.types.check(info("work", Picture.model_json_schema()), payload)
        except InvalidRequest as problem:
            return dict(problem.fields or {})
        return {}

    async def test_takes_what_fits(self, house: House) -> None:
        assert self.check(house, '{"url":"u","width":3,"more":true}') == {}

    async def test_names_each_field_that_does_not(self, house: House) -> None:
        faults = self.check(house, '{"width":0,"tags":["a",1]}')
        assert faults == {
            "payload.url": ["Required"],
            "payload.width": ["0 is less than or equal to the minimum of 0"],
            "payload.tags.1": ['1 is not of type "string"'],
        }

    async def test_of_many_faults_some_are_told(self, house: House) -> None:
        faults = self.check(house, '{"url":"u","width":1,"tags":[' + "1," * 1000 + "1]}")
        assert len(faults) == MOST

    async def test_of_a_large_payload_the_first_fault_is_told(self, house: House) -> None:
        faults = self.check(house, '{"url":"u","width":1,"tags":[' + "1," * LARGE + "1]}")
        assert faults == {"payload.tags.0": ['1 is not of type "string"']}

    @pytest.mark.parametrize("number", ["1e200000", "-1e200000", "9" * 5000, "-" + "9" * 5000])
    async def test_takes_numbers_of_any_size_for_numbers(self, house: House, number: str) -> None:
        assert self.check(house, f'{{"url":"u","width":1,"scale":{number}}}') == {}
        faults = self.check(house, f'{{"url":{number},"width":1}}')
        assert set(faults) == {"payload.url"}

    async def test_takes_lone_surrogates_for_characters(self, house: House) -> None:
        assert self.check(house, '{"url":"\\ud800","width":1,"\\udfff":1}') == {}
        assert set(self.check(house, '{"url":"u","width":"\\ud800"}')) == {"payload.width"}

    async def test_takes_any_object_where_there_is_no_schema(self, house: House) -> None:
        house.types.check(info("work"), "not even looked at")

    async def test_goes_by_a_schema_that_was_registered_anew(self, house: House) -> None:
        strict = info("work", {"type": "object", "required": ["a"]})
        with pytest.raises(InvalidRequest):
            house.types.check(strict, "{}")
        house.types.check(info("work", {"type": "object"}), "{}")
