"""The web page: static files that need no build step and nothing from elsewhere."""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

__all__ = ["CONTENT_SECURITY_POLICY", "FILES"]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The strictest policy that the page works under; to be sent with each of its files."""


def _load() -> Mapping[str, tuple[bytes, str]]:
    found: dict[str, tuple[bytes, str]] = {}
    for file in files(__name__).iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in _TYPES:
            path = "/" if file.name == "index.html" else f"/dashboard/{file.name}"
            found[path] = (file.read_bytes(), _TYPES[suffix])
    return MappingProxyType(found)


FILES: Final[Mapping[str, tuple[bytes, str]]] = _load()
"""Path → (content, content type), read once; the page itself is at "/"."""
