from __future__ import annotations

import json
import time

import pytest

from jobcast.services.signing import sign
from jobcast.webhooks import InvalidSignature, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"jobId":"j","status":"DONE"}'


def signed(*secrets: str, age: float = 0) -> dict[str, str]:
    return sign(
        BODY, secrets=secrets or (SECRET,), webhook_id="j_4", timestamp=int(time.time() - age)
    )


def test_a_genuine_request_says_what_its_body_says() -> None:
    assert verify(BODY, signed(), SECRET) == json.loads(BODY)


def test_headers_may_come_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in signed().items()}

    assert verify(BODY, shouted, SECRET)["jobId"] == "j"


@pytest.mark.parametrize("secret", [SECRET, "an older one"])
def test_either_secret_will_do_while_they_rotate(secret: str) -> None:
    assert verify(BODY, signed(SECRET, "an older one"), secret)


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="secret"):
        verify(BODY, signed(), "another")


def test_an_altered_body_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify(BODY.replace(b"DONE", b"FAILED"), signed(), SECRET)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_an_altered_header_is_refused(header: str) -> None:
    with pytest.raises(InvalidSignature):
        verify(BODY, {**signed(), header: "1"}, SECRET)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(header: str) -> None:
    headers = signed()
    del headers[header]

    with pytest.raises(InvalidSignature, match=header):
        verify(BODY, headers, SECRET)


@pytest.mark.parametrize("age", [310, -310])
def test_a_request_that_is_too_old_or_from_the_future_is_refused(age: float) -> None:
    with pytest.raises(InvalidSignature, match="too long ago"):
        verify(BODY, signed(age=age), SECRET)
    assert verify(BODY, signed(age=age), SECRET, tolerance=600)


def test_garbled_headers_are_refused() -> None:
    with pytest.raises(InvalidSignature, match="garbled"):
        verify(BODY, {**signed(), "webhook-signature": "v1,\udc80"}, SECRET)
