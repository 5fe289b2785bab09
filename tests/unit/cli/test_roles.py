"""serve, worker and migrate up to the composition root: what they refuse, and what they hand on."""

import socket
from collections.abc import Callable, Sequence

import pytest
from tests.unit.cli.conftest import Run

from jobcast import compose
from jobcast.app import App
from jobcast.cli import many
from jobcast.cli.errors import CliError
from jobcast.cli.ports import listen, reachable
from jobcast.cli.working import parse_queues
from jobcast.settings import Settings

APP = "jobcast.starter:app"
DATABASE = "postgresql://somebody:secret@db.example/jobs"


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)


class Many:
    """Stands in for the supervisor: notes what it was asked for, and says that all are ready."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.fds: Sequence[int] = ()
        self.count = 0

    def __call__(
        self,
        command: Callable[[int], list[str]],
        *,
        count: int,
        say: Callable[[str], None],
        on_ready: Callable[[], None],
        fds: Sequence[int],
    ) -> "Many":
        self.words, self.count, self.fds = command(9)[3:], count, fds
        on_ready()
        return self

    def run(self) -> int:
        return 143


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Many:
    fake = Many()
    monkeypatch.setattr(many, "Supervisor", fake)
    return fake


@pytest.mark.parametrize("words", [["serve"], ["worker", APP], ["migrate"]])
def test_a_role_needs_a_database_that_can_be_shared(run_alone: Run, words: list[str]) -> None:
    result = run_alone(*words)
    assert result.exit_code == 2
    assert f"`jobcast {words[0]}` needs PostgreSQL: set DATABASE_URL" in result.stderr


def test_a_worker_needs_an_app(run_alone: Run, database: None) -> None:
    result = run_alone("worker")
    assert result.exit_code == 2
    assert "name it as MODULE:APP" in result.stderr


def test_a_worker_runs_the_app_that_is_named(
    run_alone: Run, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[tuple[App, Settings, object]] = []

    async def work(
        app: App, settings: Settings, *, queues: object, on_ready: Callable[[str], None]
    ) -> None:
        worked.append((app, settings, queues))
        on_ready("a session")

    monkeypatch.setattr(compose, "work", work)
    result = run_alone("worker", APP, "--concurrency", "7", "--queues", "media:3,default", "--json")
    ((app, settings, queues),) = worked
    assert "sleep" in app.handlers.types
    assert (settings.concurrency, queues) == (7, {"media": 3, "default": 1})
    assert result.stdout == '{"app":"jobcast.starter:app","processes":1}\n'


def test_a_gateway_listens_before_it_is_built(
    run_alone: Run, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(
        settings: Settings, *, sock: socket.socket, on_ready: Callable[[str], None]
    ) -> None:
        with sock:
            on_ready(f"http://127.0.0.1:{sock.getsockname()[1]}")
            with pytest.raises(CliError, match="is in use"):
                listen("127.0.0.1", sock.getsockname()[1])

    monkeypatch.setattr(compose, "serve", serve)
    result = run_alone("serve", "--port", "0")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Jobcast serves at http://127.0.0.1:")


def test_it_migrates_first_where_it_is_asked_to(
    run_alone: Run, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def lay_schema(settings: Settings) -> list[str]:
        done.append("schema")
        return ["0001", "0002"]

    async def serve(settings: Settings, *, sock: socket.socket, on_ready: object) -> None:
        sock.close()
        done.append("serve")

    monkeypatch.setattr(compose, "serve", serve)
    monkeypatch.setattr(compose, "lay_schema", lay_schema)
    assert run_alone("serve", "--port", "0", "--migrate").exit_code == 0
    assert done == ["schema", "serve"]
    assert run_alone("migrate").stdout == "Applied 0001.\nApplied 0002.\n"
    assert (
        run_alone("migrate", "--json").stdout
        == '{\n  "applied": [\n    "0001",\n    "0002"\n  ]\n}\n'
    )


def test_a_schema_that_stands_is_said_to(
    run_alone: Run, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lay_schema(settings: Settings) -> list[str]:
        return []

    monkeypatch.setattr(compose, "lay_schema", lay_schema)
    assert run_alone("migrate").stdout == "The schema is up to date.\n"


def test_a_database_that_is_away_is_exit_code_3(
    run_alone: Run, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lay_schema(settings: Settings) -> list[str]:
        raise compose.OutOfReach("PostgreSQL does not answer.")

    monkeypatch.setattr(compose, "lay_schema", lay_schema)
    result = run_alone("migrate")
    assert (result.exit_code, result.stderr) == (3, "PostgreSQL does not answer.\n")


def test_many_workers_are_children_with_the_same_words(
    run_alone: Run, database: None, supervisor: Many
) -> None:
    result = run_alone("worker", APP, "--processes", "3", "--queues", "a,b", "--json")
    assert (result.exit_code, supervisor.count) == (143, 3)
    words = ["worker", APP, "--concurrency", "100", "--queues", "a,b", "--supervised", "9"]
    assert supervisor.words == words
    assert result.stdout == '{"app":"jobcast.starter:app","processes":3}\n'


def test_many_gateways_share_a_socket(run_alone: Run, database: None, supervisor: Many) -> None:
    result = run_alone("serve", "--processes", "2", "--port", "0", "--migrate")
    assert result.exit_code == 143
    (fd,) = supervisor.fds
    given = dict(zip(supervisor.words[1::2], supervisor.words[2::2], strict=False))
    assert (given["--host"], given["--socket"]) == ("127.0.0.1", str(fd))
    assert given["--port"] != "0"
    assert supervisor.words[-3:] == ["--migrate", "--supervised", "9"]
    assert "by 2 processes" in result.stdout


def test_queues_are_in_order_or_weighted() -> None:
    assert parse_queues(None) is None
    assert parse_queues("media, default") == ["media", "default"]
    assert parse_queues("media:3,default:1") == {"media": 3, "default": 1}
    assert parse_queues("eu:media:3,default") == {"eu:media": 3, "default": 1}


@pytest.mark.parametrize("text", ["", " , ", "a b", "a,a:2", "x" * 101])
def test_what_names_no_queues_is_refused(text: str) -> None:
    with pytest.raises(CliError):
        parse_queues(text)


def test_the_port_that_cannot_be_had_is_one_sentence() -> None:
    with pytest.raises(CliError, match="is no address of this machine"):
        listen("192.0.2.1", 0)
    with pytest.raises(CliError, match="There is no host"):
        listen("no such host", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_an_address_is_one_that_can_be_called(host: str, url: str) -> None:
    assert reachable(host, 80) == url
