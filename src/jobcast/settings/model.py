"""The settings: one frozen object, made by `load_settings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobcast.settings import values
from jobcast.settings.variables import Variables, variables


class SettingsError(Exception):
    """Settings that can't be used; `sentences` says for each fault what to set to what."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences: list[str] = list(sentences)
        super().__init__("\n".join(self.sentences))


def _registration(known: dict[str, Any]) -> values.Registration:
    return "invite" if known.get("env") == "production" else "open"


class Settings(BaseSettings):
    """All settings, checked. Durations are seconds, sizes bytes.

    Secrets, and addresses that may hold a password, stay out of `repr`. What each is for stands in
    `.env.example`. Get one from `load_settings`.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", env_ignore_empty=True
    )

    env: values.Env = "development"
    app_name: values.Text = "Jobcast"
    host: values.Text = "127.0.0.1"
    port: values.Port = 3000
    data_dir: values.Folder = Path(".jobcast")
    log_level: values.LogLevel = "info"
    #: Whether spans go to OpenTelemetry.
    tracing: values.Flag = False

    #: None: SQLite in `data_dir`; else it starts with `postgresql://`.
    database_url: values.DatabaseUrl = None
    #: None: the bus inside the process.
    redis_url: values.RedisUrl = None

    #: New first: the first signs, all verify.
    jwt_access_secrets: values.Secrets = ()
    jwt_refresh_secrets: values.Secrets = ()
    webhook_secrets: values.WebhookSecrets = ()
    jwt_access_expires_in: values.Seconds = 900
    jwt_refresh_expires_in: values.Seconds = 604_800

    registration: values.Registration = Field(default_factory=_registration)
    guests: values.Flag = False
    #: As browsers send them. Empty: any loopback origin in development, none in production.
    allowed_origins: values.Origins = ()
    #: Empty: in development the names of this machine and addresses, in production any.
    allowed_hosts: values.Hosts = ()
    #: Whose X-Forwarded-For and -Proto are believed.
    trusted_proxies: values.Networks = ()
    #: Without a slash at its end. None: links follow the request.
    public_url: values.WebUrl = None

    rate_limit: values.Count = 10
    key_rate_limit: values.Count = 6000
    publish_rate_limit: values.Count = 600
    read_rate_limit: values.Count = 60_000
    max_waiting: values.Count = 1_000_000
    retention: values.Seconds = 604_800
    concurrency: values.Count = 100
    #: False: every loop runs by polling alone.
    hints: values.Flag = True

    #: The wait before each attempt.
    webhook_schedule: values.Waits = (0, 2, 4, 30, 300, 1800, 7200, 18_000, 36_000)
    #: Seconds of nothing but failures, after which an endpoint is called no more.
    webhook_disable_after: values.Seconds = 432_000
    #: Private networks that production may reach all the same.
    allowed_networks: values.Networks = ()
    smtp_url: values.SmtpUrl = None
    mail_from: values.MailAddress = "Jobcast <jobcast@localhost>"

    max_payload_bytes: values.Count = 262_144
    max_result_bytes: values.Count = 1_048_576
    max_file_bytes: values.Count = 16_777_216
    #: Of one line and one piece, as JSON.
    max_log_bytes: values.Count = 65_536
    max_output_bytes: values.Count = 262_144
    max_webhook_bytes: values.Count = 2_097_152
    max_batch: values.Count = 1_000
    max_batch_bytes: values.Count = 16_777_216
    max_page_size: values.Count = 100
    #: Open sockets of a tenant, over all gateways.
    max_connections: values.Count = 10_000
    max_message_bytes: values.Count = 65_536
    max_subscriptions: values.Count = 128
    ws_auth_timeout: values.Span = 10.0
    ws_heartbeat: values.Span = 25.0
    ws_heartbeat_timeout: values.Span = 10.0
    #: What may wait for a reader; a slower one is closed and can resume.
    ws_pending_bytes: values.Count = 1_048_576
    #: What a gateway that goes spreads its goodbyes over, at most.
    ws_drain: values.Span = 10.0
    #: Whether a socket takes an access token in its address.
    ws_query_tokens: values.Flag = True

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        layers: list[Mapping[str, str | None]] = []
        for source in (env_settings, dotenv_settings):
            assert isinstance(source, EnvSettingsSource)
            layers.append(source.env_vars)
        return init_settings, Variables(settings_cls, *layers)


def load_settings(*, env_file: Path | None = Path(".env"), **overrides: Any) -> Settings:
    """The settings from the environment and `env_file`; `overrides`, by field name, win over both.

    A file that isn't there is no fault. Raises SettingsError with one sentence for each fault, and
    TypeError on an override that is no setting.
    """
    unknown = overrides.keys() - Settings.model_fields.keys()
    if unknown:
        raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        raise SettingsError(_sentences(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{env_file} can't be read as UTF-8 text: {error}."]) from None


def _sentences(error: ValidationError) -> list[str]:
    """One sentence for each field at fault; a value shows only where `repr` shows it."""
    sentences: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_context=False):
        if fault["type"] == "default_factory_not_called":
            continue  # its default depends on a setting that is at fault itself
        name = str(fault["loc"][0])
        field = Settings.model_fields[name]
        wants = next(item for item in field.metadata if isinstance(item, values.Wants))
        variable, *others = variables(name)
        also = f" (or {others[0]})" if others else ""
        shown = f", not {str(fault['input'])[:80]!r}" if field.repr else ""
        sentences.setdefault(name, f"{variable}{also} must be {wants.text}{shown}.")
    return list(sentences.values())
