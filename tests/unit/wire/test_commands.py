"""The structs of what a client may send."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from jobcast.wire.commands import Auth, Command, Ping


def test_credentials_stay_out_of_every_representation() -> None:
    auth = Auth(token="secret-token", id=7)
    assert "secret" not in repr(auth)
    assert repr(auth) == "Auth(id=7, …)"
    assert auth.__rich_repr__() == [("id", 7)]


def test_a_command_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Ping(id=1).id = 2  # type: ignore[misc]


@pytest.mark.parametrize("kind", get_args(Command))
def test_every_command_has_a_json_schema_that_names_its_type(kind: type[Command]) -> None:
    _, parts = msgspec.json.schema_components([kind])
    schema = parts[kind.__name__]
    assert schema["properties"]["type"]["enum"] == [kind.__struct_config__.tag]
    assert schema["additionalProperties"] is False
    assert "type" in schema["required"]
