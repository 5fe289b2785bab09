"""Which variable sets which setting, and the one place where variables are looked up.

Every setting is read as `JOBCAST_NAME`, those in `BARE` also by the bare name that hosting
platforms set. The environment wins over the file, and in each of them the prefixed name over the
bare one. Case doesn't matter; an empty text counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX: Final = "JOBCAST_"

#: Setting → the bare name it is documented by.
BARE: Final[Mapping[str, str]] = {
    "app_name": "APP_NAME",
    "port": "PORT",
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "jwt_access_secrets": "JWT_ACCESS_SECRET",
    "jwt_refresh_secrets": "JWT_REFRESH_SECRET",
    "jwt_access_expires_in": "JWT_ACCESS_EXPIRES_IN",
    "jwt_refresh_expires_in": "JWT_REFRESH_EXPIRES_IN",
    "webhook_secrets": "WEBHOOK_SECRET",
    "smtp_url": "SMTP_URL",
    "mail_from": "MAIL_FROM",
}
#: Bare names that stand in where a setting's own is absent.
STAND_INS: Final = ("JWT_SECRET", "REDIS_HOST", "REDIS_PORT")

_DEFAULT_REDIS_PORT: Final = "6379"


def variables(field: str) -> tuple[str, ...]:
    """The names that a setting is read by, the documented one first."""
    if field in BARE:
        return BARE[field], PREFIX + BARE[field]
    return (PREFIX + field.upper(),)


class Variables(PydanticBaseSettingsSource):
    """The texts set for the fields of `settings_cls`, looked up in `layers`, strongest first.

    The names in a layer are lower case.
    """

    def __init__(self, settings_cls: type[BaseSettings], *layers: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._layers = layers

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(fields[name], name)[0] for name in fields}
        return {name: text for name, text in found.items() if text is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        text = self._find(*variables(field_name))
        if text is None and field_name in {"jwt_access_secrets", "jwt_refresh_secrets"}:
            text = self._stand_in("JWT_SECRET")
        if text is None and field_name == "redis_url":
            text = self._redis_url()
        return text, field_name, False

    def _redis_url(self) -> str | None:
        host = self._stand_in("REDIS_HOST")
        if host is None:
            return None
        port = self._stand_in("REDIS_PORT") or _DEFAULT_REDIS_PORT
        return f"redis://[{host}]:{port}/0" if ":" in host else f"redis://{host}:{port}/0"

    def _stand_in(self, name: str) -> str | None:
        return self._find(name, PREFIX + name)

    def _find(self, *names: str) -> str | None:
        for layer in self._layers:
            for name in reversed(names):
                text = (layer.get(name.lower()) or "").strip()
                if text:
                    return text
        return None
