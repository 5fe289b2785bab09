"""The life of a job: every step from every state, and what holds whatever happens."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.domain.errors import IllegalTransition
from jobcast.domain.job import (
    ENDED,
    STATUS_EVENTS,
    TERMINAL_EVENTS,
    Event,
    EventType,
    Fence,
    Job,
    State,
    Status,
)
from jobcast.domain.lifecycle import (
    WORKER_DIED,
    Cancel,
    Change,
    Claim,
    Died,
    DiedAlone,
    Due,
    Errored,
    Released,
    Resubmit,
    Step,
    Succeeded,
    Unserved,
    apply,
    born,
    cancel_refusal,
    done_data,
    failed_data,
    first_state,
    retry_refusal,
    retrying_data,
)

NOW = 1_800_000_000_000
LATER = NOW + 60_000
CHANGED = msgspec.structs.replace


def a_job(state: State = State.READY, **fields: object) -> Job:
    """A job in this state, as its life could have brought it there."""
    job = Job(
        id="0192-job",
        tenant_id="acme",
        user_id="ann",
        queue="default",
        type="report",
        state=state,
        payload='{"a":1}',
        priority=0,
        max_attempts=3,
        timeout_ms=1_000,
        tags="[]",
        run_at=NOW - 10,
        created_at=NOW - 10,
        updated_at=NOW - 10,
        seq=1,
    )
    if state is State.PROCESSING:
        job = CHANGED(job, seq=2, run=1, session_id="s1", deadline_at=NOW + 5, started_at=NOW - 5)
    elif state in ENDED:
        job = CHANGED(job, seq=3, run=1, attempts=1, started_at=NOW - 5, finished_at=NOW - 1)
    return CHANGED(job, **fields)


STEPS: dict[str, Step] = {
    "due": Due(),
    "claim": Claim("s2", NOW + 31_000),
    "succeed": Succeeded('{"ok":true}'),
    "error, to run again": Errored("boom", LATER),
    "error, for good": Errored("boom", None),
    "release": Released(),
    "unserved": Unserved(LATER),
    "die": Died(),
    "die alone": DiedAlone(),
    "cancel": Cancel(),
    "resubmit": Resubmit(),
}
LEGAL: dict[tuple[State, str], tuple[State, EventType | None]] = {
    (State.SCHEDULED, "due"): (State.READY, None),
    (State.SCHEDULED, "cancel"): (State.CANCELLED, EventType.CANCELLED),
    (State.READY, "claim"): (State.PROCESSING, EventType.PROCESSING),
    (State.READY, "cancel"): (State.CANCELLED, EventType.CANCELLED),
    (State.PROCESSING, "succeed"): (State.DONE, EventType.DONE),
    (State.PROCESSING, "error, to run again"): (State.SCHEDULED, EventType.RETRYING),
    (State.PROCESSING, "error, for good"): (State.FAILED, EventType.FAILED),
    (State.PROCESSING, "release"): (State.READY, EventType.PENDING),
    (State.PROCESSING, "unserved"): (State.SCHEDULED, EventType.RETRYING),
    (State.PROCESSING, "die"): (State.READY, EventType.RETRYING),
    (State.PROCESSING, "die alone"): (State.FAILED, EventType.FAILED),
    (State.PROCESSING, "cancel"): (State.PROCESSING, None),
    (State.FAILED, "resubmit"): (State.READY, EventType.PENDING),
    (State.CANCELLED, "resubmit"): (State.READY, EventType.PENDING),
}
EVERY = list(itertools.product(State, STEPS))


@pytest.mark.parametrize(("state", "name"), EVERY, ids=[f"{s}: {n}" for s, n in EVERY])
def test_each_step_from_each_state_has_its_outcome(state: State, name: str) -> None:
    job = a_job(state)
    expected = LEGAL.get((state, name))
    if expected is None:
        kind = type(STEPS[name]).__name__
        with pytest.raises(IllegalTransition, match=f"{kind} is not possible from {state}"):
            apply(job, STEPS[name], now=NOW)
        return
    after, kind_of_event = expected
    change = apply(job, STEPS[name], now=NOW)
    assert change.job.state is after
    assert [event.type for event in change.events] == ([kind_of_event] if kind_of_event else [])


@pytest.mark.parametrize(
    ("name", "after", "event"),
    [
        ("succeed", State.DONE, EventType.DONE),
        ("error, to run again", State.CANCELLED, EventType.CANCELLED),
        ("error, for good", State.CANCELLED, EventType.CANCELLED),
        ("release", State.CANCELLED, EventType.CANCELLED),
        ("unserved", State.CANCELLED, EventType.CANCELLED),
        ("die", State.CANCELLED, EventType.CANCELLED),
        ("die alone", State.CANCELLED, EventType.CANCELLED),
    ],
)
def test_a_run_that_was_to_be_cancelled_ends_cancelled_unless_its_result_came_first(
    name: str, after: State, event: EventType
) -> None:
    asked = apply(a_job(State.PROCESSING), Cancel(), now=NOW).job
    change = apply(asked, STEPS[name], now=LATER)
    assert (change.job.state, change.events[0].type) == (after, event)
    assert change.job.attempts == (1 if after is State.DONE else 0)
    assert change.job.deaths == 0


def test_a_run_without_a_handler_costs_no_attempt_and_says_so() -> None:
    change = apply(a_job(State.PROCESSING, attempts=2), Unserved(LATER), now=NOW)
    said = "No handler for the type report in the worker that took it; another may have one."
    assert (change.job.attempts, change.job.error, change.job.run_at) == (2, said, LATER)
    assert change.job.session_id is None
    assert change.events[0].data == retrying_data(said, LATER)


def test_a_job_is_born_with_its_first_event() -> None:
    change = born(a_job(State.SCHEDULED, seq=0))
    assert change.fence is None
    assert change.job.seq == 1
    assert change.job.updated_at == change.job.created_at
    assert change.events == (
        Event(
            job_id="0192-job",
            tenant_id="acme",
            job_type="report",
            type=EventType.PENDING,
            status=Status.PENDING,
            seq=1,
            attempt=0,
            at=NOW - 10,
            data="{}",
        ),
    )


def test_a_claim_raises_the_fence_and_forgets_the_last_runs_progress() -> None:
    waiting = a_job(run=4, attempts=1, progress='{"percent":50}', channel="news")
    change = apply(waiting, Claim("s2", NOW + 31_000), now=NOW)
    assert change.fence is None
    assert change.job == CHANGED(
        waiting,
        state=State.PROCESSING,
        run=5,
        seq=2,
        session_id="s2",
        deadline_at=NOW + 31_000,
        started_at=NOW,
        updated_at=NOW,
        progress=None,
    )
    assert (change.events[0].attempt, change.events[0].channel) == (5, "news")


def test_a_result_ends_the_job_under_the_fence_of_its_run() -> None:
    change = apply(a_job(State.PROCESSING), Succeeded('{"n":1e200000}'), now=NOW)
    assert change.fence == Fence("0192-job", 1, "s1")
    assert (change.job.result, change.job.attempts, change.job.finished_at) == (
        '{"n":1e200000}',
        1,
        NOW,
    )
    assert change.events[0].data == '{"result":{"n":1e200000}}'


def test_an_error_uses_up_the_budget_and_says_when_the_next_attempt_comes() -> None:
    change = apply(a_job(State.PROCESSING), Errored('a "quoted" 💥', LATER), now=NOW)
    assert (change.job.state, change.job.run_at, change.job.attempts) == (
        State.SCHEDULED,
        LATER,
        1,
    )
    assert (change.job.finished_at, change.job.error) == (None, 'a "quoted" 💥')
    assert json.loads(change.events[0].data) == {
        "error": 'a "quoted" 💥',
        "retryAt": "2027-01-15T08:01:00.000Z",
    }


def test_a_retry_that_is_due_at_once_is_ready() -> None:
    assert apply(a_job(State.PROCESSING), Errored("x", NOW), now=NOW).job.state is State.READY


def test_the_last_error_of_the_budget_fails_the_job() -> None:
    change = apply(a_job(State.PROCESSING, attempts=2), Errored("boom", LATER), now=NOW)
    assert (change.job.state, change.job.attempts, change.job.error) == (State.FAILED, 3, "boom")
    assert change.events[0].data == '{"error":"boom"}'


def test_a_release_costs_nothing() -> None:
    running = a_job(State.PROCESSING, attempts=1, deaths=1)
    change = apply(running, Released(), now=NOW)
    assert (change.job.attempts, change.job.deaths, change.job.run) == (1, 1, 1)
    assert change.job.run_at == running.run_at


def test_a_death_is_counted_and_the_job_runs_again() -> None:
    change = apply(a_job(State.PROCESSING, attempts=1), Died(), now=NOW)
    assert (change.job.deaths, change.job.attempts, change.job.run_at) == (1, 1, NOW)
    assert json.loads(change.events[0].data)["error"] == WORKER_DIED


def test_a_job_that_killed_its_worker_a_third_time_alone_is_parked() -> None:
    change = apply(a_job(State.PROCESSING, deaths=2), DiedAlone(), now=NOW)
    assert change.job.state is State.FAILED
    assert change.job.deaths == 3
    assert change.job.error == "Max retry attempts exceeded: its worker died 3 times"
    assert json.loads(change.events[0].data) == {"error": change.job.error}


def test_to_cancel_what_runs_asks_and_says_nothing_yet() -> None:
    running = a_job(State.PROCESSING)
    change = apply(running, Cancel(), now=NOW)
    assert change == Change(CHANGED(running, cancel_requested=True, updated_at=NOW), (), None)
    assert apply(change.job, Cancel(), now=NOW) == change


def test_to_cancel_what_waits_ends_it() -> None:
    change = apply(a_job(State.SCHEDULED), Cancel(), now=NOW)
    assert (change.job.finished_at, change.job.seq, change.fence) == (NOW, 2, None)


def test_what_becomes_due_changes_nothing_that_a_user_sees() -> None:
    waiting = a_job(State.SCHEDULED)
    assert apply(waiting, Due(), now=NOW) == Change(CHANGED(waiting, state=State.READY), (), None)


def test_a_resubmit_starts_afresh_but_never_numbers_anew() -> None:
    ended = a_job(
        State.FAILED,
        attempts=3,
        deaths=2,
        run=7,
        seq=20,
        error="boom",
        progress="{}",
        result="1",
        cancel_requested=True,
    )
    change = apply(ended, Resubmit(), now=NOW)
    assert change.job == CHANGED(
        ended,
        state=State.READY,
        attempts=0,
        deaths=0,
        seq=21,
        error=None,
        result=None,
        progress=None,
        cancel_requested=False,
        run_at=NOW,
        updated_at=NOW,
        started_at=None,
        finished_at=None,
    )
    assert (change.events[0].attempt, change.events[0].seq) == (7, 21)


def test_a_resubmit_can_bring_another_payload() -> None:
    assert apply(a_job(State.CANCELLED), Resubmit('{"a":2}'), now=NOW).job.payload == '{"a":2}'


@pytest.mark.parametrize(
    ("run_at", "state"),
    [(NOW - 1, State.READY), (NOW, State.READY), (NOW + 1, State.SCHEDULED)],
)
def test_a_job_waits_for_its_time(run_at: int, state: State) -> None:
    assert first_state(run_at, now=NOW) is state


@pytest.mark.parametrize("status", Status)
def test_only_what_has_not_ended_can_be_cancelled(status: Status) -> None:
    says = f"Cannot cancel job with status {status}. Only "
    waits, runs = status is Status.PENDING, status is Status.PROCESSING
    assert cancel_refusal(status, waiting_only=True) == (
        None if waits else says + "PENDING jobs can be cancelled."
    )
    assert cancel_refusal(status, waiting_only=False) == (
        None if waits or runs else says + "PENDING or PROCESSING jobs can be cancelled."
    )


@pytest.mark.parametrize("status", Status)
def test_only_what_failed_or_was_cancelled_can_be_retried(status: Status) -> None:
    expected = (
        None
        if status in (Status.FAILED, Status.CANCELLED)
        else f"Cannot retry job with status {status}. Only FAILED or CANCELLED jobs can be retried."
    )
    assert retry_refusal(status) == expected


def test_data_of_events_is_json_whatever_the_text() -> None:
    text = 'quote " back \\ nul \0 line \u2028 emoji 🎉 lone \ud800'
    assert json.loads(failed_data(text)) == {"error": text}
    assert json.loads(retrying_data(text, NOW))["error"] == text
    assert done_data('{"a":1}') == '{"result":{"a":1}}'
    assert done_data(None) == '{"result":null}'


# ── whatever happens ─────────────────────────────────────────────────────────────────────────

PATHS = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 90_000)), max_size=60)


def live(path: list[tuple[str, int]], max_attempts: int) -> list[tuple[Job, str, Change]]:
    """The steps of a path that were possible: the job before, the step, its change."""
    job = born(a_job(seq=0, max_attempts=max_attempts)).job
    now = NOW
    taken = []
    for name, wait in path:
        now += wait
        try:
            change = apply(job, STEPS[name], now=now)
        except IllegalTransition:
            continue
        taken.append((job, name, change))
        job = change.job
    return taken


@given(PATHS, st.integers(1, 4))
def test_seq_rises_by_the_number_of_events_which_it_numbers(
    path: list[tuple[str, int]], max_attempts: int
) -> None:
    for before, _, change in live(path, max_attempts):
        numbers = [event.seq for event in change.events]
        assert numbers == list(range(before.seq + 1, change.job.seq + 1))


@given(PATHS, st.integers(1, 4))
def test_every_submission_and_every_retry_ends_in_one_terminal_event_at_most(
    path: list[tuple[str, int]], max_attempts: int
) -> None:
    ends = 0
    for _, name, change in live(path, max_attempts):
        ends = 0 if name == "resubmit" else ends
        ends += sum(event.type in TERMINAL_EVENTS for event in change.events)
        assert ends == (1 if change.job.state.ended else 0)


@given(PATHS, st.integers(1, 4))
def test_the_fence_rises_at_every_claim_and_never_falls(
    path: list[tuple[str, int]], max_attempts: int
) -> None:
    for before, name, change in live(path, max_attempts):
        assert change.job.run == before.run + (name == "claim")


@given(PATHS, st.integers(1, 4))
def test_attempts_stay_within_the_budget(path: list[tuple[str, int]], max_attempts: int) -> None:
    for before, _, change in live(path, max_attempts):
        assert 0 <= change.job.attempts <= max_attempts
        if not change.job.state.ended:
            assert change.job.attempts < max_attempts
        if change.fence is not None:
            assert change.fence == Fence(before.id, before.run, before.session_id or "")


@given(PATHS, st.integers(1, 4))
def test_what_was_asked_to_stop_ends_cancelled_or_done(
    path: list[tuple[str, int]], max_attempts: int
) -> None:
    for before, name, change in live(path, max_attempts):
        if before.state is State.PROCESSING and before.cancel_requested and name != "cancel":
            assert change.job.state is (State.DONE if name == "succeed" else State.CANCELLED)


@given(PATHS, st.integers(1, 4))
def test_only_a_running_job_holds_a_session(path: list[tuple[str, int]], max_attempts: int) -> None:
    for _, _, change in live(path, max_attempts):
        running = change.job.state is State.PROCESSING
        assert (change.job.session_id is not None) == running
        assert (change.job.deadline_at is not None) == running
        assert (change.job.finished_at is not None) == change.job.state.ended


@given(PATHS, st.integers(1, 4))
def test_events_say_the_status_that_they_lead_to(
    path: list[tuple[str, int]], max_attempts: int
) -> None:
    for _, _, change in live(path, max_attempts):
        for event in change.events:
            assert event.type in STATUS_EVENTS
            assert (event.status, event.attempt) == (change.job.status, change.job.run)
            assert event.at == change.job.updated_at
            json.loads(event.data)
