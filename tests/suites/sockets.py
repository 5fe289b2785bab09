"""What every shell must do that owns sockets, said once: over real sockets, with real clients.

A shell's test module gives a fixture `shell` and a class `Test… (SocketSuite)`.
"""

import asyncio
import json
import socket

import pytest
from structlog.testing import capture_logs
from tests.support.talk import member, talk
from tests.support.whole_house import House, data, eventually
from tests.support.workshop import Workshop
from tests.unit.gateway.ws.conftest import Open
from websockets.exceptions import InvalidStatus

from jobcast.gateway.ws import asgi, protocol
from jobcast.runtime import audit


async def ticket_of(house: House) -> str:
    ticket: str = data(await house("POST", "/api/ws-tickets"))["ticket"]
    return ticket


async def shake_hands(live: House) -> socket.socket:
    """A bare socket with small buffers that has sent its handshake, and a ping."""
    host, port = live.address.split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, (host, int(port)))
    handshake = (
        f"GET /ws HTTP/1.1\r\nHost: {live.address}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\nX-API-Key: {live.key.text}\r\n\r\n"
    )
    await loop.sock_sendall(peer, handshake.encode())
    assert b"101 Switching" in await loop.sock_recv(peer, 200)
    await eventually(lambda: len(live.home.connections) == 1)
    return peer


async def slow_closes(live: House) -> float:
    """How many were closed for reading too slowly, as the metrics say."""
    [line] = [
        line
        for line in (await live("GET", "/metrics")).text.splitlines()
        if line.startswith("jobcast_ws_slow_closes_total ")
    ]
    return float(line.split()[1])


def masked(text: str) -> bytes:
    """A text frame of a client, masked with zeros."""
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def refused(problem: InvalidStatus, status: int, code: str, said: str) -> None:
    """Checks that a handshake was refused with a status, in the envelope of the API."""
    response = problem.response
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    document = json.loads(response.body or b"")
    assert (document["success"], document["code"]) == (False, code)
    assert said in document["message"]


class SocketSuite:
    """The behaviour of the sockets at `/ws` and `/`."""

    # ── credentials ───────────────────────────────────────────────────────────────────────────

    async def test_every_form_of_credentials_in_the_handshake_is_greeted(self, live: House) -> None:
        person = await live.person()
        job = await live.waiting()
        token, watch = person.tokens.access_token, await live.watch_token(job["id"])
        ways: list[tuple[str, dict[str, str]]] = [
            (f"?ticket={await ticket_of(live)}", {}),
            (f"?token={token}", {}),
            (f"?token={watch}", {}),
            ("", {"Authorization": f"Bearer {token}"}),
            ("", {"authorization": f"bearer {live.key.text}"}),
            ("", {"X-API-Key": live.key.text}),
            ("?token=ignored", live.key.headers),
        ]
        for path in ("/ws", "/"):
            for query, headers in ways if path == "/ws" else ways[1:]:
                async with talk(f"{live.address}{path}{query}", headers=headers) as client:
                    greeting = await client.hear()
                    assert greeting.pop("connectionId")
                    assert greeting == {
                        "type": "connected",
                        "message": "WebSocket connected successfully",
                        "heartbeatMs": 25_000,
                        "protocol": 1,
                    }

    async def test_a_first_message_may_bring_the_credentials(self, live: House) -> None:
        person = await live.person()
        for secret in (
            {"token": person.tokens.access_token},
            {"key": live.key.text},
            {"ticket": await ticket_of(live)},
        ):
            async with talk(f"{live.address}/ws") as client:
                await client.say("auth", id="a", **secret)

                answer = await client.hear()

                assert (answer["type"], answer["id"], answer["tenantId"]) == (
                    "authenticated",
                    "a",
                    "acme",
                )
                assert (await client.hear())["type"] == "connected"

    async def test_a_ticket_opens_one_socket(self, live: House) -> None:
        address = f"{live.address}/ws?ticket={await ticket_of(live)}"
        async with talk(address) as client:
            assert (await client.hear())["type"] == "connected"

        async with talk(address) as client:
            assert await client.closed() == (1008, "Invalid, used or expired ticket")
            assert client.seen == []

    async def test_bad_credentials_are_accepted_and_then_closed(self, live: House) -> None:
        person = await live.person()
        for query, headers in (
            ("?ticket=x", {}),
            ("?token=x", {}),
            (f"?token={person.tokens.refresh_token}", {}),
            (f"?token={person.tokens.access_token[:-6]}", {}),
            ("?guest=ada", {}),
            ("", {"X-API-Key": "jc_nonesuch"}),
            ("", {"Authorization": "Bearer x"}),
        ):
            for path in ("/ws", "/"):
                async with talk(f"{live.address}{path}{query}", headers=headers) as client:
                    code, reason = await client.closed()
                    assert code == 1008
                    assert reason
                    assert client.seen == []

    async def test_bad_credentials_in_a_message_are_answered_and_closed(self, live: House) -> None:
        async with talk(f"{live.address}/ws") as client:
            await client.say("auth", id=1, token="x")

            answer = await client.hear()

            assert (answer["type"], answer["code"], answer["id"]) == ("error", "UNAUTHORIZED", 1)
            assert (await client.closed())[0] == 1008

    async def test_nobody_without_credentials_stays_at_the_root(self, live: House) -> None:
        async with talk(f"{live.address}/") as client:
            assert await client.closed() == (1008, "Access token required")

    async def test_a_command_before_credentials_is_refused(self, live: House) -> None:
        async with talk(f"{live.address}/ws") as client:
            await client.say("ping", id=1)

            assert (await client.hear())["code"] == "UNAUTHORIZED"
            assert await client.closed() == (1008, "Access token required")

    async def test_credentials_have_to_come_in_time(self, open_house: Open) -> None:
        async with open_house(ws_auth_timeout=0.2) as live, talk(f"{live.address}/ws") as client:
            assert await client.closed() == (1008, "Authentication timed out")

    async def test_commands_right_behind_the_credentials_are_answered(self, live: House) -> None:
        job = await live.waiting()
        async with talk(f"{live.address}/ws") as client:
            await client.say("auth", key=live.key.text)
            await client.say("subscribe", id=1, jobId=job["id"])

            heard = [(await client.hear())["type"] for _ in range(3)]

        assert heard == ["authenticated", "connected", "subscribed"]

    async def test_access_tokens_in_the_address_can_be_switched_off(self, open_house: Open) -> None:
        async with open_house(ws_query_tokens=False) as live:
            person, job = await live.person(), await live.waiting()
            async with talk(f"{live.address}/ws?token={person.tokens.access_token}") as client:
                assert await client.closed() == (
                    1008,
                    "Only a watch token may stand in the address",
                )
            async with talk(
                f"{live.address}/ws?token={await live.watch_token(job['id'])}"
            ) as client:
                assert (await client.hear())["type"] == "connected"
            async with member(live.address, person.bearer) as client:
                assert (await client.ask("ping"))["type"] == "pong"
            async with talk(f"{live.address}/ws") as client:
                await client.say("auth", token=person.tokens.access_token)
                assert (await client.hear())["type"] == "authenticated"

    # ── origins and paths ─────────────────────────────────────────────────────────────────────────

    async def test_a_page_from_elsewhere_is_refused_before_the_handshake(self, live: House) -> None:
        for origin, good in (
            ("http://localhost:5173", True),
            ("http://127.0.0.1", True),
            ("https://evil.example", False),
            ("http://localhost.evil.example", False),
            ("null", False),
        ):
            opening = talk(f"{live.address}/ws", headers={**live.key.headers, "Origin": origin})
            if good:
                async with opening as client:
                    assert (await client.hear())["type"] == "connected"
            else:
                with pytest.raises(InvalidStatus) as refusal:
                    await opening.__aenter__()
                refused(refusal.value, 403, "FORBIDDEN", "JOBCAST_ALLOWED_ORIGINS")

    async def test_a_page_that_is_refused_is_audited(self, live: House) -> None:
        audit._told.clear()
        headers = {**live.key.headers, "Origin": "https://evil.example"}
        with capture_logs() as logs, pytest.raises(InvalidStatus):
            await talk(f"{live.address}/ws", headers=headers).__aenter__()
        [line] = [line for line in logs if line["event"] == "origin refused"]
        assert (line["log"], line["origin"]) == ("audit", "https://evil.example")
        assert line["address"] == "127.0.0.1"
        assert live.key.text not in str(logs)

    async def test_named_origins_are_the_only_ones(self, open_house: Open) -> None:
        async with open_house(allowed_origins=("https://app.example",)) as live:
            for origin, good in (("https://app.example", True), ("http://localhost", False)):
                opening = talk(f"{live.address}/ws", headers={**live.key.headers, "Origin": origin})
                if good:
                    async with opening as client:
                        assert (await client.hear())["type"] == "connected"
                else:
                    with pytest.raises(InvalidStatus):
                        await opening.__aenter__()

    async def test_there_are_sockets_at_two_paths_and_nowhere_else(self, live: House) -> None:
        for path in ("/wss", "/api/jobs", "/ws/"):
            with pytest.raises(InvalidStatus) as refusal:
                await talk(f"{live.address}{path}", headers=live.key.headers).__aenter__()
            refused(refusal.value, 404, "NOT_FOUND", "WebSockets are at /ws and /.")

    # ── messages that are none ────────────────────────────────────────────────────────────────────

    async def test_bad_messages_are_answered_and_the_connection_goes_on(self, live: House) -> None:
        async with member(live.address, live.key.headers) as client:
            for text, code in (
                ("{", "INVALID_JSON"),
                ("[]", "VALIDATION_ERROR"),
                ('{"type":"dance","id":7}', "UNKNOWN_COMMAND"),
                ('{"type":"ping","more":1}', "VALIDATION_ERROR"),
                ('{"type":"subscribe"}', "VALIDATION_ERROR"),
                ('{"type":"ping","a":' + "[" * 60_000, "INVALID_JSON"),
            ):
                await client.connection.send(text)
                answer = await client.hear()
                assert (answer["type"], answer["code"]) == ("error", code)
                assert answer["temporary"] is False
            await client.connection.send(b"\x00\x01")
            assert (await client.hear())["code"] == "BINARY_REFUSED"
            assert await client.ask("ping") == {"type": "pong", "id": len(client.seen)}

    async def test_an_id_comes_back_as_it_was(self, live: House) -> None:
        async with member(live.address, live.key.headers) as client:
            for id in ("text", "", 0, -5, 2**53 - 1, "\u00fc\U0001f600"):
                await client.say("ping", id=id)
                assert await client.hear() == {"type": "pong", "id": id}
            await client.say("ping")
            assert await client.hear() == {"type": "pong"}

    async def test_a_message_may_have_64_kib_and_no_more(self, live: House) -> None:
        def message(size: int) -> str:
            return '{"type":"ping"}'.ljust(size)

        async with member(live.address, live.key.headers) as client:
            await client.connection.send(message(65_536))
            assert (await client.hear())["type"] == "pong"
            await client.connection.send(message(65_537))
            assert (await client.closed())[0] == 1009
        async with member(live.address, live.key.headers) as client:
            await client.connection.send([message(40_000), message(40_000)])
            assert (await client.closed())[0] == 1009

    async def test_a_flood_of_bad_messages_is_closed_for_good(self, live: House) -> None:
        async with member(live.address, live.key.headers) as client:
            for _ in range(51):
                await client.connection.send("nonsense")

            assert await client.closed() == (3501, "Too many messages")
            assert len(client.seen) == 51  # the greeting, and an answer to fifty of them

    async def test_text_that_is_no_utf_8_closes_the_connection(self, live: House) -> None:
        async with member(live.address, live.key.headers) as client:
            await client.connection.send(b"\xff\xfe", text=True)

            assert (await client.closed())[0] == 1007

    # ── slow and vanishing peers ──────────────────────────────────────────────────────────────────

    async def test_a_peer_that_vanishes_leaves_nothing_behind(self, live: House) -> None:
        job = await live.waiting()
        peer = await shake_hands(live)
        await asyncio.get_running_loop().sock_sendall(
            peer, masked(f'{{"type":"subscribe","jobId":"{job["id"]}"}}')
        )
        await eventually(lambda: live.hub.watches == 1)

        peer.close()

        await eventually(lambda: live.hub.watches == 0)
        await eventually(lambda: not len(live.home.connections))
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ws ")]

    async def test_a_peer_that_does_not_read_is_let_go(
        self, open_house: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for shell in (asgi, protocol):
            monkeypatch.setattr(shell, "CLOSE_WITHIN", 0.05)
        async with open_house(ws_pending_bytes=50_000) as live:
            peer = await shake_hands(live)
            [connection] = live.home.connections
            await eventually(lambda: connection.principal is not None)

            # What the kernel and the server take on the way is a few megabytes.
            for _ in range(400):
                connection.deliver([b'{"type":"job:output","data":"%b"}' % (b"x" * 50_000)])
                await asyncio.sleep(0)

            await eventually(lambda: not len(live.home.connections))
            assert await slow_closes(live) == 1
            peer.close()

    async def test_a_slow_reader_is_closed_resumes_without_a_gap_and_harms_nobody(
        self, open_house: Open, workshop: Workshop
    ) -> None:
        async with open_house(ws_pending_bytes=300_000) as live:
            job = await live.submit("steps", {"steps": 60, "size": 200_000})
            async with (
                member(live.address, live.key.headers, narrow=True) as slow,
                member(live.address, live.key.headers) as quick,
            ):
                for client in (slow, quick):
                    await client.ask("subscribe", jobId=job["id"], after=0)
                for number in range(60):
                    workshop.open(f"step {number}")
                seen = await quick.events(job["id"])  # while the slow one reads nothing
                assert [frame["seq"] for frame in seen] == list(range(1, 64))
                assert (await slow.closed())[0] == 3008
                got = [frame["seq"] for frame in slow.seen if frame["type"].startswith("job:")]
            assert got == list(range(1, len(got) + 1))
            assert 0 < len(got) < 63
            assert await slow_closes(live) == 1

            async with member(live.address, live.key.headers) as client:
                await client.ask("subscribe", jobId=job["id"], after=got[-1])
                rest = [frame["seq"] for frame in await client.events(job["id"])]
            assert got + rest == list(range(1, 64))

    async def test_a_peer_that_is_silent_is_found_by_the_heartbeat(self, open_house: Open) -> None:
        async with open_house(ws_heartbeat=0.5, ws_heartbeat_timeout=2) as live:
            peer = await shake_hands(live)  # it answers no ping

            await eventually(lambda: not len(live.home.connections))
            peer.close()

    async def test_a_peer_that_answers_pings_stays(self, open_house: Open) -> None:
        async with (
            open_house(ws_heartbeat=0.3, ws_heartbeat_timeout=2) as live,
            member(live.address, live.key.headers) as client,
        ):
            await asyncio.sleep(2)  # several heartbeats
            assert (await client.ask("ping"))["type"] == "pong"

    # ── draining ──────────────────────────────────────────────────────────────────────────────────

    async def test_whoever_watches_is_told_when_the_server_goes(self, live: House) -> None:
        job = await live.waiting()
        async with (
            member(live.address, live.key.headers) as client,
            talk(f"{live.address}/ws") as stranger,
        ):
            await client.ask("subscribe", jobId=job["id"])
            await eventually(lambda: len(live.home.connections) == 2)

            live.home.connections.drain(reconnect_in_ms=lambda: 1234)

            assert await client.hear() == {"type": "server:draining", "reconnectInMs": 1234}
            assert (await client.closed())[0] == 1012
            assert (await stranger.closed())[0] == 1012
            assert stranger.seen == []
