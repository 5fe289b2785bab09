"""Links to this server, for answers and mails."""

from urllib.parse import quote, urlsplit

from starlette.requests import Request

from jobcast.gateway.state import Gateway


def link(gateway: Gateway, request: Request, path: str) -> str:
    """A link for whoever asked: below the public address, else where the request found this app."""
    return (gateway.settings.public_url or _found_at(request)) + path


def location(gateway: Gateway, request: Request, path: str) -> str:
    """The `Location` of what was made: below the path of the public address, else of the mount.

    It names no host, so it is the one that was asked: that may be another one than the public.
    """
    public = gateway.settings.public_url
    below = request.scope.get("root_path", "") if public is None else urlsplit(public).path
    return quote(below, safe="/%:@") + path


def mail_base(gateway: Gateway, request: Request) -> str | None:
    """What links in mails begin with; None where nobody has said.

    In production never what the request says: it may be a stranger's, with a Host that is theirs.
    """
    if gateway.settings.public_url is not None or gateway.settings.env == "production":
        return gateway.settings.public_url
    return _found_at(request)


def _found_at(request: Request) -> str:
    return str(request.url.replace(path=request.scope.get("root_path", ""), query="", fragment=""))
