"""Links to this server, for answers and mails."""

from starlette.requests import Request

from jobcast.gateway.state import Gateway


def link(gateway: Gateway, request: Request, path: str) -> str:
    """A link for whoever asked: below the public address, else where the request found this app."""
    return (gateway.settings.public_url or _found_at(request)) + path


def mail_base(gateway: Gateway, request: Request) -> str | None:
    """What links in mails begin with; None where nobody has said.

    In production never what the request says: it may be a stranger's, with a Host that is theirs.
    """
    if gateway.settings.public_url is not None or gateway.settings.env == "production":
        return gateway.settings.public_url
    return _found_at(request)


def _found_at(request: Request) -> str:
    return str(request.url.replace(path=request.scope.get("root_path", ""), query="", fragment=""))
