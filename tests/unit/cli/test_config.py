import json
import stat
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import KEY, FakeServer

from jobcast.cli.config import Server, find_server, login_file, store
from jobcast.cli.errors import CliError

DEV = Server(url="http://127.0.0.1:3000", key="dev-key")
PROD = Server(url="https://jobs.example.com", key="prod-key")


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / ".jobcast"


@pytest.fixture
def both_stored(data_dir: Path) -> Path:
    store(data_dir / "client.json", DEV)
    store(login_file(), PROD)
    return data_dir


def test_with_nothing_known_it_is_the_local_server_without_a_key(data_dir: Path) -> None:
    assert find_server(None, None, data_dir) == Server(url="http://127.0.0.1:3000", key=None)


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("PORT", "4100", "http://127.0.0.1:4100"),
        ("JOBCAST_HOST", "0.0.0.0", "http://127.0.0.1:3000"),
        ("JOBCAST_HOST", "::1", "http://[::1]:3000"),
        ("PORT", "0", "http://127.0.0.1:3000"),
        ("PORT", "nonsense", "http://127.0.0.1:3000"),
    ],
)
def test_with_nothing_known_it_is_where_a_server_of_this_machine_would_listen(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, url: str
) -> None:
    monkeypatch.setenv(name, value)
    assert find_server(None, None, data_dir) == Server(url=url, key=None)


def test_what_dev_stored_comes_before_what_login_stored(both_stored: Path) -> None:
    assert find_server(None, None, both_stored) == DEV


def test_what_login_stored_is_used_where_no_dev_server_was(data_dir: Path) -> None:
    store(login_file(), PROD)
    assert find_server(None, None, data_dir) == PROD


def test_what_is_given_wins(both_stored: Path) -> None:
    given = Server(url="http://other:1", key="k")
    assert find_server(given.url, given.key, both_stored) == given


def test_a_stored_key_goes_with_its_own_server(both_stored: Path) -> None:
    assert find_server(f"{PROD.url}/", None, both_stored).key == "prod-key"


def test_a_stored_key_is_never_sent_to_another_server(both_stored: Path) -> None:
    assert find_server("http://evil.example.com", None, both_stored).key is None
    assert find_server("not an address", None, both_stored).key is None


def test_a_given_key_is_used_for_the_stored_server(both_stored: Path) -> None:
    assert find_server(None, "k", both_stored) == Server(url=DEV.url, key="k")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 7}', '{"key": "k"}', "\x00\xff"])
def test_a_damaged_file_says_how_to_mend_it(data_dir: Path, text: str) -> None:
    data_dir.mkdir()
    (data_dir / "client.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CliError, match="delete it, then run `jobcast dev` or `jobcast login`"):
        find_server(None, None, data_dir)


def test_a_stored_file_is_for_its_owner_only_and_replaces_the_old_one(data_dir: Path) -> None:
    path = data_dir / "client.json"
    store(path, DEV)
    store(path, PROD)
    assert json.loads(path.read_text()) == {"url": PROD.url, "key": PROD.key}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in data_dir.iterdir()] == ["client.json"]


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(CliError, match="Could not store the key"):
        store(folder / "file" / "client.json", DEV)


def test_options_win_over_variables(
    run_alone: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCAST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("JOBCAST_API_KEY", "wrong")
    assert run_alone("list", "--url", server.url, "--key", KEY).exit_code == 0


def test_the_data_folder_can_be_elsewhere(
    run_alone: Run, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "data" / "client.json", Server(url=server.url, key=KEY))
    monkeypatch.setenv("JOBCAST_DATA_DIR", str(tmp_path / "data"))
    assert run_alone("list").exit_code == 0
