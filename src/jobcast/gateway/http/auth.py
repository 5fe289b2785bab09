"""`/api/auth`: registering, logging in and out, and one's own sessions and password."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.errors import InvalidRequest
from jobcast.domain.times import iso
from jobcast.gateway.http.auth_shapes import (
    LoginBody,
    Me,
    PasswordBody,
    RefreshBody,
    RegisteredUser,
    Registration,
    ResetBody,
    Revoked,
    Session,
    TokenPair,
)
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import address_of, count_stranger, identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.links import mail_base
from jobcast.gateway.http.operation import Operation, route
from jobcast.gateway.state import Gateway
from jobcast.services.credentials import user_of
from jobcast.services.logins import Login, Tokens
from jobcast.wire.api import page_meta

TAG = "auth"


class _Auth:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._accounts = gateway.accounts

    async def register(self, request: Request) -> Response:
        body = await read(request, Registration)
        user = await self._accounts.register(
            email=body.email,
            password=body.password,
            name=body.name,
            invite=body.invite,
            address=address_of(request),
        )
        data = RegisteredUser(
            id=user.id,
            email=user.email,
            tenant_id=user.tenant_id,
            api_key=user.api_key,
            created_at=iso(user.created_at),
        )
        return success("User registered successfully", data, status=201)

    async def login(self, request: Request) -> Response:
        body = await read(request, LoginBody)
        tokens = await self._accounts.login(
            email=body.email,
            password=body.password,
            address=address_of(request),
            user_agent=request.headers.get("user-agent", "")[:200] or None,
        )
        return success("Login successful", _pair(tokens))

    async def refresh(self, request: Request) -> Response:
        await count_stranger(self._gateway, request)
        body = await read(request, RefreshBody)
        tokens = await self._accounts.logins.refresh(body.refresh_token)
        return success("Token refreshed", _pair(tokens))

    async def logout(self, request: Request) -> Response:
        await count_stranger(self._gateway, request)
        body = await read(request, RefreshBody)
        await self._accounts.logins.close(body.refresh_token)
        return success("Logout successful")

    async def me(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        user = await self._accounts.me(principal)
        data = Me(
            kind=principal.kind.value,
            tenant_id=principal.tenant_id,
            id=user.id if user else None,
            email=user.email if user else None,
            name=principal.name,
            owner=principal.owner,
            scopes=sorted(principal.scopes),
            key_id=principal.key_id,
            created_at=iso(user.created_at) if user else None,
        )
        return success("User retrieved successfully", data)

    async def list_sessions(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        logins = await self._accounts.logins.live(user_id=user_of(principal))
        sessions = [_session(login, current=principal.login_id) for login in logins]
        meta = page_meta(total=len(sessions), page=1, limit=max(1, len(sessions)))
        return success("Sessions retrieved successfully", sessions, meta=meta)

    async def revoke_other_sessions(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        revoked = await self._accounts.logins.revoke_others(
            user_id=user_of(principal), but=principal.login_id
        )
        return success("Other sessions revoked successfully", Revoked(revoked=revoked))

    async def revoke_session(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        await self._accounts.logins.revoke(
            user_id=user_of(principal), login_id=request.path_params["id"]
        )
        return success("Session revoked successfully")

    async def change_password(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        body = await read(request, PasswordBody)
        await self._accounts.change_password(
            principal,
            current=body.current_password,
            new=body.new_password,
            address=address_of(request),
        )
        return success("Password changed successfully")

    async def reset_password(self, request: Request) -> Response:
        await count_stranger(self._gateway, request)
        body = await read(request, ResetBody)
        _check(body)
        if body.email is not None:
            base = mail_base(self._gateway, request)
            await self._accounts.resets.request(
                email=body.email, address=address_of(request), base=base
            )
            return success("If this address has an account, a mail is on its way")
        assert body.token is not None
        assert body.new_password is not None
        await self._accounts.resets.confirm(token=body.token, password=body.new_password)
        return success("Password reset successfully")


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    auth = _Auth(gateway)
    return [
        route(
            "POST",
            "/api/auth/register",
            auth.register,
            Operation(
                summary="Register",
                tag=TAG,
                text="A user and their first API key: with `invite` in the tenant that invites, "
                "else in one of their own.",
                status=201,
                body=Registration,
                data=RegisteredUser,
                credentials="none",
                errors=(403, 429, 503),
            ),
        ),
        route(
            "POST",
            "/api/auth/login",
            auth.login,
            Operation(
                summary="Log in",
                tag=TAG,
                body=LoginBody,
                data=TokenPair,
                credentials="none",
                errors=(401, 429, 503),
            ),
        ),
        route(
            "POST",
            "/api/auth/refresh",
            auth.refresh,
            Operation(
                summary="Trade a refresh token for new tokens",
                tag=TAG,
                text="The old refresh token gives the same answer again until its successor has "
                "been used; after that it ends the login.",
                body=RefreshBody,
                data=TokenPair,
                credentials="none",
                errors=(401, 429),
            ),
        ),
        route(
            "POST",
            "/api/auth/logout",
            auth.logout,
            Operation(
                summary="Log out",
                tag=TAG,
                body=RefreshBody,
                credentials="none",
                errors=(401, 429),
            ),
        ),
        route(
            "GET",
            "/api/auth/me",
            auth.me,
            Operation(summary="Who the credentials stand for", tag=TAG, data=Me),
        ),
        route(
            "GET",
            "/api/auth/sessions",
            auth.list_sessions,
            Operation(summary="One's own logins", tag=TAG, data=Session, listed=True),
        ),
        route(
            "DELETE",
            "/api/auth/sessions",
            auth.revoke_other_sessions,
            Operation(summary="End all one's other logins", tag=TAG, data=Revoked),
        ),
        route(
            "DELETE",
            "/api/auth/sessions/{id}",
            auth.revoke_session,
            Operation(summary="End one of one's logins", tag=TAG),
        ),
        route(
            "POST",
            "/api/auth/password",
            auth.change_password,
            Operation(
                summary="Change one's password",
                tag=TAG,
                text="Ends all one's other logins.",
                body=PasswordBody,
                errors=(429, 503),
            ),
        ),
        route(
            "POST",
            "/api/auth/password/reset",
            auth.reset_password,
            Operation(
                summary="Set a forgotten password anew",
                tag=TAG,
                text="With `email` it mails a link, and answers the same where there is no such "
                "account; with the `token` from it and `newPassword` it sets the password and "
                "ends all logins.",
                body=ResetBody,
                credentials="none",
                errors=(429, 503),
            ),
        ),
    ]


def _check(body: ResetBody) -> None:
    """Raises InvalidRequest unless it is one of its two forms, whole."""
    second = {"token": body.token, "newPassword": body.new_password}
    if body.email is not None:
        wrong, sentence = [name for name in second if second[name] is not None], "Not with email"
    elif not any(value is not None for value in second.values()):
        wrong, sentence = ["email"], "Required"
    else:
        wrong, sentence = [name for name in second if second[name] is None], "Required"
    if wrong:
        raise InvalidRequest("Validation error", fields={name: [sentence] for name in wrong})


def _pair(tokens: Tokens) -> TokenPair:
    return TokenPair(access_token=tokens.access_token, refresh_token=tokens.refresh_token)


def _session(login: Login, *, current: str | None) -> Session:
    return Session(
        id=login.id,
        current=login.id == current,
        created_at=iso(login.created_at),
        last_used_at=iso(login.used_at),
        expires_at=iso(login.expires_at),
        user_agent=login.user_agent,
        address=login.address,
    )
