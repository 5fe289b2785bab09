"""SQLite files of earlier releases are brought up to this one, whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.suites.workbench import DONE, Bench

from jobcast.compose import verify_database
from jobcast.domain.errors import Unavailable
from jobcast.domain.job import State
from jobcast.runtime.clock import FakeClock
from jobcast.settings import SettingsError, load_settings
from jobcast.store import jobs as queries
from jobcast.store.sqlite import SqliteStore, upgrading

FIRST_RELEASE = (Path(__file__).parents[1] / "golden" / "sqlite" / "0001.sql").read_text("utf-8")
"""A database of the first release: a job that is done, one that failed, one that waits."""

WAITING = "01a21638-829b-7220-be56-c2436c178aff"


def file_of(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "jobcast.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(script)
    return path


def picture(path: Path) -> tuple[int, dict[str, list[tuple[object, ...]]], list[str]]:
    """The version, the columns of each table whatever their order, and the indexes."""
    with closing(sqlite3.connect(path)) as conn:
        [version] = conn.execute("PRAGMA user_version").fetchone()
        tables = [name for (name,) in conn.execute("SELECT name FROM pragma_table_list")]
        columns = {
            table: sorted(row[1:] for row in conn.execute(f'PRAGMA table_info("{table}")'))
            for table in tables
            if not table.startswith("sqlite_")
        }
        indexes = conn.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql <> ''")
        return version, columns, sorted(sql for (sql,) in indexes)


async def opened(folder: Path, clock: FakeClock) -> Bench:
    store = SqliteStore(folder, clock=clock)
    await store.open()
    return Bench(store, clock)


async def test_a_file_of_the_first_release_becomes_one_of_this(
    tmp_path: Path, clock: FakeClock
) -> None:
    old = file_of(tmp_path / "old", FIRST_RELEASE)
    for _ in range(2):
        bench = await opened(tmp_path / "old", clock)
        await bench.store.close()
    fresh = await opened(tmp_path / "new", clock)
    await fresh.store.close()
    assert picture(old) == picture(tmp_path / "new" / "jobcast.db")


async def test_its_jobs_are_kept_and_new_ones_run(tmp_path: Path, clock: FakeClock) -> None:
    file_of(tmp_path, FIRST_RELEASE)
    bench = await opened(tmp_path, clock)
    waiting = await bench.store.read(partial(queries.find, job_id=WAITING))
    assert waiting is not None
    assert (waiting.state, waiting.payload) == (State.SCHEDULED, '{"name":"Bob"}')
    assert waiting.traceparent is None
    await bench.ended(DONE)
    await bench.store.close()
    findings = await verify_database(load_settings(env_file=None, data_dir=tmp_path), limit=3)
    assert [finding for finding in findings if finding.broken] == []


async def test_a_step_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, FIRST_RELEASE)
    before = picture(path)
    steps: Mapping[int, Sequence[str]] = {2: (*upgrading.STEPS[2], "ALTER TABLE nothing ADD x")}
    with monkeypatch.context() as patched:
        patched.setattr(upgrading, "STEPS", steps)
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            await opened(tmp_path, clock)
    assert picture(path) == before
    bench = await opened(tmp_path, clock)  # the folder is free again
    await bench.store.close()


async def test_a_file_of_a_newer_release_is_refused_and_not_touched(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = file_of(tmp_path, "CREATE TABLE jobs (id TEXT); PRAGMA user_version = 99;")
    before = picture(path)
    with pytest.raises(Unavailable, match=r"used by a newer Jobcast \(its schema is 99"):
        await opened(tmp_path, clock)
    assert picture(path) == before


async def test_a_file_that_no_release_has_made_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    path = file_of(tmp_path, "CREATE TABLE jobs (id TEXT)")
    before = picture(path)
    with pytest.raises(Unavailable, match=r"not made by a release of Jobcast.*no column"):
        await opened(tmp_path, clock)
    assert picture(path) == before


async def test_verify_says_what_to_do_with_an_older_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, FIRST_RELEASE)
    before = picture(path)
    with pytest.raises(SettingsError, match="start Jobcast on it once"):
        await verify_database(load_settings(env_file=None, data_dir=tmp_path), limit=3)
    assert picture(path) == before
