"""Every case of Autobahn's suite but the largest and those of compression; `make autobahn`: all."""

from pathlib import Path
from subprocess import CalledProcessError

import pytest
from tests.autobahn.trial import failures, installed, python2, results

SLOW = ["9.*", "12.*", "13.*"]


@pytest.mark.slow
async def test_the_socket_class_passes_autobahn(tmp_path: Path) -> None:
    python = python2()
    if python is None:
        pytest.skip("There is no Python 2.7, which Autobahn's suite needs")
    try:
        site = installed(python, tmp_path)
    except CalledProcessError as problem:
        pytest.skip(f"Autobahn's suite can't be installed: {problem.stderr[-300:]}")

    found = await results(python, site, tmp_path, leave_out=SLOW)

    assert len(found) > 200
    assert list(failures(found)) == []
