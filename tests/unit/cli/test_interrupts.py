"""Ctrl-C, in a real process."""

import signal
import subprocess
import sys

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import FakeServer


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_ctrl_c_ends_a_watch_cleanly_with_130(
    run: Run, server: FakeServer, more: list[str]
) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "jobcast.cli", "watch", server.add_job(), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline()  # the job is pending, and stays so
    watching.send_signal(signal.SIGINT)
    _, complaints = watching.communicate(timeout=20)
    assert (watching.returncode, complaints) == (130, "")


def test_a_reader_that_has_seen_enough_is_no_fault(run: Run, server: FakeServer) -> None:
    job_id = server.add_job()
    watching = subprocess.Popen(
        [sys.executable, "-m", "jobcast.cli", "watch", job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == "PENDING\n"
    watching.stdout.close()
    server.tell(job_id, ("processing", {}), ("done", {}))
    assert watching.stderr is not None
    assert "Traceback" not in watching.stderr.read()
    watching.stderr.close()
    assert watching.wait(20) == 141
