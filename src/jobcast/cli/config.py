"""Which server a command talks to, and with which key.

`--url` and `--key` win over `JOBCAST_URL` and `JOBCAST_API_KEY`, and these over what is stored:
first by `jobcast dev` in its data folder, then by `jobcast login` in the user's own. Where nothing
is known it is the server that this machine's settings would start. A stored key is only ever sent
to the server that it was stored with.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from jobcast.cli.errors import CliError
from jobcast.cli.ports import reachable
from jobcast.client import address, codec
from jobcast.client.errors import JobcastError

DEFAULT_URL: Final = "http://127.0.0.1:3000"
FILE_NAME: Final = "client.json"


@dataclass(frozen=True, slots=True)
class Server:
    """A server's address and the key to call it with, if one is known."""

    url: str
    key: str | None


def find_server(url: str | None, key: str | None, data_dir: Path) -> Server:
    """The server to call. Raises CliError for a stored file that can't be read."""
    known = [server for path in (data_dir / FILE_NAME, login_file()) if (server := _read(path))]
    if url is None:
        url = known[0].url if known else _here()
    if key is None:
        key = next((server.key for server in known if _same(server.url, url)), None)
    return Server(url=url, key=key)


def login_file() -> Path:
    """Where `jobcast login` stores the server and its key."""
    return Path(typer.get_app_dir("jobcast")) / FILE_NAME


def store(path: Path, server: Server) -> None:
    """Writes `server` to `path`, whole or not at all, for its owner's eyes only (mode 0600)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(codec.dumps({"url": server.url, "key": server.key}, indent=2) + "\n")
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise CliError(
            f"Could not store the key in {path}: {problem.strerror}. Make the folder writable."
        ) from problem


def _here() -> str:
    """Where a server of this machine listens, as its settings say: PORT, and the host if set."""
    from jobcast.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError:  # the server's affair
        return DEFAULT_URL
    return reachable(settings.host, settings.port) if settings.port else DEFAULT_URL


def _read(path: Path) -> Server | None:
    try:
        document: Any = codec.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        document = None
    match document:
        case {"url": str(url), "key": str() | None as key}:
            return Server(url=url, key=key)
    raise CliError(
        f"{path} can't be read: delete it, then run `jobcast dev` or `jobcast login` again."
    )


def _same(one: str, other: str) -> bool:
    try:
        return address.parse(one).root == address.parse(other).root
    except JobcastError:
        return False
