"""Accounts, ready to use, with the few words that their tests are told in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limits.aio.storage import MemoryStorage
from tests.unit.services.database import Database

from jobcast.domain.access import Principal
from jobcast.runtime.clock import FakeClock
from jobcast.services.accounts import Accounts
from jobcast.services.limits import Limiter
from jobcast.services.logins import Tokens
from jobcast.services.passwords import Passwords
from jobcast.settings import Settings

PASSWORD = "correct horse"
ADDRESS = "203.0.113.7"


def settings(**changes: Any) -> Settings:
    """Settings for tests, with secrets."""
    given: dict[str, Any] = {
        "env": "test",
        "data_dir": Path("/nonexistent"),
        "jwt_access_secrets": ("access-secret-of-32-bytes-or-more-1",),
        "jwt_refresh_secrets": ("refresh-secret-of-32-bytes-or-more-1",),
        **changes,
    }
    return Settings.model_validate(given)


def cheap_passwords() -> Passwords:
    """As weak as argon2 allows, so that tests are quick."""
    return Passwords(memory_kib=8, time_cost=1)


@dataclass(frozen=True)
class Visitor:
    """A registered user."""

    id: str
    email: str
    tenant_id: str
    api_key: str


class World:
    """One process of Jobcast, as far as accounts go."""

    def __init__(self, database: Database, clock: FakeClock, given: Settings) -> None:
        self.database = database
        self.clock = clock
        self.settings = given
        self.storage = MemoryStorage()
        self.limiter = Limiter(self.storage, settings=given, clock=clock)
        self.accounts = Accounts(
            database.store, given, clock, limiter=self.limiter, passwords=cheap_passwords()
        )

    def another_process(self, **changes: Any) -> "World":
        """A second process on the same database."""
        given = settings(**changes) if changes else self.settings
        return World(self.database, self.clock, given)

    async def close(self) -> None:
        await self.accounts.close()
        if self.storage.timer is not None:
            await self.storage.timer

    async def register(self, email: str = "ada@example.com") -> Visitor:
        user = await self.accounts.register(email=email, password=PASSWORD, address=ADDRESS)
        return Visitor(user.id, user.email, user.tenant_id, user.api_key)

    async def login(self, email: str = "ada@example.com", password: str = PASSWORD) -> Tokens:
        return await self.accounts.login(email=email, password=password, address=ADDRESS)

    async def come_in(self, email: str = "ada@example.com") -> tuple[Principal, Tokens]:
        """Registers and logs in."""
        await self.register(email)
        tokens = await self.login(email)
        return await self.accounts.authenticate(bearer=tokens.access_token), tokens
