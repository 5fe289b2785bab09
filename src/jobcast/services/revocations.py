"""Who is told that a login or a key has ended."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from jobcast.bus.base import key_topic, login_topic

REMEMBERED: Final = 10_000
"""Ended ids that are remembered, for whoever was looking at their credentials meanwhile."""


class Revocations:
    """Tells listeners which login or key has ended, so that its live sockets are closed.

    `of_logins` and `of_keys` are called whoever ended it, here or in another process; `announce`,
    with the topic to tell it on, for what was ended here alone.
    """

    def __init__(self) -> None:
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.of_logins: list[Callable[[str], None]] = []
        self.of_keys: list[Callable[[str], None]] = []
        self.announce: list[Callable[[str], None]] = []

    def login(self, login_id: str) -> None:
        """A login was ended here."""
        self.login_has_ended(login_id)
        for tell in self.announce:
            tell(login_topic(login_id))

    def key(self, key_id: str) -> None:
        """A key was revoked here."""
        self.key_has_ended(key_id)
        for tell in self.announce:
            tell(key_topic(key_id))

    def login_has_ended(self, login_id: str) -> None:
        """A login has ended, wherever."""
        self._remember(login_id)
        for listener in self.of_logins:
            listener(login_id)

    def key_has_ended(self, key_id: str) -> None:
        """A key was revoked, wherever."""
        self._remember(key_id)
        for listener in self.of_keys:
            listener(key_id)

    def has_ended(self, id: str | None) -> bool:
        """Whether this process has lately heard that this login or key has ended."""
        return id in self._ended

    def _remember(self, id: str) -> None:
        self._ended[id] = None
        self._ended.move_to_end(id)
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
