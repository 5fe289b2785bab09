"""`/api/webhooks` over a whole house, whose webhooks go to a port where nobody listens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.whole_house import WITHIN, House, data, faults, refused

from jobcast.domain.access import ALL_SCOPES
from jobcast.domain.times import iso

URL = "/api/webhooks"


@pytest.fixture
def dead() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/hook?token=x"


async def failing(house: House, url: str) -> dict[str, Any]:
    """An endpoint that has failed once."""
    await house.done(webhookUrl=url)
    async with asyncio.timeout(WITHIN):
        while not (  # noqa: ASYNC110 - nobody announces it
            seen := data(await house("GET", f"{URL}/endpoints"))
        ):
            await asyncio.sleep(0.005)
    found: dict[str, Any] = seen[0]
    return found


async def test_endpoints_are_listed_without_their_paths(house: House, dead: str) -> None:
    one = await failing(house, dead)

    assert one["endpoint"] == dead.partition("/hook")[0]
    assert (one["status"], one["failures"], one["lastError"]) == (
        "failing", 1, "connection refused",
    )  # fmt: skip
    assert one["disabledAt"] is None


async def test_an_endpoint_is_enabled_by_id_and_by_address(house: House, dead: str) -> None:
    one = await failing(house, dead)

    for wanted in (one["id"], dead.replace("/", "%2F").replace("?", "%3F")):
        answer = await house("POST", f"{URL}/endpoints/{wanted}/enable")
        assert (answer.status_code, data(answer)) == (200, {"id": one["id"]})
    other = await house.new_key("other")
    answer = await house("POST", f"{URL}/endpoints/{one['id']}/enable", key=other)
    assert refused(answer) == (404, "Webhook endpoint not found")


async def test_what_failed_since_a_time_is_sent_again(house: House) -> None:
    answer = await house("POST", f"{URL}/redeliver", {"since": iso(0)})
    assert (answer.status_code, data(answer)) == (202, {"count": 0})
    answer = await house("POST", f"{URL}/redeliver", {"since": "yesterday"})
    assert "ISO 8601" in faults(answer)["since"][0]
    assert faults(await house("POST", f"{URL}/redeliver", {})) == {"since": ["Required"]}


async def test_secrets_are_rotated_by_an_admin(house: House) -> None:
    admin = await house.new_key("acme", *ALL_SCOPES)
    assert data(await house("GET", f"{URL}/secrets", key=admin)) == []

    answer = await house("POST", f"{URL}/secrets", key=admin)

    assert answer.status_code == 201
    new, old = data(answer)
    assert new["secret"].startswith("whsec_")
    assert (new["expiresAt"], old["secret"]) == (None, None)
    assert data(await house("GET", f"{URL}/secrets", key=admin)) == [new, old]
    [only] = data(await house("POST", f"{URL}/secrets", {"overlapSeconds": 0}, key=admin))
    assert only["secret"] != new["secret"]
    assert refused(await house("GET", f"{URL}/secrets"))[0] == 403


async def test_a_tenant_is_named_by_service_keys_alone(house: House) -> None:
    answer = await house("GET", f"{URL}/endpoints", params={"tenantId": "other"})
    assert refused(answer) == (403, "Only service keys may act for another tenant.")
