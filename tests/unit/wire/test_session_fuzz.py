"""Whatever a client sends, a session answers or closes: it never raises, and never stays silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Forbidden, JobcastError, NotFound, RateLimited, Unauthorized
from jobcast.wire import answers, commands
from jobcast.wire.actions import Action, Authenticate, Close, Credentials, Do, Ping, Request, Send
from jobcast.wire.close import CloseCode
from jobcast.wire.limits import SessionLimits
from jobcast.wire.session import Session

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "frames.json").read_text(encoding="utf-8")
)
COMMANDS = [text.encode() for text in GOLDEN["commands"].values()]
LIMITS = SessionLimits(
    max_message_bytes=1000, max_subscriptions=3, max_pending=4, max_messages=60, max_bad_messages=20
)
WALL = 1_795_383_112_000


def principal(user: str) -> Principal:
    return Principal(kind=Kind.USER, tenant_id="t1", user_id=user, expires_at=WALL + 120_000)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden command with a few bytes changed, cut out or put in."""
    text = bytearray(draw(st.sampled_from(COMMANDS)))
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        at = draw(st.integers(min_value=0, max_value=len(text)))
        end = min(len(text), at + draw(st.integers(min_value=0, max_value=6)))
        text[at:end] = draw(
            st.binary(max_size=6)
            | st.sampled_from(
                [b'"', b"{", b"}", b"[" * 300, b"null", b"\\ud800", b"1e999", b":", b","]
            )
        )
    return bytes(text)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """A golden command with keys of other values, missing keys or keys from elsewhere."""
    command: dict[str, Any] = msgspec.json.decode(
        draw(st.sampled_from([text for text in COMMANDS if b"1e200000" not in text]))
    )
    keys = ["type", "id", "jobId", "tenantId", "after", "job", "channel", "data", "token", "x"]
    for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3)):
        if draw(st.booleans()):
            command.pop(key, None)
        else:
            command[key] = draw(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(max_size=200)
                | st.lists(st.integers(), max_size=2)
                | st.sampled_from(["subscribe", "t1", {}, {"a": {"b": []}}])
            )
    return json.dumps(command).encode()


anything = st.binary(max_size=1200) | mutated() | altered() | st.sampled_from(COMMANDS)


def opened() -> Session:
    session = Session(LIMITS, connection_id="c1", now=0)
    [do] = session.open(Credentials("token", "x"))
    assert isinstance(do, Do)
    assert isinstance(do.request, Authenticate)
    session.authenticated(do.request, principal("u1"), now=0, wall_ms=WALL)
    return session


@given(anything)
def test_an_open_session_answers_every_message(message: bytes) -> None:
    session = opened()
    [action] = session.receive(message, now=1)
    match action:
        case Send(frame):
            assert msgspec.json.decode(frame, type=dict[str, msgspec.Raw])["type"]
        case Close(code):
            assert code is CloseCode.TOO_BIG
        case Do(request):
            assert session.pending == 1
            assert not isinstance(request, commands.Ping)
        case Ping():
            raise AssertionError("nothing pings because of a message")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_text_that_no_utf_8_could_hold_is_answered_too(message: str) -> None:
    assert opened().receive(message, now=1)


@given(anything)
def test_before_credentials_every_message_is_answered_and_only_auth_gets_further(
    message: bytes,
) -> None:
    session = Session(LIMITS, connection_id="c1", now=0)
    actions = session.receive(message, now=1)
    assert actions
    for action in actions:
        if isinstance(action, Do):
            assert isinstance(action.request, Authenticate)
        if isinstance(action, Send):
            assert msgspec.json.decode(action.frame, type=dict[str, msgspec.Raw])["code"]


class Connection(RuleBasedStateMachine):
    """A client that sends anything, a shell that reports anything, and time that passes."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(LIMITS, connection_id="c1", now=0)
        self.now = 0.0
        self.todo: list[Request] = []
        self.closed = False
        self.greeted = False

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.closed, "after a close nothing is asked for"
            match action:
                case Do(request):
                    self.todo.append(request)
                case Close():
                    self.closed = True
                    self.todo.clear()
                case Send(frame):
                    kind = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])["type"]
                    self.greeted |= bytes(kind) == b'"connected"'
                case Ping():
                    pass

    @initialize(secret=st.none() | st.just(Credentials("token", "x")), at_once=st.booleans())
    def opens(self, secret: Credentials | None, at_once: bool) -> None:
        self.carry_out(self.session.open(secret, at_once=at_once))

    @precondition(lambda self: not self.closed)
    @rule(message=anything)
    def client_sends(self, message: bytes) -> None:
        actions = self.session.receive(message, now=self.now)
        assert actions
        self.carry_out(actions)

    @precondition(lambda self: self.todo)
    @rule(user=st.sampled_from(["u1", "u1", "u2"]))
    def shell_succeeds(self, user: str) -> None:
        request = self.todo.pop(0)
        session = self.session
        match request:
            case Authenticate():
                wall_ms = WALL + round(self.now * 1000)
                self.carry_out(
                    session.authenticated(request, principal(user), now=self.now, wall_ms=wall_ms)
                )
            case commands.Submit():
                self.carry_out(session.accepted(request, job_id="j9", job=b"{}"))
            case commands.SubscribeJob():
                answer = answers.subscribed_job(request, seq=1, job=b"{}", recovered=True)
                self.carry_out(session.completed(request, answer))
            case commands.SubscribeTenant():
                tenant = answers.subscribed_tenant(request, cursor="1", recovered=False)
                self.carry_out(session.completed(request, tenant))
            case commands.UnsubscribeJob() | commands.UnsubscribeTenant():
                self.carry_out(session.completed(request, answers.unsubscribed(request)))
            case commands.Cancel():
                self.carry_out(session.completed(request, answers.cancelling(request)))
            case commands.Join():
                joined = answers.joined(
                    request, count=1, users=1, offset=0, epoch="e", recovered=True
                )
                self.carry_out(session.completed(request, joined))
            case commands.Leave():
                self.carry_out(session.completed(request, answers.left(request)))
            case commands.Publish():
                self.carry_out(session.completed(request, answers.published(request, offset=1)))

    @precondition(lambda self: self.todo)
    @rule(
        error=st.sampled_from(
            [
                NotFound("Job not found"),
                Unauthorized("Invalid token"),
                Forbidden("No"),
                RateLimited("Slow down", retry_after=3),
                JobcastError("Internal server error"),
            ]
        )
    )
    def shell_fails(self, error: JobcastError) -> None:
        self.carry_out(self.session.failed(self.todo.pop(0), error))

    @rule(job_id=st.sampled_from(["j9", "019ab8f2-6c00-7000-8000-000000000001"]))
    def a_job_ends(self, job_id: str) -> None:
        self.session.ended(job_id)

    @rule(seconds=st.sampled_from([0.5, 5, 11, 26, 61]), answers_pings=st.booleans())
    def time_passes(self, seconds: float, answers_pings: bool) -> None:
        self.now += seconds
        self.carry_out(self.session.tick(self.now))
        if answers_pings:
            self.session.pong_received()

    @rule()
    def server_drains(self) -> None:
        self.carry_out(self.session.drain(reconnect_in_ms=10))

    @invariant()
    def the_session_and_its_shell_agree(self) -> None:
        assert self.session.closed == self.closed
        assert self.session.pending == len(self.todo)

    @invariant()
    def limits_hold(self) -> None:
        assert self.session.pending <= LIMITS.max_pending
        assert self.session.subscriptions <= LIMITS.max_subscriptions

    @invariant()
    def nobody_is_greeted_without_credentials(self) -> None:
        assert self.greeted == (self.session.principal is not None)

    @invariant()
    def what_is_due_is_done(self) -> None:
        self.carry_out(self.session.tick(self.now))
        assert self.session.next_deadline > self.now


TestConnection = Connection.TestCase
