"""`jobcast dev` up to the composition root, which is a fake here."""

import asyncio
import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

import jobcast
from jobcast.cli import server as dev_command
from jobcast.cli.config import Server
from jobcast.cli.server import Sample, banner
from jobcast.compose import OutOfReach
from jobcast.settings import Settings

URL = "http://127.0.0.1:4321"
KEY = "jc_dev+key"


@dataclass
class Info:
    url: str
    api_key: str


class FakeCompose(ModuleType):
    """Stands in for `jobcast.compose`: is ready at once, and then over."""

    OutOfReach = OutOfReach

    def __init__(self) -> None:
        super().__init__("jobcast.compose")
        self.served: list[tuple[jobcast.App, Settings, str]] = []
        self.fault: OSError | None = None

    async def serve_dev(
        self, app: jobcast.App, settings: Settings, *, on_ready: Callable[[Any], None]
    ) -> None:
        if self.fault is not None:
            raise self.fault
        loop = type(asyncio.get_running_loop()).__module__
        self.served.append((app, settings, loop))
        on_ready(Info(url=URL, api_key=KEY))


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCompose]:
    fake = FakeCompose()
    monkeypatch.setitem(sys.modules, "jobcast.compose", fake)
    monkeypatch.setattr(jobcast, "compose", fake, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield fake
    sys.modules.pop("shop", None)


@pytest.fixture
def shop(folder: Path) -> Path:
    (folder / "shop.py").write_text(
        "import jobcast\n"
        "app = jobcast.App()\n"
        "@app.job('*')\n"
        "async def anything(ctx, payload): ...\n"
        "@app.job('resize')\n"
        "async def resize(ctx, payload): ...\n"
    )
    return folder


def test_it_serves_the_named_app_with_the_given_settings(
    run_alone: Run, compose: FakeCompose, shop: Path
) -> None:
    result = run_alone("dev", "shop:app", "--port", "0", "--host", "localhost", "--data-dir", "d")
    assert result.exit_code == 0, result.output
    ((app, settings, _loop),) = compose.served
    assert app is sys.modules["shop"].app
    assert (settings.port, settings.host, settings.data_dir) == (0, "localhost", Path("d"))
    assert settings.jwt_access_secrets  # made for this folder


def test_it_runs_on_uvloop(run_alone: Run, compose: FakeCompose, shop: Path) -> None:
    run_alone("dev", "shop", "--port", "0")
    assert compose.served[0][2].startswith("uvloop")


def test_what_is_not_given_comes_from_the_environment(
    run_alone: Run, compose: FakeCompose, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("JOBCAST_DATA_DIR", "elsewhere")
    assert run_alone("dev", "shop").exit_code == 0
    assert compose.served[0][1].data_dir == Path("elsewhere")
    assert (shop / "elsewhere" / "client.json").exists()


def test_it_stores_the_server_and_its_key_for_other_commands(
    run_alone: Run, compose: FakeCompose, shop: Path
) -> None:
    run_alone("dev", "shop", "--port", "0")
    path = shop / ".jobcast" / "client.json"
    assert json.loads(path.read_text()) == {"url": URL, "key": KEY}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_prints_all_that_a_newcomer_needs(
    run_alone: Run, compose: FakeCompose, shop: Path
) -> None:
    shown = run_alone("dev", "shop", "--port", "0").stdout
    for part in (
        f"Jobcast runs at {URL}",
        f"Dashboard  {URL}/#key=jc_dev%2Bkey",
        f"API key    {KEY}",
        f"curl {URL}/api/jobs -H 'X-API-Key: {KEY}'",
        "jobcast submit resize --watch",
    ):
        assert part in shown


def test_json_is_one_line_for_programs(run_alone: Run, compose: FakeCompose, shop: Path) -> None:
    shown = run_alone("dev", "shop", "--port", "0", "--json").stdout
    assert json.loads(shown) == {
        "url": URL,
        "dashboard": f"{URL}/#key=jc_dev%2Bkey",
        "apiKey": KEY,
    }
    assert shown.count("\n") == 1


def test_the_sample_names_a_data_folder_that_is_not_the_usual_one() -> None:
    lines = banner(Server(url=URL, key=KEY), data_dir=Path("my data"), sample=Sample("x", {}))
    assert "  JOBCAST_DATA_DIR='my data' jobcast submit x --watch" in lines


def sample_of(*types: str) -> str:
    app = jobcast.App()
    for name in types:

        @app.job(name)
        async def plain(ctx: object, payload: dict[str, int]) -> None: ...

    @app.job("strict")
    async def strict(ctx: object, payload: Info) -> None: ...

    return Sample.of(app).command


def test_the_sample_is_one_that_works_as_it_stands() -> None:
    assert sample_of() == "submit strict --watch"
    assert sample_of("*", "free") == "submit free --watch"
    assert sample_of("free", "sleep") == """submit sleep --payload '{"delayMs":3000}' --watch"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dev", "nowhere:app", "--port", "0"], "There is no module nowhere"),
        (["dev", "--port", "70000"], "Invalid value for '--port'"),
        (["dev", "--port", "0", "--host", "192.0.2.1"], "is no address of this machine"),
    ],
)
def test_what_stands_in_the_way_is_one_sentence(
    run_alone: Run, compose: FakeCompose, words: list[str], said: str
) -> None:
    result = run_alone(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert compose.served == []


def test_bad_settings_are_told_in_their_own_sentences(
    run_alone: Run, compose: FakeCompose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCAST_RATE_LIMIT", "many")
    result = run_alone("dev", "--port", "0")
    assert result.exit_code == 2
    assert "JOBCAST_RATE_LIMIT" in result.stderr
    assert "Traceback" not in result.output


def test_a_port_that_was_taken_in_between_is_told_too(
    run_alone: Run, compose: FakeCompose, shop: Path
) -> None:
    compose.fault = OSError(98, "Address already in use")
    result = run_alone("dev", "shop", "--port", "0")
    assert (result.exit_code, result.stderr) == (
        2,
        "Port 0 is in use: choose another with --port.\n",
    )


def test_reload_hands_everything_on_to_a_child(
    run_alone: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    class FakeSupervisor:
        def __init__(self, command: Callable[[int], list[str]], **_: object) -> None:
            commands.append(command(7))

        def run(self) -> int:
            return 143

    monkeypatch.setattr(dev_command, "Supervisor", FakeSupervisor)
    result = run_alone("dev", "shop:app", "--reload", "--port", "0", "--data-dir", "d", "--json")
    assert result.exit_code == 143
    assert commands == [
        [
            *(sys.executable, "-m", "jobcast.cli", "dev", "shop:app"),
            *("--host", "127.0.0.1", "--port", "0", "--data-dir", "d", "--json"),
            *("--supervised", "7"),
        ]
    ]
