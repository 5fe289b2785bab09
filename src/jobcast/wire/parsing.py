"""From the text of a message to a command, or to one clear `BadMessage`."""

from typing import Final

from msgspec import Raw, Struct

from jobcast.domain.errors import InvalidJson, InvalidRequest
from jobcast.wire import commands
from jobcast.wire.commands import Command, CommandId
from jobcast.wire.decoding import decode
from jobcast.wire.errors import BadMessage, ErrorCode

_KNOWN: Final[dict[str, type[Command]]] = {
    "auth": commands.Auth,
    "ping": commands.Ping,
    "subscribe": commands.SubscribeJob,
    "unsubscribe": commands.UnsubscribeJob,
    "submit": commands.Submit,
    "cancel": commands.Cancel,
    "join": commands.Join,
    "leave": commands.Leave,
    "publish": commands.Publish,
}
_TENANT_FORMS: Final[dict[str, type[Command]]] = {
    "subscribe": commands.SubscribeTenant,
    "unsubscribe": commands.UnsubscribeTenant,
}
_FORMS: Final = {
    "channel": "Expected 1-128 of the characters a-z 0-9 : _ . -",
    "tenantId": "Expected 1-100 of the characters A-Z a-z 0-9 . _ : -",
}


class _WithId(Struct):
    id: CommandId | None


def size_of(text: bytes | str) -> int:
    """How many bytes of UTF-8 a message has."""
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    return len(text.encode(errors="surrogatepass"))


def decode_command(text: bytes | str) -> Command:
    """The command that a text message holds.

    Raises `BadMessage`: INVALID_JSON (not UTF-8, not JSON, nested too deeply), VALIDATION_ERROR
    (not an object, no `type`, a field that is missing, unknown or of the wrong form: `fields`
    names it) or UNKNOWN_COMMAND (its message lists the known ones). Nothing else is raised.
    """
    try:
        # msgspec passes over what it needn't read, so this checks all of it to be UTF-8.
        text = text.encode() if isinstance(text, str) else text.decode()
        members = decode(text, dict[str, Raw])
    except UnicodeError:
        raise BadMessage(ErrorCode.INVALID_JSON, "The message is not valid UTF-8.") from None
    except InvalidJson as problem:
        raise BadMessage(ErrorCode.INVALID_JSON, f"{problem.message}.") from None
    except InvalidRequest:
        raise BadMessage(
            ErrorCode.VALIDATION_ERROR, "A message must be a JSON object with a type."
        ) from None
    id = _read_id(members)
    try:
        command = decode(text, _kind(members, id=id))
    except InvalidRequest as problem:
        raise _invalid(*_said(problem), id=id) from None
    if isinstance(command, commands.Auth):
        _check_one_credential(command)
    return command


def _read_id(members: dict[str, Raw]) -> CommandId | None:
    if "id" not in members:
        return None
    try:
        return decode(b'{"id":%b}' % members["id"], _WithId).id
    except InvalidRequest as problem:
        raise _invalid("id", _said(problem)[1], id=None) from None


def _kind(members: dict[str, Raw], *, id: CommandId | None) -> type[Command]:
    if "type" not in members:
        raise _invalid("type", "Required", id=id)
    try:
        name = decode(bytes(members["type"]), str)
    except InvalidRequest as problem:
        raise _invalid("type", _said(problem)[1], id=id) from None
    if name not in _KNOWN:
        raise BadMessage(
            ErrorCode.UNKNOWN_COMMAND,
            f'Unknown type "{_shorten(name)}". Known types: {", ".join(_KNOWN)}.',
            id=id,
            fields={"type": ["Unknown type"]},
        )
    if name not in _TENANT_FORMS or "jobId" in members:
        return _KNOWN[name]
    if "tenantId" not in members:
        raise _invalid("jobId", "Either jobId or tenantId is required", id=id)
    return _TENANT_FORMS[name]


def _said(problem: InvalidRequest) -> tuple[str, str]:
    assert problem.fields is not None
    [(field, [sentence])] = problem.fields.items()
    return field, _FORMS[field] if "matching regex" in sentence else sentence


def _check_one_credential(auth: commands.Auth) -> None:
    if [auth.token, auth.key, auth.ticket].count(None) != 2:
        raise _invalid("token", "Exactly one of token, key or ticket is required", id=auth.id)


def _invalid(field: str, sentence: str, *, id: CommandId | None) -> BadMessage:
    field = _shorten(field)
    return BadMessage(
        ErrorCode.VALIDATION_ERROR,
        f"Validation error: {field}: {sentence}.",
        id=id,
        fields={field: [sentence]},
    )


def _shorten(name: str) -> str:
    return name if len(name) <= 64 else name[:63] + "…"
