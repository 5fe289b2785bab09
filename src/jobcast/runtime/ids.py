"""Ids: UUIDv7 text, so that the order of ids is the order in which one process made them."""

from uuid_utils import uuid7


def new_id() -> str:
    """A new id, greater than every earlier one of this process."""
    return str(uuid7())
