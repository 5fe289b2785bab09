"""The blocking client: a twin in step, on a loop of its own, safe wherever it is used."""

import asyncio
import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.sync_client import TARGET, render
from tests.unit.client.fake_server import KEY, WORK, Break, FakeServer

from jobcast.client import Client, ClientClosed, InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def blocking(server: FakeServer) -> "Iterator[Client]":
    with Client(server.url, KEY, retry_for=5, reconnect_for=5) as client:
        yield client


def threads() -> int:
    return sum(thread.name == "jobcast-client" for thread in threading.enumerate())


def test_it_is_in_step_with_the_asynchronous_one() -> None:
    assert TARGET.read_text() == render(), "run `make client`"


def test_a_job_from_submission_to_result(blocking: Client, server: FakeServer) -> None:
    job = blocking.submit("demo", {"n": 1})
    assert [event.type for event in blocking.watch(job.id)][-1] == "job:done"
    assert blocking.result(job.id) == {"pages": 3}
    assert [piece.data for piece in blocking.output(job.id)] == [{"token": "Hel"}, {"token": "lo"}]
    assert [found.id for page in blocking.pages() for found in page] == [job.id]


def test_errors_are_those_of_the_asynchronous_one(blocking: Client) -> None:
    with pytest.raises(NotFound, match="Job not found"):
        blocking.get("nothing")
    with pytest.raises(InvalidRequest, match="is not a server's address"):
        Client("localhost:3000")


def test_many_threads_share_it(blocking: Client, server: FakeServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda n: blocking.submit("email", {"n": n}), range(80)))
    assert [job.payload for job in jobs] == [{"n": n} for n in range(80)]
    assert len(server.jobs) == 80
    assert threads() == 1


async def test_it_works_where_a_loop_runs(server: FakeServer) -> None:
    with Client(server.url, KEY) as client:  # as in a notebook
        assert client.submit("email").type == "email"


def test_a_broken_connection_is_taken_up(blocking: Client, server: FakeServer) -> None:
    server.breaks.append(Break(3, None))
    events = blocking.watch(server.add_job(steps=WORK))
    assert [event.seq for event in events] == list(range(1, 8))


def test_an_iterator_that_is_left_leaves_the_socket(blocking: Client, server: FakeServer) -> None:
    events = blocking.watch(server.add_job())
    assert next(events).type == "job:pending"
    events.close()
    assert list(events) == []


def test_after_close_every_call_says_so(server: FakeServer) -> None:
    client = Client(server.url, KEY)
    client.submit("email")
    events = client.watch(server.add_job())
    next(events)
    client.close()
    client.close()
    assert threads() == 0
    for call in (
        lambda: client.submit("email"),
        lambda: next(events),
        lambda: next(client.pages()),
    ):
        with pytest.raises(ClientClosed, match="closed"):
            call()


def test_a_close_ends_the_calls_of_other_threads(server: FakeServer) -> None:
    client = Client(server.url, KEY)
    job_id = server.add_job()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(client.wait, job_id)
        watching = pool.submit(list, client.watch(job_id))
        server.wait_until(lambda fake: len(fake.calls) == 1 and len(fake.frames) == 1)
        client.close()
        for call in (waiting, watching):
            with pytest.raises(ClientClosed):
                call.result()


def test_one_that_is_forgotten_ends_its_thread(server: FakeServer) -> None:
    client = Client(server.url, KEY)
    client.submit("email")
    (thread,) = [one for one in threading.enumerate() if one.name == "jobcast-client"]
    del client
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


def test_one_that_was_never_used_starts_no_thread(server: FakeServer) -> None:
    with Client(server.url, KEY):
        assert threads() == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_has_a_client_of_its_own(
    blocking: Client, server: FakeServer, tmp_path: Path
) -> None:
    blocking.submit("email")  # its thread runs, and won't in the child
    child = os.fork()
    if child == 0:
        try:
            (tmp_path / "said").write_text(blocking.submit("sms").type or "")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / "said").read_text() == "sms"
    assert blocking.submit("email").type == "email"


def test_ctrl_c_ends_the_call_and_not_the_client(blocking: Client, server: FakeServer) -> None:
    job_id = server.add_job()

    def interrupt() -> None:
        server.wait_until(lambda fake: len(fake.calls) == 1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        blocking.wait(job_id)
    thread.join()
    assert blocking.submit("email").type == "email"


def test_its_own_loop_can_not_block_on_it(blocking: Client) -> None:
    async def inside() -> None:
        await asyncio.sleep(0)
        blocking.submit("email")

    with pytest.raises(RuntimeError, match="its own loop"):
        blocking._portal.run(lambda _: inside())
