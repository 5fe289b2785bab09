"""What people type of themselves: e-mail addresses, passwords and names, checked."""

import re
import unicodedata
from typing import Final

from jobcast.domain.errors import InvalidRequest
from jobcast.services.passwords import MAX_BYTES, MIN_LENGTH

_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL: Final = re.compile(
    rf"(?=.{{3,254}}\Z)[^\s@\"(),:;<>\[\]\\.\x00-\x1f\x7f\ufffd]+"
    rf"(?:\.[^\s@\"(),:;<>\[\]\\.\x00-\x1f\x7f\ufffd]+)*@{_LABEL}(?:\.{_LABEL})+"
)
"""What mail servers take without quoting; a domain has a dot. Whether it exists, mail must show."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_LOCAL_PART: Final = 64
"""Characters before the @, by RFC 5321."""


LABEL_SENTENCE: Final = "Must be 1 to 100 printable characters"


def normal_email(text: str) -> str:
    """The form in which an address is stored and looked up: upper and lower case are one.

    It can be asked of any database: what no text column takes is replaced.
    """
    plain = _UNSTORABLE.sub("\ufffd", text.strip())
    return unicodedata.normalize("NFC", plain).lower()


def check_registration(*, email: str, password: str, name: str | None) -> str:
    """The normalised address; raises InvalidRequest that names each field at fault."""
    fields = {}
    email = normal_email(email)
    if not valid_email(email):
        fields["email"] = ["Invalid email format"]
    sentence = password_fault(password)
    if sentence is not None:
        fields["password"] = [sentence]
    if name is not None and not is_label(name):
        fields["name"] = [LABEL_SENTENCE]
    if fields:
        raise InvalidRequest("Validation error", fields=fields)
    return email


def valid_email(email: str) -> bool:
    """Whether a normalised address is one that mail servers take."""
    return _EMAIL.fullmatch(email) is not None and email.index("@") <= _LOCAL_PART


def is_label(text: str) -> bool:
    """Whether a text can name something: 1 to 100 characters that can be seen and stored."""
    return 1 <= len(text) <= 100 and text.isprintable() and not text.isspace()


def is_id(text: str) -> bool:
    """Whether a text can be an id at all, so that a database may be asked for it."""
    return 1 <= len(text) <= 100 and text.isascii() and text.isprintable()


def password_fault(password: str) -> str | None:
    """What is wrong with a new password, if anything."""
    if len(password) < MIN_LENGTH:
        return f"Password must be at least {MIN_LENGTH} characters"
    if len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"Password must be at most {MAX_BYTES} bytes"
    return None


def display_name(name: str | None, email: str | None) -> str | None:
    """What others see of a user: the name they chose, else the part before the @."""
    return name or (email.partition("@")[0] if email else None)
