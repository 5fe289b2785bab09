import errno
import socket

import pytest
from tests.unit.cli.conftest import Run

from jobcast.cli.errors import CliError
from jobcast.cli.ports import cannot_listen, require_free


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CliError) as caught:
            require_free("127.0.0.1", port)
    assert caught.value.sentence == f"Port {port} is in use: choose another with --port."


def test_a_free_port_is_left_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    require_free("127.0.0.1", port)
    socket.create_server(("127.0.0.1", port)).close()


def test_any_port_is_free() -> None:
    require_free("localhost", 0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "x" * 70])
def test_a_host_that_is_not_here_is_told(host: str) -> None:
    with pytest.raises(CliError, match="choose another with --host"):
        require_free(host, 0)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "Port 80 needs more rights: choose one above 1023 with --port."),
        (errno.EMFILE, "Can't listen at h port 80: why."),
    ],
)
def test_each_refusal_of_the_system_has_its_sentence(number: int, said: str) -> None:
    assert cannot_listen("h", 80, OSError(number, "why")).sentence == said


def test_dev_on_a_port_in_use_exits_with_2(run_alone: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_alone("dev", "--port", str(port))
    assert result.exit_code == 2
    assert result.stderr == f"Port {port} is in use: choose another with --port.\n"
