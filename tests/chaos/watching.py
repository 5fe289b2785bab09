"""Watchers: they reconnect with what they have, and keep every frame."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

Frame = dict[str, Any]
TERMINAL = ("job:done", "job:failed", "job:cancelled")


class Watcher:
    """Follows a job until its end, or a tenant until it is told to stop; on any gateway."""

    def __init__(self, urls: Callable[[], list[str]], key: str, **what: str) -> None:
        self.frames: list[Frame] = []
        self.faults: list[str] = []
        self.connects = 0
        self.what = what
        self._urls = urls
        self._key = key
        self._after: int | str | None = 0 if "jobId" in what else None
        self._task = asyncio.create_task(self._watch())
        self.subscribed = asyncio.Event()

    @property
    def last(self) -> int:
        """The seq of the newest frame."""
        return self.frames[-1]["seq"] if self.frames else 0

    async def ended(self) -> None:
        """Returns when the job's last event has come."""
        await self._task

    async def stop(self) -> None:
        """Watches no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            url = random.choice(self._urls()).replace("http://", "ws://")
            try:
                async with connect(
                    f"{url}/ws",
                    additional_headers={"X-API-Key": self._key},
                    proxy=None,
                    open_timeout=5,
                    ping_interval=3,
                    ping_timeout=5,
                ) as socket:
                    self.connects += 1
                    if await self._follow(socket):
                        return
            except (OSError, TimeoutError, WebSocketException):
                await asyncio.sleep(0.1 + random.random() / 5)

    async def _follow(self, socket: ClientConnection) -> bool:
        wanted: Frame = {"type": "subscribe", **self.what}
        if self._after is not None:
            wanted["after"] = self._after
        await socket.send(json.dumps(wanted))
        async for text in socket:
            frame: Frame = json.loads(text)
            match frame["type"]:
                case "subscribed":
                    if self._after is None:
                        self._after = frame["cursor"]
                    if not frame["recovered"]:
                        self.faults.append(f"not recovered: {frame}")
                    self.subscribed.set()
                case "gap":
                    self.faults.append(f"gap: {frame}")
                case "error":
                    if not frame.get("temporary"):
                        self.faults.append(f"error: {frame}")
                    return False
                case kind if kind.startswith("job:"):
                    self._take(frame)
                    if "jobId" in self.what and kind in TERMINAL:
                        return True
        return False

    def _take(self, frame: Frame) -> None:
        if "jobId" in self.what:
            if frame["seq"] != self.last + 1:
                self.faults.append(f"seq {frame['seq']} after {self.last}")
            self._after = frame["seq"]
        else:
            self._after = frame["cursor"]
        self.frames.append(frame)
