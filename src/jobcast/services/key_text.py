"""The text of an API key: `jc_<env>_<id>_<secret><checksum>`.

The id finds the key in the database, the secret proves it, and the checksum tells a typo from a
wrong key without asking the database.
"""

import re
import secrets
import zlib
from typing import Final, Literal

Env = Literal["development", "production", "test"]

_ENVS: Final[dict[Env, str]] = {"development": "dev", "production": "live", "test": "test"}
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 32
"""Characters of base62, so 190 random bits: nobody guesses them, and their digest needs no salt."""

_FORM: Final = re.compile(
    r"(jc_(?:dev|live|test)_([0-9A-Za-z]{12})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})"
)


def new_key(env: Env) -> tuple[str, str]:
    """The id and the text of a new key."""
    key_id = _random(_ID_LENGTH)
    body = f"jc_{_ENVS[env]}_{key_id}_{_random(_SECRET_LENGTH)}"
    return key_id, body + _checksum(body)


def key_id_of(text: str) -> str | None:
    """The id in a key's text; None when the text is no key, or one with a typo."""
    match = _FORM.fullmatch(text)
    return match[2] if match is not None and match[3] == _checksum(match[1]) else None


def hint_of(text: str) -> str:
    """What a list may show of a key: nothing of its secret."""
    return text[: text.rindex("_") + 1] + "…"


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits += _BASE62[digit]
    return digits
