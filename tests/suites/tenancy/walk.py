"""The walk itself: A tries everything with what is B's, and with what is nobody's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast, get_args

import httpx2
from tests.suites.tenancy.commands import COMMANDS
from tests.suites.tenancy.routes import Call, foreign_calls, known, own_paths
from tests.suites.tenancy.sides import SECRET, Side, Things, settle, unknown, work_on
from tests.support.talk import Frame, member
from tests.support.whole_house import House, data

from jobcast.gateway.http.app import HttpApp
from jobcast.wire import commands

VOLATILE: Final = {"timestamp", "since", "lastUsedAt", "expiresAt"}
"""Fields that move with the clock."""

MADE_UP: Final = "epoch"
"""A channel's is made up when its messages are first looked at."""

UNCOMPARED: Final = {
    "content-length",
    "date",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
}
"""Headers that differ between any two answers to the same caller, or with the length of an id."""


class TenancySuite:
    """Runs on a `house` with the app of `sides`, whose limits are out of the way."""

    async def test_what_is_anothers_looks_like_what_is_nobodys_and_stays_as_it_is(
        self, house: House
    ) -> None:
        mine, theirs = await settle(house), await settle(house)
        nobody = unknown()
        before = await view(house, theirs)
        tried = 0

        for route, operation in known(document(house)):
            for who, headers in mine.credentials.items():
                pairs = zip(
                    foreign_calls(route, operation, mine.things, theirs.things),
                    foreign_calls(route, operation, mine.things, nobody),
                    strict=True,
                )
                for theirs_call, nobodys_call in pairs:
                    seen = await answer(house, theirs_call, headers, theirs.things)
                    expected = await answer(house, nobodys_call, headers, nobody)
                    assert seen == expected, (who, theirs_call)
                    assert SECRET not in str(seen), (who, theirs_call)
                    tried += 1

        assert tried > 200
        assert await view(house, theirs) == before

    async def test_what_another_tenant_does_shows_nowhere(self, house: House) -> None:
        mine, theirs = await settle(house), await settle(house)
        before = await view(house, mine)

        await work_on(house, theirs)

        assert await view(house, mine) == before
        await names_are_free(house, mine)

    async def test_every_command_of_the_socket_keeps_to_its_tenant(self, house: House) -> None:
        mine, theirs = await settle(house), await settle(house)
        nobody = unknown()
        missing = set(get_args(commands.Command)) - set(COMMANDS)
        assert not missing, f"the walk does not know the commands {missing}"

        for who, headers in mine.credentials.items():
            async with member(house.address, headers) as client:
                for build in COMMANDS.values():
                    pairs = zip(build(theirs.things), build(nobody), strict=True)
                    for frame, twin in pairs:
                        seen = await client.ask(**frame)
                        expected = await client.ask(**twin)
                        assert plain(seen, theirs.things) == plain(expected, nobody), (who, frame)
                await work_on(house, theirs, name=who.replace(" ", "-"))
                assert (await client.ask("ping"))["type"] == "pong"
                for heard in client.seen:
                    assert not_about(heard, theirs), (who, heard)

    async def test_a_key_that_exists_and_one_that_does_not_are_refused_alike(
        self, house: House
    ) -> None:
        theirs, nobody = await settle(house), unknown()

        said = [
            await answer(house, ("GET", "/api/auth/me", None), _forged(things), things)
            for things in (theirs.things, nobody)
        ]

        assert said[0] == said[1]
        assert said[0][0] == 401


def document(house: House) -> Mapping[str, Any]:
    """What the running app says of itself."""
    return cast(HttpApp, house.home.http).openapi()


async def view(house: House, side: Side) -> dict[str, Any]:
    """All that a tenant's owner can see, by path."""
    seen: dict[str, Any] = {}
    for (method, template), _ in known(document(house)):
        if method != "GET":
            continue
        for path in own_paths(template, side.things):
            if template.endswith("/events") and side.things.jobs[2] in path:
                continue  # the stream of a job that has not ended doesn't end either
            found = await house("GET", path, headers=side.owner.bearer)
            # What does not exist for this job (a file, a delivery) shows, too.
            assert found.status_code in (200, 404), (path, found.text)
            json_like = found.headers["content-type"].startswith("application/json")
            seen[path] = _still(found.json()) if json_like else found.text
    return seen


async def answer(
    house: House, call: Call, headers: Mapping[str, str], things: Things
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, in which the other's ids are only places."""
    method, path, body = call
    found: httpx2.Response = await house(method, path, body, headers=dict(headers))
    assert found.status_code < 500, (call, found.text)
    kept = {name: value for name, value in found.headers.items() if name not in UNCOMPARED}
    kept = {name: plain(value, things) for name, value in kept.items()}
    if "location" in kept:  # of what was just made
        kept["location"] = kept["location"].replace(data(found)["id"], "<id>")
    return found.status_code, kept, plain(_made_up(found), things)


def plain(said: object, things: Things) -> str:
    """As text, with a place instead of each id; the answer's own `id` is left out."""
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name != "id"}
    text = said if isinstance(said, str) else json.dumps(_still(said), sort_keys=True)
    for number, word in enumerate(things.words()):
        text = text.replace(word, f"<{number}>")
    return text


def not_about(frame: Frame, side: Side) -> bool:
    """Whether a frame says nothing of the tenant; an answer may repeat the id it was asked for."""
    if frame.get("id") is not None:
        return SECRET not in str(frame)
    return not any(word in str(frame) for word in (SECRET, *side.things.words()))


async def names_are_free(house: House, side: Side) -> None:
    """What the other tenant has taken (keys, names) is free in this one."""
    by: dict[str, Any] = {"headers": side.owner.bearer}
    job = {"type": "work", "uniqueKey": "shared", "delayMs": 3_600_000}
    again = {"type": "work", "payload": {}}
    nightly = {"name": "shared", "cron": "0 3 1 1 *", "type": "work"}
    made = [
        await house("POST", "/api/jobs", job, **by),
        await house("POST", "/api/jobs", again, also={"Idempotency-Key": "shared"}, **by),
        await house("POST", "/api/schedules", nightly, **by),
    ]
    for found in made:
        assert found.status_code == 201, found.text
        assert "idempotency-replayed" not in found.headers
        assert data(found)["tenantId"] == side.things.tenant


def _made_up(found: httpx2.Response) -> str:
    """The body, without what is new in every answer: clocks, ids and secrets of new things."""
    if found.status_code == 200:
        return _without_clock(found)
    if found.status_code not in {201, 202}:
        return found.text
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", "<id>", found.text)
    text = re.sub(r'"count": ?\d+', "<count>", text)  # of what was to do again: less each time
    return re.sub(r'\d{4}-\d\d-\d\dT[\d:.]+Z|"offset": ?\d+|"(?:key|hint)":"[^"]*"', "<new>", text)


def _without_clock(found: httpx2.Response) -> str:
    if not found.headers.get("content-type", "").startswith("application/json"):
        return found.text
    return json.dumps(_still(found.json()), sort_keys=True)


def _still(value: Any) -> Any:
    """With the fields that move with the clock stopped."""
    if isinstance(value, dict):
        return {
            name: "*"
            if name == MADE_UP or (name in VOLATILE and inner is not None)
            else _still(inner)
            for name, inner in value.items()
        }
    return [_still(inner) for inner in value] if isinstance(value, list) else value


def _forged(things: Things) -> dict[str, str]:
    """A key with an id of theirs, and a secret that is made up."""
    from jobcast.services.key_text import _checksum

    body = f"jc_test_{things.key}_{'x' * 32}"
    return {"X-API-Key": body + _checksum(body)}
