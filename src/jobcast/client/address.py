"""Where a server is: from what a user typed to the addresses that the client calls."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from jobcast.client.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Address:
    """`root` has no slash at its end; a path in it (a mounted Jobcast) is kept."""

    root: str
    socket: str
    is_loopback: bool

    @property
    def api(self) -> str:
        return f"{self.root}/api"


def parse(url: str) -> Address:
    """The address of the server at `url`, like `http://127.0.0.1:3000` or `https://host/prefix`.

    Raises InvalidRequest with a sentence when it is none.
    """
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise InvalidRequest(
            f"{url!r} is not a server's address; write it like http://127.0.0.1:3000.",
            code="BAD_URL",
        )
    path = parts.path.rstrip("/")
    scheme = "wss" if parts.scheme == "https" else "ws"
    return Address(
        root=urlunsplit((parts.scheme, parts.netloc, path, "", "")),
        socket=urlunsplit((scheme, parts.netloc, f"{path}/ws", "", "")),
        is_loopback=_is_loopback(host),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
