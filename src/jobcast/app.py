"""`App`: where users register their handlers."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from pydantic import PydanticUserError, TypeAdapter

from jobcast.domain import schedule as rules
from jobcast.domain.json import dumps
from jobcast.domain.schedule import Declaration, Plan
from jobcast.worker.handler import ANY_TYPE, Handlers, JobType, PayloadError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from jobcast.compose import Running
    from jobcast.settings import Settings

Handler = TypeVar("Handler", bound=Callable[..., Any])

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
PATTERN: Final = re.compile(r"[a-z0-9:_.*-]{1,128}")
"""Channels: `*` stands for any characters."""

MAX_ATTEMPTS: Final = 100
MAX_TIMEOUT: Final = 7 * 24 * 3600.0
"""Seconds: a run may take a week, as in POST /jobs."""

DEFAULT_TIMEOUT: Final = 600.0
DEFAULT_MAX_ATTEMPTS: Final = 3
DEFAULT_QUEUE: Final = "default"


class App:
    """A set of handlers; what `jobcast dev`, `jobcast worker` and `running` run.

    `name` tells it from the other apps that share a database, and their schedules from its own;
    by default it is the name of the module that makes it.
    """

    def __init__(self, *, name: str | None = None) -> None:
        self.name: str = name or sys._getframe(1).f_globals.get("__name__", "app")
        self._types: dict[str, JobType] = {}
        self._schedules: dict[tuple[str | None, str], Plan] = {}
        self.current: Running | None = None

    @property
    def handlers(self) -> Handlers:
        """All that is registered, as a worker takes it."""
        return Handlers(dict(self._types))

    def job(
        self,
        type: str,
        *,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        timeout: float = DEFAULT_TIMEOUT,
        queue: str = DEFAULT_QUEUE,
        max_running: int | None = None,
        isolation: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Registers a handler `(ctx, payload)` for a job type; `*` takes every other type.

        `timeout` is in seconds; `max_running` caps the type over all workers; `isolation` is None
        or "process". The annotation of `payload` (a pydantic model, a dataclass or dict) is its
        schema. Raises ValueError or TypeError with a sentence for what can't be registered.
        """
        if type != ANY_TYPE and not NAME_PATTERN.fullmatch(type):
            raise ValueError(f"Job type {type!r}: use 1 to 100 of A-Z a-z 0-9 . _ : - (or '*').")
        if type in self._types:
            raise ValueError(f"Job type {type!r} has a handler already.")
        options = _options(max_attempts, timeout, queue, max_running, isolation)

        def register(handler: Handler) -> Handler:
            self._types[type] = _job_type(type, handler, options)
            return handler

        return register

    def on_message(
        self,
        pattern: str,
        *,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        timeout: float = DEFAULT_TIMEOUT,
        queue: str = DEFAULT_QUEUE,
        max_running: int | None = None,
        isolation: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Registers a handler `(ctx, message)` for what clients publish to channels of a pattern.

            @app.on_message("chat:*")
            async def reply(ctx, message):
                return f"{message['from']['name']}, you said {message['data']}"

        All who are in the channel hear the message at once; then it is a durable job, whose result
        is published to the same channel (None says nothing). `message` holds channel, from {id,
        name}, data and at. In a pattern `*` stands for any characters; of several that fit the
        longest is taken. What jobs publish themselves comes to no handler. Options are as for
        `job`. Raises as it does.
        """
        if not PATTERN.fullmatch(pattern):
            raise ValueError(f"Channels {pattern!r}: use 1 to 128 of a-z 0-9 : _ . - and *.")
        if any(kind.channel == pattern for kind in self._types.values()):
            raise ValueError(f"Messages to {pattern!r} have a handler already.")
        options = _options(max_attempts, timeout, queue, max_running, isolation)

        def register(handler: Handler) -> Handler:
            name = getattr(handler, "__name__", "")
            type = f"{name if NAME_PATTERN.fullmatch(name) else 'message'}/{pattern}"
            kind = _job_type(type, handler, options)
            self._types[type] = msgspec.structs.replace(
                kind, channel=pattern, declared_by=self.name
            )
            return handler

        return register

    def schedule(
        self,
        name: str,
        *,
        cron: str,
        type: str | None = None,
        payload: Any = None,
        timezone: str = "UTC",
        queue: str | None = None,
        priority: int = 0,
        tenant: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Submits a job at each tick of a cron text: by itself, or above the handler of the job.

            app.schedule("nightly", cron="0 3 * * *", type="generate-report", payload={…})

            @app.schedule("hourly", cron="0 * * * *", timezone="Europe/Berlin")
            @app.job("sweep")
            async def sweep(ctx, payload): ...

        A worker that starts makes its schedules stand as the code declares them, and deletes those
        that the code no longer does. Of ticks that were missed while no worker was there, the
        latest is run, once. `timezone` is an IANA name; a set time of day that falls into the hour
        skipped in spring is run at the end of the gap, in the hour that comes twice in autumn it is
        run once. `queue` None is the queue of the type; `tenant` None the one that
        `Running.submit` takes. Raises ValueError with a sentence for what can't be scheduled.
        """
        place = f"Schedule {name!r}"
        if (tenant, name) in self._schedules:
            raise ValueError(f"{place} is declared already.")
        plan = Plan(
            name=name,
            cron=cron,
            timezone=timezone,
            type="" if type is None else type,
            payload=dumps({} if payload is None else payload),
            queue=queue,
            priority=priority,
        )
        faults = rules.faults(plan)
        if type is None:
            del faults["type"]  # it comes with the handler
        if tenant is not None and not NAME_PATTERN.fullmatch(tenant):
            faults["tenant"] = [rules.NAME_SENTENCE]
        for field, sentences in faults.items():
            raise ValueError(f"{place}, {field}: {sentences[0]}.")
        self._check_payload(plan)
        self._schedules[tenant, name] = plan

        def register(handler: Handler) -> Handler:
            if type is None:
                self._schedules.pop((tenant, name), None)  # until it is known to be good
                served = [kind.type for kind in self._types.values() if kind.handler is handler]
                if len(served) != 1 or served[0] == ANY_TYPE:
                    raise ValueError(
                        f"{place}: put it above the @app.job(…) of one type, or give type=…"
                    )
                found = msgspec.structs.replace(plan, type=served[0])
                self._check_payload(found)
                self._schedules[tenant, name] = found
            return handler

        return register

    @property
    def schedules(self) -> list[Declaration]:
        """All that is declared; raises ValueError for a schedule that has got no type."""
        for plan in self._schedules.values():
            if not plan.type:
                raise ValueError(
                    f"Schedule {plan.name!r}: give type=…, or put it above an @app.job(…)."
                )
        return [Declaration(plan, tenant) for (tenant, _), plan in self._schedules.items()]

    def _check_payload(self, plan: Plan) -> None:
        """Raises ValueError where the payload does not fit a type that is registered by now."""
        kind = self._types.get(plan.type)
        if kind is not None:
            try:
                kind.decode(plan.payload)
            except PayloadError as problem:
                raise ValueError(f"Schedule {plan.name!r}: {problem}.") from None

    def running(self, settings: Settings | None = None) -> AbstractAsyncContextManager[Running]:
        """Runs everything (gateway services, worker) inside the caller's process and loop."""
        from jobcast.compose import running  # the root of the house; everything else hangs on it

        return running(self, settings)

    def asgi(self, settings: Settings | None = None) -> ASGIApp:
        """HTTP and WebSocket as an ASGI app, to mount in another; its lifespan runs everything."""
        from jobcast.compose import asgi

        return asgi(self, settings)


def _options(
    max_attempts: int, timeout: float, queue: str, max_running: int | None, isolation: str | None
) -> dict[str, Any]:
    """What job types have in common; raises ValueError with a sentence for what can't be."""
    if not NAME_PATTERN.fullmatch(queue):
        raise ValueError(f"Queue {queue!r}: use 1 to 100 of A-Z a-z 0-9 . _ : -")
    if not 1 <= max_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"max_attempts is a number from 1 to {MAX_ATTEMPTS}.")
    if not 0.001 <= timeout <= MAX_TIMEOUT:  # NaN too
        raise ValueError("timeout is in seconds, from 0.001 to 604800 (a week).")
    if max_running is not None and max_running < 1:
        raise ValueError("max_running is 1 or more, or None for no cap.")
    if isolation not in (None, "process"):
        raise ValueError(f"isolation is None or 'process', not {isolation!r}.")
    return {
        "max_attempts": max_attempts,
        "timeout": timeout,
        "queue": queue,
        "max_running": max_running,
        "isolated": isolation == "process",
    }


def _job_type(type: str, handler: Callable[..., Any], options: dict[str, Any]) -> JobType:
    payload_type = _payload_type(handler)
    adapter, schema = _schema(payload_type, type)
    return JobType(
        type=type,
        handler=handler,
        is_async=_is_async(handler),
        payload_type=payload_type,
        schema=schema,
        adapter=adapter,
        **options,
    )


def _payload_type(handler: Callable[..., Any]) -> Any:
    name = getattr(handler, "__name__", repr(handler))
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) != 2:
        raise TypeError(f"{name} must take two parameters: (ctx, payload).")
    wanted = parameters[1].annotation
    if isinstance(wanted, str):  # as `from __future__ import annotations` leaves it
        wanted = _named(wanted, handler, name)
    if wanted is inspect.Parameter.empty:
        return dict
    return dict if getattr(wanted, "__origin__", None) in (dict, Mapping) else wanted


def _named(annotation: str, handler: Callable[..., Any], name: str) -> Any:
    """What the text of an annotation stands for. Those of other parameters may be anything."""
    inner = inspect.unwrap(handler)
    inner = getattr(inner, "func", inner)  # of a partial
    names = getattr(inner, "__globals__", None)
    if names is None:
        names = vars(sys.modules[type(inner).__module__])  # an object with __call__
    closure = inspect.getclosurevars(inner).nonlocals if inspect.isfunction(inner) else {}
    try:
        return eval(annotation, names, dict(closure))  # noqa: S307  # as get_type_hints does
    except NameError as problem:
        raise TypeError(
            f"{name}: the type of its payload, {annotation!r}, is not known where it stands "
            f"({problem}): define or import it at module level."
        ) from None


def _is_async(handler: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  # an object with `async def __call__`
    )


def _schema(payload_type: Any, type: str) -> tuple[Any, dict[str, Any] | None]:
    """What checks payloads, and their JSON Schema; None and None where any object will do."""
    if payload_type in (dict, Any):
        return None, None
    try:
        adapter: Any = TypeAdapter(payload_type)
        return adapter, adapter.json_schema()
    except PydanticUserError as problem:
        reason = str(problem).partition("\n")[0]
        raise TypeError(
            f"Job type {type!r}: {payload_type!r} can't be the type of a payload: {reason}"
        ) from None
