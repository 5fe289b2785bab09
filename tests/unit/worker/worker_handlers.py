"""Handlers at module level, so that child processes can import them."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import jobcast

app = jobcast.App()


@app.job("busy-loop", isolation="process")
def busy_loop(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    ctx.log("begun")
    while True:
        pass


@app.job("isolated-exit", isolation="process")
def isolated_exit(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    os._exit(3)


@app.job("hard-exit")
async def hard_exit(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    os._exit(3)


@app.job("whose-process")
async def whose_process(ctx: jobcast.Context, payload: dict[str, Any]) -> bool:
    return multiprocessing.parent_process() is None
