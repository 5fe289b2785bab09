"""Tokens: what they look like, how they are signed, and what is wrong with one that is refused.

Access and watch tokens are JWTs of one algorithm, told apart by their audience. Refresh tokens and
tickets are opaque texts, of which the database has a digest only.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import jwt
import msgspec

from jobcast.domain.errors import Unauthorized
from jobcast.runtime.ids import new_id

ALGORITHM: Final = "HS256"
ISSUER: Final = "jobcast"
REFRESH_PREFIX: Final = "jr_"
TICKET_PREFIX: Final = "jt_"
INVITE_PREFIX: Final = "ji_"
RESET_PREFIX: Final = "jp_"
NOT_A_TOKEN: Final = "Invalid access token"


class TokenKind(StrEnum):
    """The kinds of signed tokens; the values are their audiences."""

    ACCESS = "jobcast:access"
    WATCH = "jobcast:watch"


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a good access token says. `expires_at` is in milliseconds."""

    user_id: str
    login_id: str
    expires_at: int


class WatchClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a good watch token says: whose it is, and the one job it reads."""

    tenant_id: str
    job_id: str
    expires_at: int


class _Claims(msgspec.Struct):
    aud: TokenKind
    exp: int
    iat: int
    jti: str
    sub: str
    sid: str | None = None
    tid: str | None = None


class SignedTokens:
    """Signs with the first of `keys` and verifies with all of them, told apart by `kid`."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("no secret to sign access tokens with")
        self._keys = {_key_id(key): key for key in reversed(keys)}
        self._signer = _key_id(keys[0])

    def access(self, *, user_id: str, login_id: str, seconds: int, now: int) -> str:
        """A token that acts for a user under one login."""
        return self._sign(TokenKind.ACCESS, {"sub": user_id, "sid": login_id}, seconds, now)

    def watch(self, *, tenant_id: str, job_id: str, seconds: int, now: int) -> str:
        """A token that reads one job."""
        return self._sign(TokenKind.WATCH, {"sub": job_id, "tid": tenant_id}, seconds, now)

    def read(self, token: str, *, now: int) -> AccessClaims | WatchClaims:
        """What the token says; raises Unauthorized for one that is forged or has expired."""
        claims = self._verified(token)
        ends = claims.exp * 1000
        match claims.aud:
            case TokenKind.ACCESS if claims.sid is not None:
                if ends <= now:
                    raise Unauthorized("Access token expired")
                return AccessClaims(user_id=claims.sub, login_id=claims.sid, expires_at=ends)
            case TokenKind.WATCH if claims.tid is not None:
                if ends <= now:
                    raise Unauthorized("Watch token expired")
                return WatchClaims(tenant_id=claims.tid, job_id=claims.sub, expires_at=ends)
            case _:
                raise Unauthorized(NOT_A_TOKEN)

    def _sign(self, kind: TokenKind, claims: dict[str, str], seconds: int, now: int) -> str:
        issued = now // 1000
        return jwt.encode(
            {
                "iss": ISSUER,
                "aud": kind.value,
                "iat": issued,
                "exp": issued + seconds,
                "jti": new_id(),
                **claims,
            },
            self._keys[self._signer],
            algorithm=ALGORITHM,
            headers={"kid": self._signer},
        )

    def _verified(self, token: str) -> _Claims:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = self._keys[str(key_id)]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=[kind.value for kind in TokenKind],
                # Expiry is judged by the caller's clock, types by the conversion.
                options={
                    "require": ["iss", "aud", "exp", "iat", "jti", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            return msgspec.convert(claims, _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, KeyError, ValueError):
            raise Unauthorized(NOT_A_TOKEN) from None


class RefreshTokens:
    """Refresh tokens: random texts, stored as an HMAC keyed with the refresh secret.

    The successor of a token is derived from it with the secret, so the same token always has the
    same successor and none has to be stored. The first of `keys` digests, all recognise.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("no secret to digest refresh tokens with")
        self._keys = tuple(key.encode() for key in keys)

    def new(self) -> str:
        """A new token."""
        return REFRESH_PREFIX + secrets.token_urlsafe(32)

    def digest(self, token: str) -> str:
        """What is stored of a new token."""
        return _hmac(self._keys[0], "digest", token).hex()

    def digests(self, token: str) -> tuple[str, ...]:
        """What may be stored of a token, one for each secret."""
        return tuple(_hmac(key, "digest", token).hex() for key in self._keys)

    def successor(self, token: str, *, digest: str) -> str:
        """The token that this one is traded for, by the secret that made its stored digest."""
        key = self._keys[self.digests(token).index(digest)]
        text = base64.urlsafe_b64encode(_hmac(key, "successor", token)).decode().rstrip("=")
        return REFRESH_PREFIX + text


def new_ticket() -> str:
    """A new ticket for a socket."""
    return TICKET_PREFIX + secrets.token_urlsafe(24)


def new_invite() -> str:
    """A new invite into a tenant."""
    return INVITE_PREFIX + secrets.token_urlsafe(24)


def new_reset() -> str:
    """A new token that sets a forgotten password anew."""
    return RESET_PREFIX + secrets.token_urlsafe(32)


def sha256(text: str) -> str:
    """The digest of a text that is random enough to need no salt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hmac(key: bytes, purpose: str, token: str) -> bytes:
    text = f"{purpose}:{token}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, text, "sha256")


def _key_id(key: str) -> str:
    return hmac.digest(key.encode(), b"kid", "sha256").hex()[:12]
