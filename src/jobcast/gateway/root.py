"""The gateway as one ASGI app: HTTP, WebSocket and lifespan told apart."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.types import ASGIApp, Receive, Scope, Send

from jobcast.gateway.http.envelope import refusal

NOT_RUNNING = (
    "Jobcast is not running: enter `async with app.running()` in the lifespan of the app that "
    "mounts it, or let the server run this app's own lifespan."
)


class Root:
    """Hands requests to whatever runs, under whatever path it is mounted.

    `current` tells the gateway that runs, or None, and hears under which path it was found;
    `start` runs one for a server that speaks lifespan.
    """

    def __init__(
        self,
        current: Callable[[str], tuple[ASGIApp, ASGIApp] | None],
        start: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        self._current = current
        self._start = start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        apps = self._current(scope.get("root_path", ""))
        if apps is None:
            await _refuse(scope, receive, send)
            return
        http, sockets = apps
        await (sockets if scope["type"] == "websocket" else http)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        context = self._start()
        try:
            await context.__aenter__()
        except Exception as problem:
            await send({"type": "lifespan.startup.failed", "message": str(problem)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await context.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    refused = refusal(503, NOT_RUNNING, code="UNAVAILABLE")
    if scope["type"] != "websocket":
        await refused(scope, receive, send)
        return
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await refused(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1012})
