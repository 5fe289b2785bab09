import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import KEY, FakeServer
from tests.unit.client.test_client import free_port

from jobcast.cli import connected
from jobcast.client import AsyncClient


def test_a_server_out_of_reach_exits_with_3(run_alone: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run_alone("list", "--url", url, "--key", "k")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        f"Could not reach {url}: no server answers there. Start a server with `jobcast dev`,"
        " or name another one with --url.\n"
    )


def test_with_json_a_failure_is_one_document_on_standard_output(run_alone: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run_alone("health", "--url", url, "--json")
    assert (result.exit_code, result.stderr) == (3, "")
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "UNREACHABLE"
    assert error["message"].startswith("Could not reach")


def test_with_json_a_refused_field_stands_under_errors(run: Run) -> None:
    error = json.loads(run("submit", "nobody", "--json").stdout)["error"]
    assert error["errors"] == {"type": ["Unknown job type: nobody"]}


def test_a_wrong_key_says_how_to_get_another(run: Run) -> None:
    result = run("list", "--key", "wrong")
    assert result.exit_code == 2
    assert result.stderr == (
        "Access token required. Log in with `jobcast login`, or pass another API key with --key.\n"
    )


def test_a_full_disk_is_no_fault_of_our_own(run: Run, server: FakeServer) -> None:
    server.add_job()
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "jobcast.cli", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (said.returncode, said.stderr) == (
        2,
        "The output can't be written: No space left on device.\n",
    )


def test_without_a_key_nothing_is_asked(run_alone: Run, server: FakeServer) -> None:
    result = run_alone("list", "--url", server.url)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"No API key for {server.url} is known: start `jobcast dev`")
    assert server.calls == []


def test_a_rate_limit_is_told_in_the_servers_words(run: Run, server: FakeServer) -> None:
    said = "Too many requests. Try again in 45 seconds."
    server.refuse(429, {"message": said, "code": "RATE_LIMITED"}, Retry_After="45")
    result = run("submit", "email")
    assert (result.exit_code, result.stderr) == (3, f"{said}\n")


def test_a_fault_of_the_server_exits_with_3(run: Run, server: FakeServer) -> None:
    server.refuse(500, {"message": "Internal server error", "code": "INTERNAL_ERROR"})
    result = run("show", "x")
    assert (result.exit_code, result.stderr) == (
        3,
        "Internal server error. Try again in a moment.\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit"], "Missing argument 'TYPE'. `jobcast submit --help`"),
        (["sbumit"], "No such command 'sbumit'. Did you mean 'submit'? `jobcast --help`"),
        (["list", "--limit", "0"], "Invalid value for '--limit'"),
        (["list", "--colour"], "No such option: --colour"),
        (["--url", "http://x", "list"], "Put it after the command, as in `jobcast list --url …`."),
        (["list", "--url", "localhost:3000", "--key", "k"], "is not a server's address"),
    ],
)
def test_bad_usage_is_one_sentence(run_alone: Run, words: list[str], said: str) -> None:
    result = run_alone(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_bad_usage_is_a_document_too_when_json_was_asked_for(run_alone: Run) -> None:
    result = run_alone("show", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "BAD_USAGE"


def test_no_command_shows_the_help(run_alone: Run) -> None:
    result = run_alone()
    assert result.exit_code == 2
    assert "submit" in result.output


def test_only_the_commands_of_this_release_are_there(run_alone: Run) -> None:
    shown = run_alone("--help").stdout
    assert re.findall(r"^│ ([a-z]+)", shown, re.MULTILINE) == [
        *("dev", "serve", "worker", "migrate", "verify"),
        *("submit", "watch", "list", "show", "logs", "cancel", "retry"),
        *("login", "health", "bench", "keys", "tenants"),
        "completion",
    ]


def test_a_fault_of_our_own_shows_no_stack_trace(
    run_alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_client: AsyncClient) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(AsyncClient, "health", broken)
    result = run_alone("health")
    assert result.exit_code == 70
    assert "ZeroDivisionError: oops. Please report it." in result.stderr
    assert "Traceback" not in result.output


def test_ctrl_c_exits_with_130(run_alone: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connected, "ask_keyless", interrupt)
    result = run_alone("health", "--key", KEY)
    assert (result.exit_code, result.output) == (130, "")
