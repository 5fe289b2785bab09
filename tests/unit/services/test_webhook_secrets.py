"""Secrets of a tenant's own: made, rotated, and what they sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.unit.services.deliveries_store import DeliveriesStore

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Forbidden, Unauthorized
from jobcast.domain.webhook import Answer
from jobcast.runtime.clock import FakeClock
from jobcast.services.deliverer import Deliverer
from jobcast.services.signing import standard_signature
from jobcast.services.webhook_secrets import WebhookSecrets
from jobcast.store import webhook_secrets as sql

OWNER = Principal(kind=Kind.USER, tenant_id="acme", user_id="alice", owner=True)
MALLORY = Principal(kind=Kind.USER, tenant_id="evil", user_id="mallory")
KEY = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset())
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="house")
SERVER = ("the server's own", "the server's older one")


class Scene:
    def __init__(self, store: DeliveriesStore) -> None:
        self.store = store
        self.clock = FakeClock()
        self.secrets = WebhookSecrets(store.port, clock=self.clock)
        self.sent: Mapping[str, str] = {}
        self.deliverer = Deliverer(
            store.port, self.post, clock=self.clock, secrets=SERVER, schedule=(0,)
        )

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.sent = headers
        return Answer(200)

    async def signers(self, *candidates: str) -> list[str]:
        """Those of the candidates that sign a webhook now, in the order of their signatures."""
        self.store.add("https://a/", due_at=self.clock.now())
        await self.deliverer.once()
        made = {
            standard_signature(
                b"{}",
                secret=secret,
                webhook_id=self.sent["webhook-id"],
                timestamp=self.sent["webhook-timestamp"],
            ): secret
            for secret in candidates
        }
        return [made[text] for text in self.sent["webhook-signature"].split(" ")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = DeliveriesStore(tmp_path)
    yield Scene(store)
    store.engine.dispose()


async def test_the_server_signs_for_a_tenant_without_a_secret(scene: Scene) -> None:
    assert await scene.secrets.live(OWNER) == []
    assert await scene.signers(*SERVER) == list(SERVER)


async def test_the_first_secret_signs_beside_the_servers_for_a_while(scene: Scene) -> None:
    new, old = await scene.secrets.rotate(OWNER, overlap=60)

    assert new.secret is not None
    assert new.secret.startswith("whsec_")
    assert new.expires_at is None
    assert (old.secret, old.expires_at) == (None, scene.clock.now() + 60_000)
    assert await scene.signers(new.secret, *SERVER) == [new.secret, SERVER[0]]
    scene.clock.advance(60)
    assert await scene.secrets.live(OWNER) == [new]
    assert await scene.signers(new.secret) == [new.secret]


async def test_two_secrets_live_while_they_rotate_and_never_three(scene: Scene) -> None:
    first = (await scene.secrets.rotate(OWNER))[0]
    second = (await scene.secrets.rotate(OWNER))[0]
    third, before = await scene.secrets.rotate(OWNER)

    assert before.id == second.id
    assert first.secret and second.secret and third.secret
    texts = [first.secret, second.secret, third.secret]
    assert len(set(texts)) == 3
    assert await scene.signers(*texts) == [third.secret, second.secret]


async def test_a_leaked_secret_can_be_replaced_at_once(scene: Scene) -> None:
    await scene.secrets.rotate(OWNER)
    [only] = await scene.secrets.rotate(OWNER, overlap=0)

    assert only.secret
    assert await scene.signers(only.secret) == [only.secret]


async def test_tenants_have_nothing_to_do_with_each_other(scene: Scene) -> None:
    await scene.secrets.rotate(OWNER)

    assert await scene.secrets.live(MALLORY) == []
    with pytest.raises(Forbidden):
        await scene.secrets.live(MALLORY, tenant_id="acme")
    with pytest.raises(Forbidden):
        await scene.secrets.live(KEY)
    with pytest.raises(Forbidden):
        await scene.secrets.rotate(KEY)
    with pytest.raises(Unauthorized):
        await scene.secrets.live(None)
    assert len(await scene.secrets.live(SERVICE, tenant_id="acme")) == 2


async def test_a_rotation_is_audited_and_no_secret_shows(scene: Scene) -> None:
    with capture_logs() as logs:
        new, _ = await scene.secrets.rotate(OWNER)

    [told] = logs
    assert (told["event"], told["tenant"], told["user"]) == (
        "webhook secret rotated",
        "acme",
        "alice",
    )
    assert new.secret
    assert new.secret not in str(logs)
    assert new.secret not in repr(new)


async def test_what_signs_no_more_is_deleted(scene: Scene) -> None:
    await scene.secrets.rotate(OWNER, overlap=60)
    scene.clock.advance(61)

    scene.store.run(lambda conn: sql.prune(conn, now=scene.clock.now()))

    rows = scene.store.run(lambda conn: sql.live(conn, ["acme"], now=0))
    assert len(rows["acme"]) == 1
