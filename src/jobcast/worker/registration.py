"""What a worker tells the gateways of its types."""

import json

from jobcast.store.base import TypeInfo
from jobcast.worker.handler import JobType


def type_info(kind: JobType) -> TypeInfo:
    """A registered type as the store keeps it; `schema` as JSON Schema text."""
    return TypeInfo(
        type=kind.type,
        queue=kind.queue,
        max_attempts=kind.max_attempts,
        timeout_ms=round(kind.timeout * 1000),
        max_running=kind.max_running,
        schema=None if kind.schema is None else json.dumps(kind.schema, sort_keys=True),
        channel=kind.channel,
        declared_by=kind.declared_by,
    )
