"""What is watched: one job up to its end, or the status events of all jobs of a tenant."""

from collections import OrderedDict
from typing import Any, Final

from jobcast.client.connection import Lost
from jobcast.client.models import ENDED, Event, model

REMEMBERED: Final = 10_000
"""Jobs of a tenant whose newest seq is kept, to tell a repeat from news."""


class JobTopic:
    """One job. `last` is the seq up to which the caller has seen everything."""

    answer = "subscribed"

    def __init__(self, job_id: str, *, after: int) -> None:
        self._job_id = job_id
        self._last = after
        self._horizon = 0
        self._newest_end: int | None = None

    @property
    def over(self) -> bool:
        return self._newest_end is not None and self._last >= self._newest_end

    def command(self) -> dict[str, Any]:
        return {"type": "subscribe", "jobId": self._job_id, "after": self._last}

    def opened(self, answer: dict[str, Any]) -> None:
        """Learns whether the job has ended."""
        seq, job = answer.get("seq"), answer.get("job")
        if isinstance(seq, int):
            # An `after` beyond the newest event would hide every event up to it.
            self._last = min(self._last, seq)
            self._horizon = seq
            ended = isinstance(job, dict) and job.get("status") in ENDED
            self._newest_end = seq if ended else None

    def take(self, frame: dict[str, Any]) -> Event | None:
        kind = str(frame.get("type"))
        if frame.get("jobId") != self._job_id:
            return None
        if kind == "unsubscribed":
            raise Lost("the server ended the subscription")
        if kind == "gap":
            return self._passed_gap(model(Event, frame))
        if kind.startswith("job:"):
            return self._passed(model(Event, frame))
        return None

    def _passed_gap(self, gap: Event) -> Event:
        if gap.gap_to is None:  # the job was deleted: nothing more can come
            self._newest_end = self._last
        elif isinstance(gap.gap_to, int):
            self._last = max(self._last, gap.gap_to)
        return gap

    def _passed(self, event: Event) -> Event | None:
        if event.seq <= self._last:
            return None
        self._last = event.seq
        if event.terminal and event.seq >= self._horizon:  # not one that a retry has undone
            self._newest_end = event.seq
        return event


class TenantTopic:
    """All jobs of a tenant; `after` is the cursor up to which the caller has seen everything."""

    answer = "subscribed"
    over = False

    def __init__(self, tenant_id: str, *, after: str | None) -> None:
        self._tenant_id = tenant_id
        self._after = after
        self._newest: OrderedDict[str, int] = OrderedDict()

    def command(self) -> dict[str, Any]:
        after = {} if self._after is None else {"after": self._after}
        return {"type": "subscribe", "tenantId": self._tenant_id, **after}

    def opened(self, answer: dict[str, Any]) -> None:
        cursor = answer.get("cursor")
        if isinstance(cursor, str):
            self._after = cursor

    def take(self, frame: dict[str, Any]) -> Event | None:
        kind = str(frame.get("type"))
        if frame.get("tenantId") != self._tenant_id:
            return None
        if kind == "unsubscribed":
            raise Lost("the server ended the subscription")
        if kind != "gap" and not kind.startswith("job:"):
            return None
        event = model(Event, frame)
        if event.cursor is not None:
            self._after = event.cursor
        return event if kind == "gap" or self._is_news(event) else None

    def _is_news(self, event: Event) -> bool:
        job_id = event.job_id or ""
        if event.seq <= self._newest.get(job_id, -1):
            return False
        self._newest[job_id] = event.seq
        self._newest.move_to_end(job_id)
        if len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)
        return True
