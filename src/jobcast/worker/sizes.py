"""How large what a run says may be."""

from jobcast.domain.job import EventType
from jobcast.services.refusals import Quota, longer, too_large
from jobcast.settings import Settings


def check_said(kind: EventType, data: str, settings: Settings) -> None:
    """Raises TooLarge for a log line, progress or piece of output that is larger than its quota.

    `data` is the event's JSON.
    """
    if kind is EventType.OUTPUT:
        limit = settings.max_output_bytes
        if longer(data, limit):
            raise too_large(
                Quota.OUTPUT,
                f"A piece of output is larger than {limit} bytes: send smaller ones, or a file.",
            )
        return
    limit = settings.max_log_bytes
    if longer(data, limit):
        raise too_large(Quota.LOG, f"A log line is larger than {limit} bytes: save it as a file.")
