from datetime import UTC, datetime

import pytest

from jobcast.client import ApiKey, Event, Job, Page, ServerError, Tokens
from jobcast.client.models import model, models


def test_camel_case_becomes_snake_case_and_times_become_datetimes() -> None:
    job = model(Job, {"id": "1", "maxAttempts": 3, "createdAt": "2026-11-22T10:00:00.250Z"})
    assert job.max_attempts == 3
    assert job.created_at == datetime(2026, 11, 22, 10, 0, 0, 250_000, UTC)


def test_unknown_keys_are_ignored_and_stay_in_raw() -> None:
    document = {"id": "1", "moonPhase": "full"}
    assert model(Job, document).raw == document


@pytest.mark.parametrize(
    ("status", "ended"),
    [("PENDING", False), ("PROCESSING", False), ("DONE", True), ("FAILED", True)],
)
def test_a_job_knows_whether_it_has_ended(status: str, *, ended: bool) -> None:
    assert model(Job, {"id": "1", "status": status}).ended is ended


def test_an_event_of_a_type_from_the_future_is_still_an_event() -> None:
    assert not model(Event, {"type": "job:daydreaming", "seq": 4}).terminal


def test_a_gap_says_from_where_to_where() -> None:
    gap = model(Event, {"type": "gap", "jobId": "1", "from": 3, "to": 9})
    assert (gap.gap_from, gap.gap_to) == (3, 9)


def test_a_job_is_shown_by_what_is_set_of_it() -> None:
    job = model(Job, {"id": "1", "type": "email", "payload": {"to": "ada"}, "moonPhase": "full"})
    shown = repr(job)
    assert shown.startswith("Job(id='1', type='email', payload={'to': 'ada'}")
    assert "moonPhase" not in shown
    assert "None" not in shown


def test_a_secret_is_not_shown() -> None:
    key = model(ApiKey, {"id": "k", "key": "jc_secret"})
    assert (key.key, "jc_secret" in repr(key)) == ("jc_secret", False)
    tokens = model(Tokens, {"accessToken": "secret-a", "refreshToken": "secret-r"})
    assert "secret" not in repr(tokens)


def test_a_page_is_read_like_a_list() -> None:
    page = Page(items=models(Job, [{"id": "1"}, {"id": "2"}]))
    assert [job.id for job in page] == ["1", "2"]
    assert len(page) == 2


@pytest.mark.parametrize("document", [None, [], "text", {"status": "DONE"}, {"id": 7}])
def test_an_answer_of_another_shape_is_the_servers_error(document: object) -> None:
    with pytest.raises(ServerError) as caught:
        model(Job, document)
    assert caught.value.code == "BAD_ANSWER"


def test_what_is_no_list_is_the_servers_error() -> None:
    with pytest.raises(ServerError, match="no list of Job"):
        models(Job, {"id": "1"})
