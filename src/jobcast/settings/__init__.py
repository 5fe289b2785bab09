"""The only reader of the environment and of `.env`."""

from jobcast.settings.local import with_local_secrets
from jobcast.settings.model import Settings, SettingsError, load_settings
from jobcast.settings.production import check_production
from jobcast.settings.start import startable

__all__ = [
    "Settings",
    "SettingsError",
    "check_production",
    "load_settings",
    "startable",
    "with_local_secrets",
]
