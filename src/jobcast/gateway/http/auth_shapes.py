"""What goes into `/api/auth` and comes out of it."""

from typing import Annotated

from msgspec import Meta, Struct

from jobcast.services.passwords import MIN_LENGTH

# What the description says beyond the type; the services judge it, in their own sentences.
Email = Annotated[str, Meta(extra_json_schema={"format": "email"})]
NewPassword = Annotated[str, Meta(extra_json_schema={"minLength": MIN_LENGTH})]


class In(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What all bodies share; none of them shows its secrets in `repr`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Registration(In, frozen=True, kw_only=True):
    """Who wants to come in."""

    email: Email
    password: NewPassword
    name: str | None = None
    invite: str | None = None


class LoginBody(In, frozen=True, kw_only=True):
    """Who comes back."""

    email: str
    password: str


class RefreshBody(In, frozen=True, kw_only=True):
    """A login, by its refresh token."""

    refresh_token: str


class PasswordBody(In, frozen=True, kw_only=True):
    """The old password, and the one to take its place."""

    current_password: str
    new_password: NewPassword


class ResetBody(In, frozen=True, kw_only=True):
    """Either whose password is forgotten, or the token from the mail and the new password."""

    email: Email | None = None
    token: str | None = None
    new_password: NewPassword | None = None


class Out(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all answers share."""


class RegisteredUser(Out, frozen=True, kw_only=True):
    """A new user; `api_key` is shown this once."""

    id: str
    email: str
    tenant_id: str
    api_key: str
    created_at: str


class TokenPair(Out, frozen=True, kw_only=True):
    """A short-lived token to call with, and one to renew both."""

    access_token: str
    refresh_token: str


class Me(Out, frozen=True, kw_only=True):
    """Who the credentials stand for; the user is null for a key that is nobody's."""

    kind: str
    tenant_id: str
    id: str | None
    email: str | None
    name: str | None
    owner: bool
    scopes: list[str]
    key_id: str | None
    created_at: str | None


class Session(Out, frozen=True, kw_only=True):
    """A login; `current` is the one that asks."""

    id: str
    current: bool
    created_at: str
    last_used_at: str
    expires_at: str
    user_agent: str | None
    address: str | None


class Revoked(Out, frozen=True, kw_only=True):
    """How many sessions were ended."""

    revoked: int
