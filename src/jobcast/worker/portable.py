"""A job type on its way to a child process: as a pickle, which holds its handler by name."""

from __future__ import annotations

import functools
import pickle
from typing import Final

from msgspec.structs import asdict
from pydantic import TypeAdapter

from jobcast.worker.handler import JobType

_CANT: Final = (pickle.PicklingError, AttributeError, TypeError)
"""What pickle raises for functions and classes that can't be found by their name."""


def pack(kind: JobType) -> bytes:
    """The type as a child can load it; raises TypeError with a sentence where it never can.

    A worker calls this for its isolated types when it starts, so that a fault shows at once.
    """
    name = getattr(kind.handler, "__qualname__", repr(kind.handler))
    try:
        pickle.dumps(kind.handler)
    except _CANT:
        raise TypeError(
            "isolation='process' needs a handler defined at module level, under its own name: "
            f"{name} of job type {kind.type!r} is not."
        ) from None
    try:
        return pickle.dumps(asdict(kind) | {"adapter": None})  # adapters can't be pickled
    except _CANT:
        raise TypeError(
            "isolation='process' needs a payload type defined at module level: "
            f"that of {name} of job type {kind.type!r} is not."
        ) from None


@functools.cache
def unpack(packed: bytes) -> JobType:
    """The type again; this imports the module of its handler. Only for what `pack` made."""
    fields = pickle.loads(packed)  # noqa: S301  from the worker, by way of a private pipe
    if fields["schema"] is not None:
        fields["adapter"] = TypeAdapter(fields["payload_type"])
    return JobType(**fields)
