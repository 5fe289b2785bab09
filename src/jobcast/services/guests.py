"""Guests: people with a name and nothing else, where they are allowed."""

from typing import Final

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Unauthorized
from jobcast.services.local_key import TENANT
from jobcast.settings import Settings

LONGEST: Final = 64
"""Characters of a guest's name."""


def guest(name: str, settings: Settings) -> Principal:
    """The guest of a name, at home in the local tenant.

    Raises Unauthorized where guests are not allowed, or none can be called so.
    """
    if not settings.guests:
        raise Unauthorized("Guests are not allowed here")
    if not 1 <= len(name) <= LONGEST or not name.isprintable() or name != name.strip():
        raise Unauthorized(f"A guest's name has 1 to {LONGEST} printable characters")
    return Principal(kind=Kind.GUEST, tenant_id=TENANT, name=name, scopes=frozenset())
