from tests.unit.cli.conftest import Run

import jobcast


def test_it_says_its_version(run_alone: Run) -> None:
    result = run_alone("--version")
    assert (result.exit_code, result.stdout) == (0, f"{jobcast.__version__}\n")
