from __future__ import annotations

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from jobcast.services.signing import sign, standard_key, standard_signature

BODY = '{"jobId":"j","result":"ä€😀"}'.encode()
NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "a plain old secret, with ä"


def signed(*secrets: str) -> dict[str, str]:
    return sign(BODY, secrets=secrets, webhook_id="j_4", timestamp=int(time.time()))


def library(secret: str) -> Webhook:
    """The library takes a text for base64, so plain secrets go in as the bytes they are."""
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())


@pytest.mark.parametrize("secret", [NEW, OLD, "whsec_" + NEW[6:].rstrip("=")])
def test_the_library_of_standard_webhooks_accepts_what_we_sign(secret: str) -> None:
    told = library(secret).verify(BODY, signed(secret))

    assert told == {"jobId": "j", "result": "ä€😀"}


def test_while_secrets_rotate_receivers_with_either_accept_it() -> None:
    headers = signed(NEW, OLD)

    for secret in (NEW, OLD):
        library(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        library("another").verify(BODY, headers)


def test_the_plain_signature_is_made_with_the_first_secret_as_it_was_given() -> None:
    headers = sign(b'{"a":1}', secrets=("whsec_a2V5", "x"), webhook_id="j_1", timestamp=1)

    # printf '{"a":1}' | openssl dgst -sha256 -hmac whsec_a2V5
    assert headers["X-Jobcast-Signature"] == (
        "sha256=22a09a0136227540e198b3cb35f16fd132e13eb3685e3a21ca7ec5edc1707bdd"
    )


def test_the_reference_vector_of_standard_webhooks_gives_its_signature() -> None:
    signature = standard_signature(
        b'{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp="1614265330",
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_is_decoded_only_after_its_prefix() -> None:
    assert standard_key("whsec_a2V5") == b"key"
    assert standard_key("whsec_a2V5IQ") == b"key!"
    assert standard_key("a2V5") == b"a2V5"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64!"])
def test_a_secret_without_a_key_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        signed(secret)
