"""Procrastinate, on psycopg's pool; ended jobs are deleted, which is its fastest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.peers import roles
from bench.peers.marks import Marks
from procrastinate import App, PsycopgConnector

CONNECTIONS = 20


class Peer:
    """Jobs are fetched one by one: it has no batches."""

    async def prepare(self) -> None:
        async with _app().open_async() as app:
            await app.schema_manager.apply_schema_async()

    async def fill(self, count: int) -> None:
        async with _app().open_async() as app:
            deferrer = app.configure_task("noop")
            for start in range(0, count, 1_000):
                size = min(1_000, count - start)
                await deferrer.batch_defer_async(*([roles.PAYLOAD] * size))

    async def work(self) -> None:
        marks = Marks()
        app = _app()

        @app.task(name="noop")
        async def noop(text: str) -> None:
            marks.hit()

        async with app.open_async():
            await app.run_worker_async(concurrency=100, delete_jobs="successful")

    @asynccontextmanager
    async def submitter(self) -> AsyncIterator[roles.Call]:
        async with _app().open_async() as app:
            deferrer = app.configure_task("noop")
            yield lambda: deferrer.defer_async(**roles.PAYLOAD)


def _app() -> App:
    return App(
        connector=PsycopgConnector(conninfo=roles.url(), min_size=2, max_size=CONNECTIONS),
    )


if __name__ == "__main__":
    roles.main(Peer())
