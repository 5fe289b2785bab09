"""Whether a process may start with its settings: checked in production, helped elsewhere."""

from __future__ import annotations

from typing import Final

from jobcast.settings.local import with_local_secrets
from jobcast.settings.model import Settings, SettingsError
from jobcast.settings.production import check_production

NOWHERE: Final = "localhost"
"""The host of what listens nowhere: nobody comes to it from outside."""


def startable(settings: Settings, *, processes: int = 1, listens: bool = True) -> Settings:
    """The settings to start with: in production as they are, elsewhere with local secrets.

    Raises SettingsError with a sentence for each fault that production is refused for.
    """
    host = settings.host if listens else NOWHERE
    faults = check_production(settings, processes=processes, host=host)
    if faults:
        raise SettingsError(faults)
    return settings if settings.env == "production" else with_local_secrets(settings)
