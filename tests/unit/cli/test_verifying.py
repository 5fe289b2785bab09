"""verify up to the composition root: what it says, and the exit code that scripts go by."""

import json
import sqlite3
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run

from jobcast import compose
from jobcast.compose import Finding
from jobcast.settings import Settings

WHOLE = Finding("gapless", "No event is missing.", 0, [])
BROKEN = Finding("caps", "No cap is passed.", 12, ["gpu", "tpu"])


def found(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    async def verify_database(settings: Settings, *, limit: int) -> list[Finding]:
        return list(findings)

    monkeypatch.setattr(compose, "verify_database", verify_database)


def test_a_whole_database_is_exit_code_0(run_alone: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, WHOLE)
    result = run_alone("verify")
    assert result.exit_code == 0
    assert result.stdout.endswith("All 1 truths hold.\n")


def test_what_is_broken_is_named_with_examples(
    run_alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, WHOLE, BROKEN)
    result = run_alone("verify")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1].startswith("BROKEN  caps")
    assert lines[1].endswith("No cap is passed. Not true of 12:")
    assert lines[2:] == ["        gpu", "        tpu", "1 of 2 truths are broken."]


def test_scripts_get_a_document(run_alone: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, BROKEN)
    result = run_alone("verify", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert said["checks"][0]["examples"] == ["gpu", "tpu"]


def test_where_there_is_no_database_it_says_so(
    run_alone: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = run_alone("verify")
    assert result.exit_code == 2
    assert "There is no Jobcast database in .jobcast" in result.stderr
    assert not (folder / ".jobcast" / "jobcast.db").exists()


def test_a_real_file_is_read_and_left_as_it_is(
    run_alone: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert run_alone("keys", "create", "--service", "--direct").exit_code == 0
    assert run_alone("verify").exit_code == 0
    with sqlite3.connect(folder / ".jobcast" / "jobcast.db") as conn:
        conn.execute("UPDATE api_keys SET tenant_id = 'nobody'")
    conn.close()
    result = run_alone("verify")
    assert result.exit_code == 1
    assert "BROKEN  keys-have-a-tenant" in result.stdout
