from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobcast.settings import SettingsError, load_settings

HIDDEN: dict[str, Any] = {
    "jwt_access_secrets": "hush-access",
    "jwt_refresh_secrets": "hush-refresh",
    "webhook_secrets": "hush-webhook",
    "database_url": "postgres://u:hush@db/jobs",
    "redis_url": "redis://:hush@cache",
    "smtp_url": "smtp://u:hush@mail",
}


def test_with_nothing_set_the_defaults_hold() -> None:
    settings = load_settings()
    assert (settings.env, settings.host, settings.port) == ("development", "127.0.0.1", 3000)
    assert settings.data_dir == Path(".jobcast")
    assert settings.database_url is None
    assert settings.redis_url is None
    assert (settings.jwt_access_expires_in, settings.jwt_refresh_expires_in) == (900, 604_800)
    assert (settings.rate_limit, settings.key_rate_limit) == (10, 6000)
    assert settings.allowed_origins == ()


def test_overrides_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1000")
    monkeypatch.setenv("DATABASE_URL", "postgres://db/jobs")
    settings = load_settings(port=2000, database_url=None)
    assert (settings.port, settings.database_url) == (2000, None)


def test_an_override_that_is_no_setting_is_a_mistake_in_the_code() -> None:
    with pytest.raises(TypeError, match="no such setting: colour, prot"):
        load_settings(prot=3000, colour="red")


@pytest.mark.parametrize(
    ("env", "registration"),
    [("development", "open"), ("test", "open"), ("production", "invite")],
)
def test_who_may_register_follows_the_kind_of_environment(env: str, registration: str) -> None:
    assert load_settings(env=env).registration == registration
    assert load_settings(env=env, registration="closed").registration == "closed"


def test_settings_do_not_change() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_secrets_and_passwords_never_show() -> None:
    settings = load_settings(**HIDDEN)
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)
    assert settings.jwt_access_secrets == ("hush-access",)


@pytest.mark.parametrize("field", ["webhook_secrets", "database_url", "redis_url", "smtp_url"])
def test_a_refusal_does_not_show_them_either(field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(**dict[str, Any]({field: "whsec_hush!"}))
    assert "hush" not in str(caught.value)


def test_every_fault_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBCAST_ENV", "prod")
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("JOBCAST_WEBHOOK_SCHEDULE", "now,later")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.sentences == [
        "JOBCAST_ENV must be development, production or test, not 'prod'.",
        "PORT (or JOBCAST_PORT) must be a port number from 0 to 65535, not 'http'.",
        "JOBCAST_WEBHOOK_SCHEDULE must be a comma-separated list of waits such as 0,2s,4s,30s,5m, "
        "not 'now'.",
    ]
    assert str(caught.value) == "\n".join(caught.value.sentences)


def test_a_long_value_is_cut_in_its_sentence() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(app_name="x" * 10_000)
    assert len(str(caught.value)) < 200


def test_a_file_that_is_not_there_is_no_fault() -> None:
    assert load_settings(env_file=Path("nowhere.env")) == load_settings(env_file=None)


def test_a_file_that_is_no_text_is_named() -> None:
    Path("bad.env").write_bytes(b"PORT=\xff\n")
    with pytest.raises(SettingsError, match=r"^bad\.env can't be read as UTF-8 text: "):
        load_settings(env_file=Path("bad.env"))
