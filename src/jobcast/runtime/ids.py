"""Ids: UUIDv7 text, so that the order of ids is the order in which one process made them."""

from uuid_utils import uuid7


def new_id() -> str:
    """A new id, greater than every earlier one of this process."""
    return str(uuid7())


def first_id(at: int) -> str:
    """Less than every id that is made at or after a moment, in milliseconds since 1970."""
    text = f"{at:012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"
