"""Submissions of one client, gathered while others are under way.

While fewer than `UNDER_WAY` requests are out, a submission leaves at once and alone. What is asked
for while all of them are out goes together, as one batch, with the next that comes free: no timer,
so an idle client has no added latency, and a busy one shares the cost of a request. A batch is all
or none; one that is refused is halved until the refusal is that of a single job, which hears it.
"""

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jobcast.client.errors import ClientClosed, JobcastError, ServerError, Unauthorized
from jobcast.client.transport import Transport

UNDER_WAY: Final = 2
"""Requests at a time: while the server works on one, the client makes the next."""

MOST: Final = 200
"""Jobs in one batch; the server takes 1,000."""

MOST_CHARACTERS: Final = 1_000_000
"""Of JSON in one batch, unless a single job has more."""


@dataclass(slots=True, eq=False)
class _Submission:
    text: str
    answer: asyncio.Future[Any]


class Submissions:
    """Sends jobs, each given as JSON text, and answers their documents."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting: deque[_Submission] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._free = UNDER_WAY

    async def __call__(self, text: str) -> Any:
        """The document of the job that was made. Raises the errors of a call."""
        self._transport.check_open()
        submission = _Submission(text, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._leave()
        return await submission.answer

    async def aclose(self) -> None:
        """Gives up what is under way; who waits for it gets ClientClosed."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        while self._waiting:
            _refuse(self._waiting.popleft(), ClientClosed("This client was closed."))

    def _leave(self) -> None:
        while self._free and self._waiting:
            batch = self._next()
            if batch:
                self._free -= 1
                task = asyncio.create_task(self._carry(batch), name="submit jobs")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    def _next(self) -> list[_Submission]:
        """What goes together; those who no longer wait are left out."""
        batch: list[_Submission] = []
        size = 0
        while self._waiting and len(batch) < MOST:
            size += len(self._waiting[0].text)
            if batch and size > MOST_CHARACTERS:
                break
            submission = self._waiting.popleft()
            if not submission.answer.done():
                batch.append(submission)
        return batch

    async def _carry(self, batch: list[_Submission]) -> None:
        back = False

        def come_back() -> None:
            """Makes room for others: at the end, or when this one has to wait."""
            nonlocal back
            if not back:
                back = True
                self._free += 1
                self._leave()

        try:
            await self._send(batch, come_back)
        except asyncio.CancelledError:
            for submission in batch:
                _refuse(submission, ClientClosed("This client was closed."))
            raise
        except Exception as fault:  # nobody may be left waiting
            for submission in batch:
                _refuse(submission, fault)
        finally:
            come_back()

    async def _send(self, batch: list[_Submission], on_wait: Callable[[], None]) -> None:
        try:
            documents = await self._ask(batch, on_wait)
        except JobcastError as failure:
            if len(batch) == 1 or not _is_of_one(failure):
                for submission in batch:
                    _refuse(submission, failure)
                return
            middle = len(batch) // 2
            await asyncio.gather(
                self._send(batch[:middle], on_wait), self._send(batch[middle:], on_wait)
            )
            return
        for submission, document in zip(batch, documents, strict=True):
            if not submission.answer.done():
                submission.answer.set_result(document)

    async def _ask(self, batch: list[_Submission], on_wait: Callable[[], None]) -> list[Any]:
        alone = len(batch) == 1
        texts = ",".join(submission.text for submission in batch)
        answer = await self._transport.call(
            "POST",
            "/jobs" if alone else "/jobs/batch",
            body=texts if alone else f'{{"jobs":[{texts}]}}',
            headers={"Idempotency-Key": str(uuid.uuid4())},
            repeatable=True,
            wait_for_room=alone,
            on_wait=on_wait,
        )
        documents = [answer.data] if alone else answer.data
        if not isinstance(documents, list) or len(documents) != len(batch):
            raise ServerError("The server's answer is not one job for each.", code="BAD_ANSWER")
        return documents


def _is_of_one(failure: JobcastError) -> bool:
    """Whether the server took none of the batch, maybe for the sake of one job in it."""
    status = failure.status
    return status is not None and 400 <= status < 500 and not isinstance(failure, Unauthorized)


def _refuse(submission: _Submission, failure: Exception) -> None:
    if not submission.answer.done():
        submission.answer.set_exception(copy.copy(failure))  # each raises its own
