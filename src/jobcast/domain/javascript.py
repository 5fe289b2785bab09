"""JSON text as JavaScript would write it.

Webhook bodies are written so that a receiver that parses and re-stringifies them gets the same
bytes, because that is how many check a signature.
"""

import json
import re
from typing import Final

from msgspec import Raw
from msgspec.json import Encoder

from jobcast.domain import javascript_scan
from jobcast.domain.javascript_scalars import number

_encoder: Final = Encoder()
_LIKE_AN_INDEX: Final = re.compile(r'"(?:[0-9]|\\u003[0-9])+"[ \t\n\r]*:')
"""A key that may be an array index; or text within a string that merely looks like one."""


def javascript_json(text: str) -> str:
    """`JSON.stringify(JSON.parse(text))`, as far as JavaScript keeps the value.

    Compact; no escapes but JSON's own, with lone surrogates as lower-case `\\udXXX`; floats as
    JavaScript writes them (1.0 is `1`, 1e21 is `1e+21`, 1e-7 is `1e-7`, -0 is `0`); keys that are
    array indexes come first, ascending; of a repeated key the last value stands at the first's
    place. What JavaScript would lose stays as it was: whole numbers of any size, and floats that
    overflow to Infinity or underflow to 0. Raises ValueError when `text` isn't JSON.
    """
    if not _LIKE_AN_INDEX.search(text):
        try:
            value = json.loads(text, parse_float=_float, parse_constant=_refuse)
            return _encoder.encode(value).decode()
        except (ValueError, RecursionError):
            pass  # Not JSON, nested deeply, or with lone surrogates: the scan knows which.
    return javascript_scan.rewrite(text)


def _float(token: str) -> Raw:
    return Raw(number(token))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
