"""Who did it, for the audit log."""

from typing import TypedDict

from jobcast.domain.access import Principal


class Actor(TypedDict):
    """The user and the key that somebody acted by; None where there is none."""

    user: str | None
    key: str | None


def actor(principal: Principal) -> Actor:
    """The ids of a principal."""
    return Actor(user=principal.user_id, key=principal.key_id)
