"""One connection, told as a dialogue between a client, the session and its shell."""

from __future__ import annotations

import json
from math import inf
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import JobcastError, NotFound, Unauthorized, Unavailable
from jobcast.wire import answers, commands
from jobcast.wire.actions import Action, Authenticate, Close, Credentials, Do, Ping, Request, Send
from jobcast.wire.close import CloseCode
from jobcast.wire.limits import SessionLimits
from jobcast.wire.session import Session

WALL = 1_795_383_112_000
USER = Principal(kind=Kind.USER, tenant_id="t1", user_id="u1", expires_at=WALL + 900_000)
JOB = "019ab8f2-6c00-7000-8000-000000000001"
TOKEN = Credentials("token", "abc")

R = TypeVar("R", bound=Request)


class Dialogue:
    """A session and what it did, in words: frames as objects, the rest as actions."""

    def __init__(self, *, limits: SessionLimits | None = None, pings: bool = True) -> None:
        self.now = 0.0
        self.session = Session(
            limits or SessionLimits(), connection_id="c1", now=self.now, pings=pings
        )

    def client_says(self, **command: Any) -> list[Any]:
        return self.heard(self.session.receive(json.dumps(command), now=self.now))

    def client_sends(self, text: bytes | str) -> list[Any]:
        return self.heard(self.session.receive(text, now=self.now))

    def time_comes(self, now: float) -> list[Any]:
        self.now = now
        return self.heard(self.session.tick(now))

    def found_good(self, request: Authenticate, principal: Principal = USER) -> list[Any]:
        wall_ms = WALL + round(self.now * 1000)
        return self.heard(
            self.session.authenticated(request, principal, now=self.now, wall_ms=wall_ms)
        )

    def fails(self, request: Request, error: JobcastError) -> list[Any]:
        return self.heard(self.session.failed(request, error))

    def asked(self, kind: type[R], **command: Any) -> R:
        [action] = self.client_says(**command)
        assert isinstance(action, Do)
        assert isinstance(action.request, kind)
        return action.request

    @staticmethod
    def heard(actions: list[Action]) -> list[Any]:
        return [json.loads(a.frame) if isinstance(a, Send) else a for a in actions]


@pytest.fixture
def fresh() -> Dialogue:
    """A connection that has shown no credentials yet."""
    it = Dialogue()
    assert it.session.open(None) == []
    return it


@pytest.fixture
def open_() -> Dialogue:
    """A connection whose credentials were found good."""
    return opened()


def opened(
    *, limits: SessionLimits | None = None, principal: Principal = USER, pings: bool = True
) -> Dialogue:
    it = Dialogue(limits=limits, pings=pings)
    [do] = it.session.open(TOKEN)
    assert isinstance(do, Do)
    assert isinstance(do.request, Authenticate)
    it.found_good(do.request, principal)
    return it


class TestCredentials:
    def test_those_of_the_handshake_are_checked_and_then_the_client_is_greeted(self) -> None:
        it = Dialogue()
        request = Authenticate(TOKEN, by_command=False)
        [do] = it.session.open(TOKEN)
        assert do == Do(request)
        assert isinstance(do, Do)
        assert isinstance(do.request, Authenticate)
        assert it.found_good(do.request) == [
            {
                "type": "connected",
                "message": "WebSocket connected successfully",
                "connectionId": "c1",
                "heartbeatMs": 25_000,
                "protocol": 1,
            }
        ]
        assert it.session.principal is USER

    def test_without_any_where_they_are_needed_at_once_the_connection_ends(self) -> None:
        it = Dialogue()
        assert it.session.open(None, at_once=True) == [
            Close(CloseCode.CREDENTIALS, "Access token required")
        ]
        assert it.session.closed

    def test_an_auth_command_is_answered_and_then_the_client_is_greeted(
        self, fresh: Dialogue
    ) -> None:
        request = fresh.asked(Authenticate, type="auth", key="k", id=1)
        assert request.credentials == Credentials("key", "k")
        answer, greeting = fresh.found_good(request)
        assert answer == {
            "type": "authenticated",
            "id": 1,
            "tenantId": "t1",
            "userId": "u1",
            "expiresAt": "2026-11-22T21:46:52.000Z",
        }
        assert greeting["type"] == "connected"

    def test_bad_ones_of_the_handshake_close_with_the_reason(self) -> None:
        it = Dialogue()
        [do] = it.session.open(TOKEN)
        assert isinstance(do, Do)
        assert it.fails(do.request, Unauthorized("Invalid token")) == [
            Close(CloseCode.CREDENTIALS, "Invalid token")
        ]

    def test_bad_ones_of_an_auth_command_are_answered_and_then_it_closes(
        self, fresh: Dialogue
    ) -> None:
        request = fresh.asked(Authenticate, type="auth", token="x", id="a")
        refusal, close = fresh.fails(request, Unauthorized("Invalid token"))
        assert (refusal["code"], refusal["id"]) == ("UNAUTHORIZED", "a")
        assert close == Close(CloseCode.CREDENTIALS, "Invalid token")

    @pytest.mark.parametrize("error", [Unavailable("Starting"), JobcastError("Oops")])
    def test_when_they_cannot_be_checked_the_client_is_told_to_come_back(
        self, error: JobcastError
    ) -> None:
        it = Dialogue()
        [do] = it.session.open(TOKEN)
        assert isinstance(do, Do)
        [close] = it.fails(do.request, error)
        assert close == Close(CloseCode.UNAVAILABLE, error.message)
        assert close.code.reconnect

    def test_any_other_command_before_them_is_refused_and_closes(self, fresh: Dialogue) -> None:
        refusal, close = fresh.client_says(type="ping", id=3)
        assert refusal == {
            "type": "error",
            "id": 3,
            "code": "UNAUTHORIZED",
            "message": "Access token required",
            "temporary": False,
        }
        assert close == Close(CloseCode.CREDENTIALS, "Access token required")

    def test_a_message_that_is_no_command_is_refused_and_does_not_close(
        self, fresh: Dialogue
    ) -> None:
        [refusal] = fresh.client_sends(b"{")
        assert refusal["code"] == "INVALID_JSON"
        assert not fresh.session.closed

    def test_commands_right_behind_them_wait_for_their_turn(self, fresh: Dialogue) -> None:
        fresh.asked(Authenticate, type="auth", token="x")
        fresh.asked(commands.SubscribeJob, type="subscribe", jobId=JOB)
        assert fresh.client_says(type="ping") == [{"type": "pong"}]
        assert fresh.session.pending == 2

    def test_none_within_the_time_closes(self, fresh: Dialogue) -> None:
        assert fresh.session.next_deadline == 10
        assert fresh.time_comes(9.99) == []
        assert fresh.time_comes(10) == [Close(CloseCode.CREDENTIALS, "Authentication timed out")]

    def test_a_check_that_takes_too_long_is_no_fault_of_the_client(self) -> None:
        it = Dialogue()
        it.session.open(TOKEN)
        assert it.time_comes(10) == [
            Close(CloseCode.UNAVAILABLE, "Credentials can't be checked for now")
        ]

    def test_once_open_the_time_to_authenticate_is_over(self, open_: Dialogue) -> None:
        assert open_.time_comes(11) == []


class TestRenewal:
    def test_a_warning_comes_a_minute_before_the_end_and_then_the_end(self) -> None:
        it = opened(pings=False)
        assert it.session.next_deadline == 840
        assert it.time_comes(840) == [
            {"type": "token:expiring", "expiresAt": "2026-11-22T21:46:52.000Z"}
        ]
        assert it.time_comes(899) == []
        assert it.time_comes(900) == [Close(CloseCode.CREDENTIALS, "Token expired")]

    def test_fresh_credentials_put_the_end_off(self) -> None:
        it = opened(pings=False)
        it.time_comes(840)
        request = it.asked(Authenticate, type="auth", token="y", id=1)
        [answer] = it.found_good(request, replace(USER, expires_at=WALL + 1_800_000))
        assert answer["type"] == "authenticated"
        assert it.session.next_deadline == 1740
        assert it.time_comes(900) == []

    def test_credentials_of_someone_else_are_refused_and_change_nothing(
        self, open_: Dialogue
    ) -> None:
        request = open_.asked(Authenticate, type="auth", token="y", id=1)
        [refusal] = open_.found_good(request, replace(USER, user_id="u2"))
        assert (refusal["code"], refusal["id"]) == ("OTHER_IDENTITY", 1)
        assert open_.session.principal is USER

    def test_bad_credentials_leave_an_open_connection_as_it_was(self, open_: Dialogue) -> None:
        request = open_.asked(Authenticate, type="auth", token="y", id=1)
        [refusal] = open_.fails(request, Unauthorized("Invalid token"))
        assert (refusal["type"], refusal["id"]) == ("error", 1)
        assert not open_.session.closed


class TestCommands:
    def test_ping_is_answered_at_once(self, open_: Dialogue) -> None:
        assert open_.client_says(type="ping", id="p") == [{"type": "pong", "id": "p"}]

    def test_a_subscription_is_carried_out_and_answered(self, open_: Dialogue) -> None:
        request = open_.asked(commands.SubscribeJob, type="subscribe", jobId=JOB, after=2, id=1)
        answer = answers.subscribed_job(request, seq=4, job=b'{"id":"j"}', recovered=True)
        assert open_.heard(open_.session.completed(request, answer)) == [
            {
                "type": "subscribed",
                "id": 1,
                "jobId": JOB,
                "seq": 4,
                "job": {"id": "j"},
                "recovered": True,
            }
        ]
        assert open_.session.watches(JOB.upper())
        assert (open_.session.pending, open_.session.subscriptions) == (0, 1)

    def test_a_subscription_ends_by_itself_after_the_last_event(self, open_: Dialogue) -> None:
        request = open_.asked(commands.SubscribeJob, type="subscribe", jobId=JOB)
        open_.session.completed(
            request, answers.subscribed_job(request, seq=4, job=b"{}", recovered=True)
        )
        open_.session.ended(JOB)
        assert not open_.session.watches(JOB)
        assert open_.client_says(type="unsubscribe", jobId=JOB) == [
            {"type": "unsubscribed", "jobId": JOB}
        ]

    def test_a_submitted_job_is_accepted_and_followed(self, open_: Dialogue) -> None:
        request = open_.asked(commands.Submit, type="submit", job={"type": "a"}, id=1)
        accepted = open_.session.accepted(request, job_id=JOB, job=b'{"id":"j"}')
        assert open_.heard(accepted) == [{"type": "accepted", "id": 1, "job": {"id": "j"}}]
        assert open_.session.watches(JOB)

    def test_a_job_submitted_without_subscribe_is_not_followed(self, open_: Dialogue) -> None:
        request = open_.asked(commands.Submit, type="submit", job={}, subscribe=False)
        open_.session.accepted(request, job_id=JOB, job=b"{}")
        assert not open_.session.watches(JOB)

    def test_what_a_use_case_refuses_is_answered_with_its_code(self, open_: Dialogue) -> None:
        request = open_.asked(commands.Cancel, type="cancel", jobId=JOB, id=1)
        assert open_.fails(request, NotFound("Job not found")) == [
            {
                "type": "error",
                "id": 1,
                "code": "NOT_FOUND",
                "message": "Job not found",
                "temporary": False,
            }
        ]

    def test_a_second_subscription_to_the_same_job_is_refused(self, open_: Dialogue) -> None:
        open_.asked(commands.SubscribeJob, type="subscribe", jobId=JOB)
        [refusal] = open_.client_says(type="subscribe", jobId=JOB, id=2)
        assert (refusal["code"], refusal["id"]) == ("ALREADY_SUBSCRIBED", 2)


class TestLimits:
    def test_a_message_above_the_limit_closes(self) -> None:
        it = opened(limits=SessionLimits(max_message_bytes=20))
        assert it.client_sends(b'{"type":"ping"     }') == [{"type": "pong"}]
        assert it.client_sends(" " * 21) == [Close(CloseCode.TOO_BIG, "Message too big")]

    def test_the_limit_counts_bytes_and_not_characters(self) -> None:
        it = opened(limits=SessionLimits(max_message_bytes=20))
        assert it.client_sends("é" * 11) == [Close(CloseCode.TOO_BIG, "Message too big")]

    def test_a_binary_frame_is_refused_and_does_not_close(self, open_: Dialogue) -> None:
        [refusal] = open_.heard(open_.session.receive_binary(5, now=0))
        assert (refusal["code"], refusal["temporary"]) == ("BINARY_REFUSED", False)

    def test_a_large_binary_frame_closes(self, open_: Dialogue) -> None:
        assert open_.session.receive_binary(65_537, now=0) == [
            Close(CloseCode.TOO_BIG, "Message too big")
        ]

    def test_a_flood_of_bad_messages_closes_for_good(self) -> None:
        it = opened(limits=SessionLimits(max_bad_messages=2))
        assert [it.client_sends(b"x")[0]["code"] for _ in range(2)] == ["INVALID_JSON"] * 2
        [close] = it.client_sends(b"x")
        assert close == Close(CloseCode.FLOOD, "Too many messages")
        assert not close.code.reconnect

    def test_bad_messages_now_and_then_are_only_refused(self) -> None:
        it = opened(limits=SessionLimits(max_bad_messages=1), pings=False)
        for now in (0, 10, 20, 30):
            it.now = now
            assert it.client_sends(b"x")[0]["type"] == "error"

    def test_a_flood_of_good_messages_closes_too(self) -> None:
        it = opened(limits=SessionLimits(max_messages=1))
        it.client_says(type="ping")
        assert it.client_says(type="ping") == [Close(CloseCode.FLOOD, "Too many messages")]


class TestHeartbeat:
    def test_a_peer_that_answers_is_kept(self, open_: Dialogue) -> None:
        assert open_.session.next_deadline == 25
        assert open_.time_comes(25) == [Ping()]
        open_.session.pong_received()
        assert open_.time_comes(35) == []
        assert open_.time_comes(50) == [Ping()]

    def test_any_message_is_a_sign_of_life(self, open_: Dialogue) -> None:
        open_.time_comes(25)
        open_.client_says(type="ping")
        assert open_.time_comes(35) == []

    def test_a_peer_that_is_silent_is_given_up_and_may_come_back(self, open_: Dialogue) -> None:
        open_.time_comes(25)
        [close] = open_.time_comes(35)
        assert close == Close(CloseCode.HEARTBEAT_MISSED, "Heartbeat missed")
        assert close.code.reconnect

    def test_a_warning_and_a_ping_may_come_together(self) -> None:
        it = opened(principal=replace(USER, expires_at=WALL + 85_000))
        assert [it.time_comes(25)[0]["type"], it.session.next_deadline] == ["token:expiring", 35]

    def test_where_the_server_below_pings_the_session_does_not(self) -> None:
        it = opened(principal=replace(USER, expires_at=None), pings=False)
        assert it.session.next_deadline == inf
        assert it.time_comes(1e6) == []


class TestEnd:
    def test_a_drain_tells_the_client_when_to_come_back(self, open_: Dialogue) -> None:
        assert open_.heard(open_.session.drain(reconnect_in_ms=1500)) == [
            {"type": "server:draining", "reconnectInMs": 1500}
        ]
        assert open_.client_says(type="ping") == [{"type": "pong"}]
        assert open_.session.close(CloseCode.DRAINING) == [
            Close(CloseCode.DRAINING, "The server restarts; reconnect")
        ]

    def test_a_client_that_was_not_greeted_is_not_told_of_a_drain(self, fresh: Dialogue) -> None:
        assert fresh.session.drain(reconnect_in_ms=1500) == []

    def test_after_the_end_nothing_is_said_and_late_reports_are_welcome(
        self, open_: Dialogue
    ) -> None:
        session = open_.session
        subscribe = open_.asked(commands.SubscribeJob, type="subscribe", jobId=JOB)
        submit = open_.asked(commands.Submit, type="submit", job={})
        auth = open_.asked(Authenticate, type="auth", token="x")
        cancel = open_.asked(commands.Cancel, type="cancel", jobId=JOB)
        assert session.close(CloseCode.SLOW_READER, "slow") == [
            Close(CloseCode.SLOW_READER, "slow")
        ]
        subscribed = answers.subscribed_job(subscribe, seq=1, job=b"{}", recovered=True)
        assert session.completed(subscribe, subscribed) == []
        assert session.accepted(submit, job_id="j", job=b"{}") == []
        assert open_.found_good(auth) == []
        assert open_.fails(cancel, NotFound("Job not found")) == []
        assert open_.client_says(type="ping") == []
        assert session.receive_binary(1, now=0) == []
        assert session.tick(1e9) == []
        assert session.drain(reconnect_in_ms=1) == []
        assert session.close(CloseCode.NORMAL) == []
        session.ended(JOB)
        assert session.next_deadline == inf
        assert (session.pending, session.subscriptions) == (0, 0)

    def test_a_report_of_what_nobody_asked_is_a_fault_of_the_shell(self, open_: Dialogue) -> None:
        with pytest.raises(KeyError):
            open_.fails(commands.Cancel(job_id="j"), NotFound("Job not found"))
