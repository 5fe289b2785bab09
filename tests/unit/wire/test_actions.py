"""What a session asks of its shell."""

from __future__ import annotations

import pytest

from jobcast.wire.actions import Authenticate, Credentials
from jobcast.wire.commands import Auth


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Auth(token="s", id=1), "token"),
        (Auth(key="s", id=1), "key"),
        (Auth(ticket="s", id=1), "ticket"),
    ],
)
def test_an_auth_command_becomes_its_one_credential(command: Auth, kind: str) -> None:
    request = Authenticate.from_command(command)
    assert (request.credentials.kind, request.credentials.secret) == (kind, "s")
    assert (request.by_command, request.id) == (True, 1)


def test_the_secret_stays_out_of_every_representation() -> None:
    request = Authenticate(Credentials("key", "jc_secret"), by_command=False)
    assert "jc_secret" not in repr(request)
