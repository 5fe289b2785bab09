"""What TAB offers, as the shells ask for it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import FAILURE, FakeServer
from tests.unit.client.test_client import free_port

from jobcast.cli import completing


def tab(monkeypatch: pytest.MonkeyPatch, run: Run, words: str) -> list[str]:
    """The words that bash is offered for the last of `words`."""
    monkeypatch.setenv("_JOBCAST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    return run().stdout.split()


def test_job_types_are_those_of_the_server(
    monkeypatch: pytest.MonkeyPatch, run: Run, server: FakeServer
) -> None:
    assert tab(monkeypatch, run, "jobcast submit d") == ["demo"]


def test_ids_are_of_jobs_that_the_command_is_about(
    monkeypatch: pytest.MonkeyPatch, run: Run, server: FakeServer
) -> None:
    waiting, failed = server.add_job(), server.add_job(steps=FAILURE)
    assert tab(monkeypatch, run, "jobcast cancel ") == [waiting]
    assert tab(monkeypatch, run, "jobcast retry ") == [failed]
    assert tab(monkeypatch, run, f"jobcast watch {waiting} job-") == [failed, waiting]


def test_statuses_need_no_server(monkeypatch: pytest.MonkeyPatch, run_alone: Run) -> None:
    assert tab(monkeypatch, run_alone, "jobcast list --status F") == ["FAILED"]
    assert tab(monkeypatch, run_alone, "jobcast list --status pr") == ["processing"]


def test_without_a_server_nothing_is_offered_or_said(
    monkeypatch: pytest.MonkeyPatch, run_alone: Run
) -> None:
    monkeypatch.setenv("JOBCAST_URL", f"http://127.0.0.1:{free_port()}")
    assert tab(monkeypatch, run_alone, "jobcast submit ") == []


def test_a_server_that_is_slow_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, run_alone: Run
) -> None:
    monkeypatch.setattr(completing, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("JOBCAST_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert tab(monkeypatch, run_alone, "jobcast submit ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(run_alone: Run, shell: str) -> None:
    result = run_alone("completion", shell)
    assert (result.exit_code, "_JOBCAST_COMPLETE" in result.stdout) == (0, True)


def test_a_shell_that_is_not_known_is_told_which_are(run_alone: Run) -> None:
    result = run_alone("completion", "tcsh")
    assert result.exit_code == 2
    assert "'shell': 'tcsh' is not one of 'bash', 'zsh', 'fish'." in result.stderr


def test_bash_itself_completes(run: Run, server: FakeServer) -> None:
    script = f"""
        PATH="{Path(sys.executable).parent}:$PATH"
        eval "$(jobcast completion bash)"
        COMP_WORDS=(jobcast submit br) COMP_CWORD=2
        _jobcast_completion jobcast
        echo "${{COMPREPLY[@]}}"
    """
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "broken"
