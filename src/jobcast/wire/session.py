"""One connection as a state machine without I/O: messages in, actions out.

    AWAITING ──credentials──▶ CHECKING ──found good──▶ OPEN ──▶ CLOSED
        └─ deadline, another command ─▶ CLOSED ◀─ refused, flood, heartbeat, expiry

The shell that owns the socket calls `open` once, `receive` for every message and `tick` at
`next_deadline`, and carries out the actions it gets back, in order. A `Do` names a use case: the
shell carries these out one at a time, in the order given and not after a `Close`, and reports each
by exactly one of `authenticated`, `accepted`, `completed` or `failed`. A client may thus send
commands right behind its credentials: they run once these were found good, or never.

Frames of live topics don't pass through here: the hub hands them to the shell. The session keeps
which topics are followed, so the shell calls `ended` after a job's last event.

`now` is seconds of a monotonic clock. After a `Close` every call does nothing and answers nothing,
so that what was under way may still report. None of this raises for anything a client can send.
"""

from enum import Enum
from math import inf
from typing import Final

from jobcast.domain.access import Principal
from jobcast.domain.errors import JobcastError
from jobcast.wire import answers, commands, messages
from jobcast.wire.actions import (
    Action,
    Authenticate,
    Close,
    Credentials,
    Do,
    Ping,
    Plain,
    Request,
    Send,
)
from jobcast.wire.close import CloseCode, close_reason
from jobcast.wire.commands import Command
from jobcast.wire.errors import BadMessage, ErrorCode
from jobcast.wire.frames import encode
from jobcast.wire.gate import Gate
from jobcast.wire.heartbeat import Heartbeat
from jobcast.wire.limits import SessionLimits
from jobcast.wire.parsing import decode_command, size_of
from jobcast.wire.requests import Requests, refuse
from jobcast.wire.standing import Standing
from jobcast.wire.subscriptions import job_topic

NO_CREDENTIALS: Final = "Access token required"


class _State(Enum):
    AWAITING = "waits for credentials"
    CHECKING = "credentials are being checked"
    OPEN = "open"
    CLOSED = "closed"


class Session:
    """The protocol of one connection. `pings` is False where the server under the shell pings."""

    __slots__ = (
        "_connection_id",
        "_gate",
        "_heartbeat",
        "_limits",
        "_requests",
        "_standing",
        "_state",
    )

    def __init__(
        self, limits: SessionLimits, *, connection_id: str, now: float, pings: bool = True
    ) -> None:
        self._limits = limits
        self._connection_id = connection_id
        self._state = _State.AWAITING
        self._standing = Standing(wait_until=now + limits.auth_timeout)
        self._heartbeat = Heartbeat(
            interval=limits.heartbeat if pings else inf, timeout=limits.heartbeat_timeout, now=now
        )
        self._gate = Gate(limits)
        self._requests = Requests(limits)

    @property
    def closed(self) -> bool:
        return self._state is _State.CLOSED

    @property
    def principal(self) -> Principal | None:
        """Whom the connection acts for; None until its credentials were found good."""
        return self._standing.principal

    @property
    def pending(self) -> int:
        """How many requests are not reported yet; a shell stops reading while this is high."""
        return len(self._requests)

    @property
    def subscriptions(self) -> int:
        """How many topics are followed or about to be."""
        return len(self._requests.following)

    def watches(self, job_id: str) -> bool:
        """Whether this job's events go to the connection already, or are about to."""
        return job_topic(job_id) in self._requests.following

    # ── what comes in ─────────────────────────────────────────────────────────────────────────

    def open(self, credentials: Credentials | None, *, at_once: bool = False) -> list[Action]:
        """Starts with what the handshake brought; `at_once`: without credentials it ends here."""
        if credentials is not None:
            return [self._authenticate(Authenticate(credentials, by_command=False))]
        return self.close(CloseCode.CREDENTIALS, NO_CREDENTIALS) if at_once else []

    def receive(self, text: bytes | str, *, now: float) -> list[Action]:
        """A text message (as bytes: its UTF-8)."""
        barred = self._bar(size_of(text), now)
        if barred is not None:
            return barred
        try:
            command = decode_command(text)
        except BadMessage as problem:
            return self._refuse_message(answers.bad_message(problem), now)
        if self._state is _State.AWAITING and not isinstance(command, commands.Auth):
            refusal = refuse(command, ErrorCode.UNAUTHORIZED, NO_CREDENTIALS)
            return [refusal, *self.close(CloseCode.CREDENTIALS, NO_CREDENTIALS)]
        return [self._obey(command)]

    def receive_binary(self, size: int, *, now: float) -> list[Action]:
        """A binary message of `size` bytes; the protocol has none, so it is refused unread."""
        barred = self._bar(size, now)
        if barred is not None:
            return barred
        sentence = "Messages must be JSON in text frames, not in binary frames."
        refusal = answers.refusal(ErrorCode.BINARY_REFUSED, sentence, id=None)
        return self._refuse_message(refusal, now)

    def pong_received(self) -> None:
        """The answer to a `Ping` has come."""
        self._heartbeat.heard()

    # ── what time brings ──────────────────────────────────────────────────────────────────────

    @property
    def next_deadline(self) -> float:
        """When `tick` has something to do; any other call may move it, either way."""
        if self.closed:
            return inf
        return min(self._standing.deadline, self._heartbeat.deadline)

    def tick(self, now: float) -> list[Action]:
        """What is due by now: no credentials in time, the heartbeat, their expiry."""
        if self.closed:
            return []
        standing = self._standing.check(now)
        if standing == "late" and self._state is _State.CHECKING:
            return self.close(CloseCode.UNAVAILABLE, "Credentials can't be checked for now")
        if standing == "late":
            return self.close(CloseCode.CREDENTIALS, "Authentication timed out")
        if standing == "expired":
            return self.close(CloseCode.CREDENTIALS, "Token expired")
        heartbeat = self._heartbeat.check(now)
        if heartbeat == "missed":
            return self.close(CloseCode.HEARTBEAT_MISSED)
        actions: list[Action] = []
        if standing == "expiring":
            actions.append(_send(messages.TokenExpiring(expires_at=self._standing.expires_at)))
        if heartbeat == "ping":
            actions.append(Ping())
        return actions

    # ── what the shell reports ────────────────────────────────────────────────────────────────

    def authenticated(
        self, request: Authenticate, principal: Principal, *, now: float, wall_ms: int
    ) -> list[Action]:
        """The credentials are good; `wall_ms` is the present in milliseconds since 1970.

        On an open connection they renew its own if they are those of the same tenant and user;
        else they are refused and nothing changes. `self.principal` is then whom to act for.
        """
        if self.closed:
            return []
        self._requests.done(request)
        if not self._standing.take(principal, now=now, wall_ms=wall_ms):
            sentence = "These credentials are someone else's; open another connection for them."
            return [refuse(request, ErrorCode.OTHER_IDENTITY, sentence)]
        actions: list[Action] = []
        if request.by_command:
            actions.append(_send(answers.authenticated(principal, id=request.id)))
        if self._state is not _State.OPEN:
            self._state = _State.OPEN
            greeting = answers.connected(
                connection_id=self._connection_id, heartbeat=self._limits.heartbeat
            )
            actions.append(_send(greeting))
        return actions

    def accepted(self, request: commands.Submit, *, job_id: str, job: bytes) -> list[Action]:
        """The job is on disk (`job` is its JSON); with `subscribe` it is followed from here on."""
        if self.closed:
            return []
        self._requests.done(request, job_id=job_id if request.subscribe else None)
        return [_send(answers.accepted(request, job=job))]

    def completed(self, request: Plain, answer: answers.Answer) -> list[Action]:
        """Any other request is done; `answer` is made by the function of `answers` for it."""
        if self.closed:
            return []
        self._requests.done(request)
        return [_send(answer)]

    def failed(self, request: Request, error: JobcastError) -> list[Action]:
        """The request is refused; with no credentials to stand on, that ends the session."""
        if self.closed:
            return []
        self._requests.failed(request)
        refusal: list[Action] = [_send(answers.failed(error, id=request.id))]
        if not isinstance(request, Authenticate) or self._state is _State.OPEN:
            return refusal
        passing = error.temporary or error.status >= 500
        code = CloseCode.UNAVAILABLE if passing else CloseCode.CREDENTIALS
        return [*(refusal if request.by_command else []), *self.close(code, error.message)]

    def ended(self, job_id: str) -> None:
        """The last event of a job that was followed has been handed over."""
        self._requests.following.end(job_topic(job_id))

    def drain(self, *, reconnect_in_ms: int) -> list[Action]:
        """Tells an open client to go elsewhere; the shell closes it (DRAINING) later."""
        if self._state is not _State.OPEN:
            return []
        return [_send(messages.ServerDraining(reconnect_in_ms=reconnect_in_ms))]

    def close(self, code: CloseCode, reason: str | None = None) -> list[Action]:
        """Ends the session, for the shell's own reasons too; nothing if it has ended already."""
        if self.closed:
            return []
        self._state = _State.CLOSED
        self._requests.clear()
        return [Close(code, close_reason(code.text if reason is None else reason))]

    # ── within ────────────────────────────────────────────────────────────────────────────────

    def _bar(self, size: int, now: float) -> list[Action] | None:
        if self.closed:
            return []
        self._heartbeat.heard()
        code = self._gate.message(size, now=now)
        return None if code is None else self.close(code)

    def _refuse_message(self, refusal: messages.Error, now: float) -> list[Action]:
        code = self._gate.bad_message(now=now)
        return [_send(refusal)] if code is None else self.close(code)

    def _obey(self, command: Command) -> Action:
        if isinstance(command, commands.Ping):
            return _send(answers.pong(command))
        if isinstance(command, commands.Auth):
            return self._authenticate(Authenticate.from_command(command))
        return self._requests.ask(command)

    def _authenticate(self, request: Authenticate) -> Do | Send:
        if self._state is _State.AWAITING:
            self._state = _State.CHECKING
        return self._requests.ask(request)


def _send(frame: messages.Frame) -> Send:
    return Send(encode(frame))
