"""Waiting for a database that starts up."""

import asyncpg
import pytest

from jobcast.compose.patience import OutOfReach, patiently, place
from jobcast.domain.errors import Unavailable
from jobcast.settings import SettingsError

URL = "postgresql://somebody:secret@db.example:5433/jobs"


class Database:
    """Answers with `problems`, one after the other, then with success."""

    def __init__(self, *problems: Exception) -> None:
        self.problems = list(problems)

    async def __call__(self) -> str:
        if self.problems:
            cause = self.problems.pop(0)
            raise Unavailable("The database cannot be used right now.") from cause
        return "here"


async def test_one_that_starts_up_is_waited_for() -> None:
    starting = Database(ConnectionRefusedError("refused"), asyncpg.CannotConnectNowError("soon"))
    assert await patiently(starting, URL, again_after=0) == "here"


async def test_one_that_stays_away_is_given_up() -> None:
    with pytest.raises(OutOfReach) as given_up:
        await patiently(Database(ConnectionRefusedError("refused")), URL, patience=0)
    assert str(given_up.value) == (
        "PostgreSQL at db.example:5433/jobs does not answer (refused): start it, or correct "
        "DATABASE_URL."
    )


@pytest.mark.parametrize(
    "problem",
    [
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError('database "jobs" does not exist'),
    ],
)
async def test_one_that_refuses_us_is_not_asked_again(problem: Exception) -> None:
    with pytest.raises(SettingsError, match=r"refuses us .*: correct DATABASE_URL"):
        await patiently(Database(problem), URL)


async def test_what_else_is_wrong_is_the_callers() -> None:
    async def no_schema() -> None:
        raise Unavailable("The database has no Jobcast schema: run `jobcast migrate`.")

    with pytest.raises(Unavailable, match="no Jobcast schema"):
        await patiently(no_schema, URL)


def test_a_place_shows_no_password() -> None:
    assert place(URL) == "db.example:5433/jobs"
