"""What a client has asked for: the requests under way and the topics it follows."""

from typing import Final, assert_never

from jobcast.wire import answers, commands
from jobcast.wire.actions import Do, Request, Send
from jobcast.wire.errors import ErrorCode
from jobcast.wire.frames import encode
from jobcast.wire.limits import SessionLimits
from jobcast.wire.subscriptions import (
    Following,
    Subscriptions,
    Unfollowing,
    job_topic,
    topic_of,
)


class Requests:
    """Admits requests within the limits, and keeps those that are not reported yet.

    Topics are taken and given up when the client asks, not when it is done, because the shell
    carries requests out in that order: a second `subscribe` behind an `unsubscribe` is fine.
    """

    __slots__ = ("_limits", "_pending", "following")

    def __init__(self, limits: SessionLimits) -> None:
        self.following: Final = Subscriptions(limits.max_subscriptions)
        self._limits = limits
        self._pending: dict[int, Request] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def ask(self, request: Request) -> Do | Send:
        """The request for the shell, or the answer where there is nothing to do or no room."""
        if len(self._pending) >= self._limits.max_pending:
            sentence = "Too many commands are waiting for their answers."
            return refuse(request, ErrorCode.TOO_MANY_PENDING, sentence, temporary=True)
        if isinstance(request, Following):
            if topic_of(request) in self.following:
                sentence = f"Already {_followed(request)} on this connection."
                return refuse(request, ErrorCode.ALREADY_SUBSCRIBED, sentence)
            if self.following.full:
                return self._refuse_one_more(request)
            self.following.reserve(request)
        elif isinstance(request, Unfollowing):
            # A job's subscription may have ended by itself while this was on its way: no fault.
            if not self.following.drop(topic_of(request)):
                return Send(encode(answers.unfollowed(request)))
        elif isinstance(request, commands.Submit) and request.subscribe:
            if self.following.full:
                return self._refuse_one_more(request)
            self.following.hold()
        self._pending[id(request)] = request
        return Do(request)

    def done(self, request: Request, *, job_id: str | None = None) -> None:
        """The request was carried out; a submit that subscribes follows `job_id` from here on.

        Raises KeyError for a request that isn't under way, which is a fault of the shell.
        """
        del self._pending[id(request)]
        if isinstance(request, Following):
            self.following.settle(request, live=True)
        elif job_id is not None:
            self.following.release(job_topic(job_id))

    def failed(self, request: Request) -> None:
        """The request was refused: what it took is given back. Raises like `done`."""
        del self._pending[id(request)]
        if isinstance(request, Following):
            self.following.settle(request, live=False)
        elif isinstance(request, commands.Submit) and request.subscribe:
            self.following.release(None)

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._pending.clear()
        self.following.clear()

    def _refuse_one_more(self, request: Following | commands.Submit) -> Send:
        sentence = f"At most {self._limits.max_subscriptions} live subscriptions on one connection."
        return refuse(request, ErrorCode.TOO_MANY_SUBSCRIPTIONS, sentence, temporary=True)


def refuse(
    request: Request | commands.Command, code: ErrorCode, sentence: str, *, temporary: bool = False
) -> Send:
    """The `error` that answers a request."""
    return Send(encode(answers.refusal(code, sentence, id=request.id, temporary=temporary)))


def _followed(request: Following) -> str:
    match request:
        case commands.SubscribeJob():
            return f"subscribed to job {request.job_id}"
        case commands.SubscribeTenant():
            return f"subscribed to tenant {request.tenant_id}"
        case commands.Join():
            return f"in channel {request.channel}"
        case _:
            assert_never(request)
