"""Refusals as frames: the message names the fields, for it is what people read."""

from __future__ import annotations

from jobcast.domain.errors import InvalidRequest, RateLimited
from jobcast.wire import answers


def test_a_refusal_names_its_first_fields_in_the_message_and_all_of_them_beside_it() -> None:
    fields = {name: ["Required"] for name in ("a", "b", "c", "d", "e")}
    frame = answers.failed(InvalidRequest("Validation error", fields=fields), id="1")

    assert frame.message == "Validation error: a: Required; b: Required; c: Required; and 2 more."
    assert frame.errors == fields
    assert frame.id == "1"


def test_a_refusal_without_fields_is_its_sentence() -> None:
    frame = answers.failed(RateLimited("Too many.", retry_after=1.2), id=None)

    assert (frame.message, frame.retry_after) == ("Too many.", 2)
