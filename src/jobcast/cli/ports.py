"""The port: whether it is free, and a socket that listens on it, before anything is started."""

import errno
import socket
from typing import Final

from jobcast.cli.errors import CliError

BACKLOG: Final = 2048
"""Connections that may wait to be accepted, as uvicorn has it."""


def require_free(host: str, port: int) -> None:
    """Raises CliError with one sentence when a server can't listen at `host` and `port`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise CliError(f"There is no host {host}: choose another with --host.") from None
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
                probe.listen(1)
            except OSError as problem:
                raise cannot_listen(host, port, problem) from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` and `port`. Raises CliError with one sentence.

    Whoever connects from now on is served as soon as there is someone who accepts.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except (OSError, UnicodeError) as problem:
        sock.close()
        if isinstance(problem, (socket.gaierror, UnicodeError)):
            raise CliError(f"There is no host {host}: choose another with --host.") from None
        raise cannot_listen(host, port, problem) from None
    return sock


def reachable(host: str, port: int) -> str:
    """The address of a server that listens at `host` and `port`."""
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def cannot_listen(host: str, port: int, problem: OSError) -> CliError:
    """Why the port can't be had, and what to do."""
    match problem.errno:
        case errno.EADDRINUSE:
            said = f"Port {port} is in use: choose another with --port."
        case errno.EACCES:
            said = f"Port {port} needs more rights: choose one above 1023 with --port."
        case errno.EADDRNOTAVAIL:
            said = f"{host} is no address of this machine: choose another with --host."
        case _:
            said = f"Can't listen at {host} port {port}: {problem.strerror}."
    return CliError(said, code="CANNOT_LISTEN")
