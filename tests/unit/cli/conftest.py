"""What the command line's tests share: a fake server, an empty folder, and a runner in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.client.fake_host import Host
from tests.unit.client.fake_server import KEY, FakeServer
from typer.testing import CliRunner, Result

from jobcast.cli.main import app

Run = Callable[..., Result]


@pytest.fixture(scope="package")
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.stop()


@pytest.fixture
def server(host: Host) -> FakeServer:
    fake = FakeServer()
    host.serve(fake)
    return fake


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an empty home; no variable names a server."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    for name in ("JOBCAST_URL", "JOBCAST_API_KEY", "JOBCAST_DATA_DIR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return here


@pytest.fixture
def run_alone(folder: Path) -> Run:
    """Runs a command that knows of no server."""

    def run(*words: str, input: str | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=input, prog_name="jobcast")

    return run


@pytest.fixture
def run(run_alone: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command that knows the fake server."""
    monkeypatch.setenv("JOBCAST_URL", server.url)
    monkeypatch.setenv("JOBCAST_API_KEY", KEY)
    return run_alone
