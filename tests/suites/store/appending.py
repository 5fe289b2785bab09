"""Appending: events of a live run, numbered without a gap; of any other, refused."""

from __future__ import annotations

import msgspec
import pytest
from tests.suites.workbench import DONE, FAILED, Bench, changed

from jobcast.domain.errors import JobcastError
from jobcast.domain.job import EventType, Fence, State, Status
from jobcast.domain.lifecycle import Ending, Errored, Released
from jobcast.store import jobs as queries
from jobcast.store.base import Append, Draft
from jobcast.store.job_ids import NOBODY

LOG, PROGRESS, OUTPUT = EventType.LOG, EventType.PROGRESS, EventType.OUTPUT


class Appending:
    async def test_to_append_nothing_changes_nothing(self, bench: Bench) -> None:
        fence = await bench.start()
        before = await bench.stored(fence.job_id)
        bench.clock.advance(1)
        assert await bench.append(fence) == ()
        assert await bench.stored(fence.job_id) == before

    async def test_events_are_numbered_and_stored_in_order(self, bench: Bench) -> None:
        fence = await bench.start(channel="news")
        drafts = [
            Draft(LOG, 11, '{"message":"a","level":"info"}'),
            Draft(OUTPUT, 12, '{"data":{"n":1e200000,"s":"\\u0000🎉"}}'),
            Draft(PROGRESS, 13, '{"percent":40,"note":null}'),
            Draft(LOG, 14, "{}"),
        ]
        events = await bench.append(fence, *drafts)
        assert events is not None
        assert [(e.seq, e.type, e.at, e.data) for e in events] == [
            (3 + n, draft.type, draft.at, draft.data) for n, draft in enumerate(drafts)
        ]
        assert {(e.attempt, e.status, e.channel) for e in events} == {
            (1, Status.PROCESSING, "news")
        }
        assert (await bench.events(fence.job_id))[2:] == list(events)
        assert (await bench.stored(fence.job_id)).seq == 6

    async def test_the_newest_progress_stands_in_the_job(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.append(
            fence, bench.draft("1", PROGRESS), bench.draft("2", PROGRESS), bench.draft("x")
        )
        bench.clock.advance(1)
        await bench.append(fence, bench.draft("y"))
        job = await bench.stored(fence.job_id)
        assert (job.progress, job.updated_at) == ("2", bench.clock.now())
        await bench.finish(fence, Errored("x", bench.clock.now()))
        assert (await bench.stored(fence.job_id)).progress == "2"
        await bench.again(fence)
        assert (await bench.stored(fence.job_id)).progress is None

    async def test_what_tells_of_no_status_carries_no_change(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.append(fence, *(bench.draft("{}", kind) for kind in (LOG, PROGRESS, OUTPUT)))
        changes = [event.change for event in await bench.events(fence.job_id)]
        assert None not in changes[:2]
        assert changes[2:] == [None, None, None]

    async def test_several_items_of_one_run_in_a_batch_go_on_numbering(self, bench: Bench) -> None:
        one, two = await bench.start(), await bench.start()
        answers = await bench.store.append(
            [
                Append(one, [bench.draft("1"), bench.draft("2")]),
                Append(two, [bench.draft("3")]),
                Append(one, []),
                Append(one, [bench.draft("4")]),
            ]
        )
        numbered = [[(e.job_id, e.seq) for e in events or ()] for events in answers]
        a, b = one.job_id, two.job_id
        assert numbered == [[(a, 3), (a, 4)], [(b, 3)], [], [(a, 5)]]
        assert [e.data for e in (await bench.events(a))[2:]] == ["1", "2", "4"]

    async def test_a_large_batch_is_stored_whole(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.append(fence, *(bench.draft(str(n)) for n in range(1_200)))
        events = await bench.events(fence.job_id)
        assert [event.seq for event in events] == list(range(1, 1_203))
        assert [event.data for event in events[2:]] == [str(n) for n in range(1_200)]

    async def test_a_stale_fence_is_refused_and_only_it(self, bench: Bench) -> None:
        fence = await bench.start()
        older = msgspec.structs.replace(fence, run=fence.run - 1)
        elsewhere = msgspec.structs.replace(fence, session_id="s2")
        nothing = Fence(NOBODY, 1, "s1")
        batch = [Append(stale, [bench.draft("!")]) for stale in (older, elsewhere, nothing)]
        answers = await bench.store.append([*batch, Append(fence, [bench.draft("fine")])])
        assert answers[:3] == [None, None, None]
        assert [event.data for event in answers[3] or ()] == ["fine"]
        assert (await bench.stored(fence.job_id)).seq == 3

    @pytest.mark.parametrize("ending", [DONE, FAILED, Released()], ids=["done", "failed", "left"])
    async def test_a_run_that_has_ended_writes_no_more(self, bench: Bench, ending: Ending) -> None:
        fence = await bench.start()
        await bench.finish(fence, ending)
        before = await bench.stored(fence.job_id)
        assert await bench.append(fence, bench.draft("late", PROGRESS)) is None
        assert await bench.stored(fence.job_id) == before

    async def test_a_run_that_was_rescued_writes_no_more_though_another_runs(
        self, bench: Bench
    ) -> None:
        fence = await bench.start("s1")
        bench.clock.advance(11)
        await bench.rescue()
        second = await bench.again(fence, "s2")
        assert await bench.append(fence, bench.draft("zombie")) is None
        assert await bench.append(second, bench.draft("alive")) is not None
        assert [e.data for e in (await bench.events(fence.job_id))[-1:]] == ["alive"]

    async def test_a_text_that_cannot_be_stored_is_escaped_and_fails_nobody(
        self, bench: Bench
    ) -> None:
        one, two = await bench.start(), await bench.start()
        stale = msgspec.structs.replace(one, run=9)
        answers = await bench.store.append(
            [
                Append(one, [bench.draft('{"message":"lone \ud800 ä"}')]),
                Append(two, [bench.draft('{"message":"fine"}')]),
                Append(stale, [bench.draft("\ud800")]),
            ]
        )
        assert [e.data for e in answers[0] or ()] == ['{"message":"lone \\ud800 ä"}']
        assert [e.data for e in answers[1] or ()] == ['{"message":"fine"}']
        assert answers[2] is None
        assert (await bench.events(one.job_id))[2:] == list(answers[0] or ())

    async def test_an_event_that_cannot_be_stored_at_all_is_left_out_and_fails_nobody(
        self, bench: Bench
    ) -> None:
        one, two = await bench.start(), await bench.start()
        bad, good = Draft(LOG, 2**70, "{}"), bench.draft("fine")
        answers = await bench.store.append([Append(one, [bad]), Append(two, [good])])
        assert answers[0] == ()
        assert len(answers[1] or ()) == 1
        assert [e.seq for e in await bench.append(one, good) or ()] == [3]

    async def test_a_file_is_kept_under_the_fence_of_its_run(self, bench: Bench) -> None:
        fence = await bench.start()
        data = bytes(range(256)) * 100
        kept = await bench.store.save_file(
            fence, name="ä 🎉.png", content_type="image/png", data=data
        )
        assert kept
        [file] = await bench.store.read(lambda conn: queries.list_files(conn, fence.job_id))
        assert (file.name, file.content_type, file.size, file.created_at) == (
            "ä 🎉.png",
            "image/png",
            len(data),
            bench.clock.now(),
        )
        found = await bench.store.read(
            lambda conn: queries.read_file(conn, fence.job_id, "ä 🎉.png")
        )
        assert found == ("image/png", data)

    async def test_a_name_that_no_database_holds_is_no_file(self, bench: Bench) -> None:
        job = await bench.put()
        assert await bench.store.read(lambda conn: queries.read_file(conn, job.id, "a\0")) is None

    async def test_a_file_of_the_same_name_is_replaced(self, bench: Bench) -> None:
        fence = await bench.start()
        for data in (b"one", b"", b"three!"):
            assert await bench.store.save_file(
                fence, name="a", content_type=f"text/{len(data)}", data=data
            )
        found = await bench.store.read(lambda conn: queries.read_file(conn, fence.job_id, "a"))
        assert found == ("text/6", b"three!")
        files = await bench.store.read(lambda conn: queries.list_files(conn, fence.job_id))
        assert [file.size for file in files] == [6]

    async def test_a_stale_run_keeps_and_replaces_no_file(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.store.save_file(fence, name="a", content_type="t", data=b"mine")
        job = changed(await bench.finish(fence, Released())).job
        assert job.state is State.READY
        stale = [
            fence,
            msgspec.structs.replace(fence, session_id="s2"),
            msgspec.structs.replace(fence, run=2),
            Fence(NOBODY, 1, "s1"),
        ]
        for old in stale:
            assert not await bench.store.save_file(old, name="a", content_type="t", data=b"!")
        second = await bench.again(fence)
        assert not await bench.store.save_file(fence, name="a", content_type="t", data=b"!")
        assert await bench.store.save_file(second, name="b", content_type="t", data=b"")
        found = await bench.store.read(lambda conn: queries.read_file(conn, fence.job_id, "a"))
        assert found == ("t", b"mine")

    async def test_a_session_whose_lease_ran_out_may_write_until_it_is_rescued(
        self, bench: Bench
    ) -> None:
        """What commits first wins: the fence is the run, not the clock."""
        fence = await bench.start()
        bench.clock.advance(60)
        assert await bench.append(fence, bench.draft("in time")) is not None
        assert not isinstance(await bench.finish(fence), JobcastError | None)
        assert await bench.rescue() == []
