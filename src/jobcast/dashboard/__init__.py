"""The web page: static files that need no build step and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Set
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CONTENT_SECURITY_POLICY", "FILES", "File"]

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The strictest policy that the page works under; to be sent with each of its files."""

SDK: Final = "sdk"
"""The folder of the JavaScript SDK in a wheel; a source tree has it in `clients/js`."""

_SOURCE: Final = Path(__file__).parents[3] / "clients" / "js"
_ELSEWHERE: Final = frozenset({"webhooks.js", "react.js"})
"""Modules of the SDK that no page of ours loads."""


class File(NamedTuple):
    """A file as it is sent; the tag names its content."""

    content: bytes
    content_type: str
    etag: str


def _load() -> Mapping[str, File]:
    here = files(__name__)
    sdk = here.joinpath(SDK)
    found = dict(_within(here, "/dashboard/"))
    found |= _within(here.joinpath("pages"), "/dashboard/pages/")
    found |= _within(sdk if sdk.is_dir() else _SOURCE, f"/dashboard/{SDK}/", but=_ELSEWHERE)
    page = found.pop("/dashboard/index.html")
    # It stands for the release: a page that runs learns from it that the server has another one.
    tags = "".join(found[path].etag for path in sorted(found))
    found["/"] = _file(page.content, page.content_type, seed=tags.encode())
    return MappingProxyType(found)


def _within(folder: Traversable, prefix: str, *, but: Set[str] = frozenset()) -> dict[str, File]:
    found: dict[str, File] = {}
    for entry in folder.iterdir():
        suffix = f".{entry.name.rpartition('.')[2]}"
        if suffix in _TYPES and entry.name not in but:
            found[prefix + entry.name] = _file(entry.read_bytes(), _TYPES[suffix])
    return found


def _file(content: bytes, content_type: str, *, seed: bytes = b"") -> File:
    return File(content, content_type, f'"{sha256(seed + content).hexdigest()[:20]}"')


FILES: Final[Mapping[str, File]] = _load()
"""Path → file, read once; the page itself is at "/"."""
