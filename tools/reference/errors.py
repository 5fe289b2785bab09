"""The errors: codes over HTTP and WebSocket, exceptions of the client, exit codes."""

from typing import Final, TypeVar

from tools.reference.markdown import code, page, prose, section, table

from jobcast.cli import errors as exits
from jobcast.client import errors as client
from jobcast.domain import errors as domain
from jobcast.wire.errors import ErrorCode

Kind = TypeVar("Kind")

INTRO: Final = """
An error has a `code` for programs and a `message` for people. It is the same over HTTP (in the
envelope) and over WebSocket (an `error` frame). Where trying again can help, the frame says
`temporary: true`, and `retryAfter` (seconds) says when. A client's fault is never a 500, and no
error shows a stack trace.
"""

_SOCKET: Final = {
    ErrorCode.UNKNOWN_COMMAND: "No command has this `type`; the message lists those there are.",
    ErrorCode.BINARY_REFUSED: "Frames are text.",
    ErrorCode.ALREADY_SUBSCRIBED: "This connection follows it already.",
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: "Unsubscribe from something first.",
    ErrorCode.TOO_MANY_PENDING: "Wait for answers before you ask for more.",
    ErrorCode.OTHER_IDENTITY: "`auth` renews a connection's credentials; it can't change whose.",
}
_ROUTING: Final = (
    ("METHOD_NOT_ALLOWED", "405", "The route has other methods; `Allow` names them."),
    ("INVALID_REQUEST", "4xx", "The request can't be read as HTTP should be."),
    ("HOST_NOT_ALLOWED", "400", "The `Host` is none of `JOBCAST_ALLOWED_HOSTS`."),
)
_EXITS: Final = (
    (exits.DONE, "Done; with `--watch`, the job ended as DONE."),
    (exits.JOB_FAILED, "The job failed or was cancelled; `verify` found something broken."),
    (exits.BAD_USAGE, "The command, its options, the key, the payload or the id is wrong."),
    (exits.OUT_OF_REACH, "The server or the database is out of reach, or can't serve now."),
    (exits.BUG, "A fault of Jobcast's own; please report it."),
    (exits.INTERRUPTED, "Stopped by Ctrl-C."),
)


def render() -> str:
    """The page."""
    rows = [
        [code(kind.code), str(kind.status), "yes" if kind.temporary else "", prose(kind.__doc__)]
        for kind in _tree(domain.JobcastError)
        if "code" in vars(kind) and kind is not domain.JobcastError
    ]
    rows += [[code(name), status, "", text] for name, status, text in _ROUTING]
    rows.append([code("INTERNAL_ERROR"), "500", "", "A fault of Jobcast's own; its log says more."])
    return page(
        "Errors",
        source="the errors",
        intro=INTRO,
        parts=[
            section("Codes", table(("Code", "HTTP status", "Temporary", "Meaning"), rows)),
            section(
                "Codes of the socket alone",
                table(
                    ("Code", "Meaning"),
                    [[code(name.value), text] for name, text in _SOCKET.items()],
                ),
            ),
            section("Exceptions of the Python client", _exceptions()),
            section(
                "Exit codes",
                table(("Code", "Meaning"), [[code(number), text] for number, text in _EXITS]),
            ),
        ],
    )


def _exceptions() -> str:
    rows = [
        [
            code(f"jobcast.client.{kind.__name__}"),
            code(kind.default_code),
            "yes" if kind.temporary else "",
            prose(kind.__doc__),
        ]
        for kind in _tree(client.JobcastError)
    ]
    return table(("Exception", "Usual code", "Temporary", "Meaning"), rows)


def _tree(root: type[Kind]) -> list[type[Kind]]:
    return [root, *(found for kind in root.__subclasses__() for found in _tree(kind))]
