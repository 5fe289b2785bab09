"""The app that the benchmarks run: a job that does nothing."""

from typing import Any

import jobcast

app = jobcast.App()


@app.job("noop")
async def noop(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, bool]:
    """Ends at once."""
    return {"ok": True}
