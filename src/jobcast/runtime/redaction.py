"""No secret in any log: whatever looks like one is blotted out of the text, last of all."""

import re
from typing import Final

BLOT: Final = "[redacted]"

_NAMED: Final = (
    r"(?:access|refresh|watch|csrf)?_?-?token|ticket|password|passwd|secret|api_?-?key|apikey|"
    r"x-api-key|authorization|cookie|set-cookie|guest_?token"
)
_COLOUR: Final = r"(?:\x1b\[[0-9;]*m)*"
"""What a terminal's log has between a name and its value."""

_PATTERNS: Final = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # By form: API keys (their id stays), refresh tokens and tickets, JWTs, webhook secrets.
        (r"\bjc_([a-z]+_[A-Za-z0-9]{1,40})_[A-Za-z0-9_-]{8,}", rf"jc_\1_{BLOT}"),
        (r"\bj[rt]_[A-Za-z0-9_-]{16,}", BLOT),
        (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?", BLOT),
        (r"\bwhsec_[A-Za-z0-9+/=_-]+", BLOT),
        (r"\b(Bearer|(?-i:Basic))\s+[A-Za-z0-9._~+/=:-]{8,}", rf"\1 {BLOT}"),
        # By name: in an address, a form, JSON, a header or a Python literal.
        (rf"((?:{_NAMED}){_COLOUR}={_COLOUR}['\"]?)[^&\s\"'#;\x1b]+", rf"\1{BLOT}"),
        (
            rf"((?:{_NAMED})\\*[\"']?\s*:\s*)(\\*[\"'])(?:(?!\2).)+\2",
            rf"\1\2{BLOT}\2",
        ),
        # Passwords within addresses.
        (r"\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", rf"\1:{BLOT}@"),
    )
]
_HINT: Final = re.compile(
    r"token|ticket|passw|secret|key|authorization|cookie|jc_|eyJ|whsec_|bearer|basic|://",
    re.IGNORECASE,
)
"""Most lines hold nothing of the kind, and are let through after one look."""


def redact(text: str) -> str:
    """The text without secrets."""
    if _HINT.search(text) is None:
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
