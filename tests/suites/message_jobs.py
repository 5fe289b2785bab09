"""Messages that become jobs, step by step on every pair of drivers, with a crash between any two.

A test module gives a fixture `stage` and a class `Test… (MessageJobsSuite)`.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from limits.aio.storage import MemoryStorage
from sqlalchemy import Connection, select

from jobcast.bus.base import KEPT_MS, Bus, History, Post, channel_topic
from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Unavailable
from jobcast.domain.job import Fence, Job, State
from jobcast.domain.lifecycle import Errored, Succeeded
from jobcast.runtime.clock import FakeClock
from jobcast.services.announcing import Announcer
from jobcast.services.answering import Answering
from jobcast.services.channels import Channels, Said
from jobcast.services.job_cache import JobCache
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.services.limits import Limiter
from jobcast.settings import load_settings
from jobcast.store import jobs as queries
from jobcast.store import messages
from jobcast.store.base import Changed, Finish, Store, TypeInfo
from jobcast.store.schema import jobs
from jobcast.worker.upkeep import ANSWER_AFTER_MS, Upkeep

ADA = Principal(kind=Kind.USER, tenant_id="acme", user_id="ada", name="Ada")
ROOM = channel_topic("acme", "talk:1")
HANDLER = TypeInfo("reply/talk:*", "default", 3, 60_000, None, None, "talk:*", "app")


class Stage:
    """All that a message passes, each step taken when a test says so."""

    def __init__(self, store: Store, bus: Bus, clock: FakeClock, folder: Path) -> None:
        self.store = store
        self.bus = bus
        self.clock = clock
        self.session = "s1"
        settings = load_settings(env_file=None, data_dir=folder)
        self.announcer = Announcer(bus)
        self.types = types = JobTypes(store, clock)
        self.jobs = Jobs(store, self.announcer, types, settings, clock, JobCache(bus))
        limiter = Limiter(MemoryStorage(), settings=settings, clock=clock)
        self.channels = Channels(bus, self.jobs, types, limiter, settings, clock)
        self.upkeep = Upkeep(store, bus, self.announcer, settings, clock)
        self.answering = Answering(store, bus, clock)
        self._post = bus.post
        self.refused: set[str] = set()
        bus.post = self.post  # type: ignore[method-assign]

    async def post(self, channel: str, body: bytes, *, key: str | None, now: int) -> Post:
        """The bus's own, unless posts of this kind are refused."""
        kind = "answer" if (key or "").startswith("answer:") else "message"
        if kind in self.refused:
            raise Unavailable("Redis cannot be used right now: try again.")
        return await self._post(channel, body, key=key, now=now)

    async def open(self) -> None:
        await self.store.open_session(self.session, name=self.session)
        await self.store.register_types(self.session, [HANDLER])

    async def hire(self) -> None:
        """The worker is gone: another one comes."""
        self.session += "+"
        await self.open()

    async def publish(self, data: Any, channel: str = "talk:1") -> Said:
        return await self.channels.publish(ADA, channel, json.dumps(data).encode(), tenant_id=None)

    async def publish_and_die(self, data: Any) -> None:
        """The gateway dies between the commit of the job and its word to the channel."""
        self.refused.add("message")
        withdraw, self.jobs.withdraw = self.jobs.withdraw, _nothing  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await self.publish(data)
        self.jobs.withdraw = withdraw  # type: ignore[method-assign]
        self.refused.discard("message")

    async def claim(self) -> Job:
        claimed = await self.store.claim(self.session, queues=["default"], cursors={}, limit=1)
        [change] = claimed.jobs
        return change.job

    async def finish(self, job: Job, result: str | None = '"yes"') -> Job:
        ending = Errored("no", None) if result is None else Succeeded(result)
        fence = Fence(job.id, job.run, self.session)
        [answer] = await self.store.finish([Finish(fence, ending)])
        assert isinstance(answer, Changed)
        return answer.job

    async def run(self, result: str | None = '"yes"') -> Job:
        """All that a worker does."""
        job = await self.claim()
        await self.answering.say(job)
        ended = await self.finish(job, result)
        self.answering.answered([ended])
        await self.answering.drained()
        return ended

    async def look(self) -> None:
        """Upkeep comes by, when it is time."""
        await self.upkeep.answer()

    async def later(self) -> None:
        """Upkeep comes by when whoever had the answer has had its time."""
        self.clock.advance(ANSWER_AFTER_MS / 1000 + 60)
        await self.look()

    async def history(self) -> History:
        return await self.bus.history(ROOM, after=0, epoch=None, now=self.clock.now())

    async def said(self) -> list[Any]:
        """What stands in the channel."""
        return [json.loads(m.body)["data"] for m in (await self.history()).messages]

    async def flags(self) -> list[str | None]:
        def query(conn: Connection) -> list[str | None]:
            return list(conn.scalars(select(jobs.c.reply_to).order_by(jobs.c.id)))

        return await self.store.read(query)

    async def job(self, job_id: str) -> Job:
        found = await self.store.read(lambda conn: queries.find(conn, job_id))
        assert found is not None
        return found


async def _nothing(job_id: str) -> None:
    """The gateway is dead: it withdraws nothing."""


class MessageJobsSuite:
    """What becomes of a message that a handler takes."""

    async def test_a_message_is_said_and_answered_once(self, stage: Stage) -> None:
        said = await stage.publish({"text": "hi"})
        assert said.post.offset == 1
        assert said.job_id is not None
        assert await stage.flags() == ["talk:1"]
        assert await stage.said() == [{"text": "hi"}]
        job = await stage.run()
        assert (job.id, job.type, job.user_id) == (said.job_id, "reply/talk:*", "ada")
        assert await stage.said() == [{"text": "hi"}, "yes"]
        assert await stage.flags() == [None]
        await stage.later()
        assert await stage.said() == [{"text": "hi"}, "yes"]
        [message, answer] = [json.loads(m.body) for m in (await stage.history()).messages]
        assert message["from"] == {"id": "ada", "name": "Ada"}
        assert (answer["from"], answer["jobId"]) == (
            {"id": f"job:{job.id}", "name": "reply"},
            job.id,
        )

    async def test_the_job_holds_the_message_to_the_letter(self, stage: Stage) -> None:
        data = b'{"n":1e200000,"z":"\\u0000","s":"\xc3\xa9"}'
        said = await stage.channels.publish(ADA, "talk:1", data, tenant_id=None)
        assert said.job_id is not None
        job = await stage.job(said.job_id)
        [message] = (await stage.history()).messages
        assert job.payload.encode() == b'{"channel":"talk:1",' + message.body[1:]
        assert b'"data":' + data in message.body

    async def test_a_gateway_that_dies_before_it_speaks_is_spoken_for(self, stage: Stage) -> None:
        await stage.publish_and_die("hi")
        assert await stage.said() == []
        await stage.run()
        assert await stage.said() == ["hi", "yes"]

    async def test_a_worker_that_dies_before_its_end_leaves_one_message(self, stage: Stage) -> None:
        await stage.publish_and_die("hi")
        job = await stage.claim()
        await stage.answering.say(job)
        await stage.store.close_session(stage.session)
        await stage.hire()
        await stage.run()
        assert await stage.said() == ["hi", "yes"]

    async def test_an_answer_that_a_crash_left_unsent_is_sent_later(self, stage: Stage) -> None:
        await stage.publish("hi")
        job = await stage.claim()
        await stage.answering.say(job)
        await stage.finish(job)  # and the worker dies
        await stage.look()
        assert await stage.said() == ["hi"]  # it may still be about to send it
        await stage.later()
        assert await stage.said() == ["hi", "yes"]
        assert await stage.flags() == [None]
        await stage.later()
        assert await stage.said() == ["hi", "yes"]

    async def test_an_answer_that_was_sent_but_not_noted_is_not_sent_twice(
        self, stage: Stage
    ) -> None:
        await stage.publish("hi")
        job = await stage.claim()
        await stage.answering.say(job)
        ended = await stage.finish(job)
        await stage.answering._answer(ended)  # and the worker dies before it clears the flag
        for n in range(150):  # also when the channel has long gone on
            await stage.bus.post(ROOM, b'{"data":%d}' % n, key=None, now=stage.clock.now())
        await stage.later()
        assert await stage.flags() == [None]
        assert "yes" not in await stage.said()
        assert (await stage.history()).offset == 152

    async def test_while_the_bus_is_away_the_job_runs_and_both_are_said_later(
        self, stage: Stage
    ) -> None:
        await stage.publish_and_die("hi")
        stage.refused = {"message", "answer"}
        await stage.run()
        stage.refused = set()
        assert await stage.said() == []
        await stage.later()
        assert await stage.said() == ["hi", "yes"]
        assert await stage.flags() == [None]

    async def test_a_message_that_was_not_said_comes_before_its_answer(self, stage: Stage) -> None:
        await stage.publish_and_die("hi")
        stage.refused = {"message"}
        job = await stage.claim()
        await stage.answering.say(job)
        stage.refused = set()  # the bus is back before the handler ends
        stage.answering.answered([await stage.finish(job)])
        await stage.answering.drained()
        assert await stage.said() == []
        await stage.later()
        assert await stage.said() == ["hi", "yes"]

    async def test_upkeep_tries_again_while_the_bus_is_away(self, stage: Stage) -> None:
        await stage.publish("hi")
        job = await stage.claim()
        await stage.finish(job)
        stage.refused = {"answer"}
        await stage.later()
        assert await stage.flags() == ["talk:1"]
        stage.refused = set()
        await stage.look()
        assert await stage.said() == ["hi", "yes"]

    async def test_a_publisher_who_is_refused_leaves_no_job(self, stage: Stage) -> None:
        stage.refused = {"message"}
        with pytest.raises(Unavailable):
            await stage.publish("hi")
        claimed = await stage.store.claim(stage.session, queues=["default"], cursors={}, limit=1)
        assert not claimed.jobs

    @pytest.mark.parametrize("result", ["null", None])
    async def test_who_returns_nothing_or_fails_says_nothing(
        self, stage: Stage, result: str | None
    ) -> None:
        await stage.publish("hi")
        job = await stage.run(result)
        await stage.later()
        assert await stage.said() == ["hi"]
        assert job.state is (State.DONE if result else State.FAILED)

    async def test_a_failed_one_that_is_retried_answers_then(self, stage: Stage) -> None:
        await stage.publish("hi")
        failed = await stage.run(None)
        await stage.store.resubmit(failed.id, payload='{"another":1}')
        await stage.run()
        assert await stage.said() == ["hi", "yes"]

    async def test_what_is_older_than_all_keys_is_not_said_again(self, stage: Stage) -> None:
        await stage.publish("hi")
        stage.clock.advance(KEPT_MS / 1000)
        await stage.hire()
        await stage.run()
        assert await stage.said() == ["yes"]

    async def test_a_channel_without_a_handler_makes_no_job(self, stage: Stage) -> None:
        said = await stage.publish("hi", channel="other")
        assert said.job_id is None
        assert await stage.flags() == []

    async def test_what_an_app_takes_no_longer_makes_no_job(self, stage: Stage) -> None:
        await stage.store.register_types("s", [TypeInfo("work", "default", 3, 1_000, None, None)])
        for app, kept in (("another", []), ("app", [HANDLER.type])):
            change = partial(messages.retire, app=app, kept=kept)
            assert await stage.store.write(change) == 0
        assert (await stage.publish("hi")).job_id is not None
        assert await stage.store.write(partial(messages.retire, app="app", kept=[])) == 1
        stage.types.forget()
        assert (await stage.publish("hi")).job_id is None
        assert [info.type for info in await stage.types.all()] == ["work"]
