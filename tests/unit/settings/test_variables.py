from __future__ import annotations

from pathlib import Path

import pytest

from jobcast.settings import Settings, load_settings
from jobcast.settings.variables import BARE, variables


def test_every_bare_name_belongs_to_a_setting() -> None:
    assert BARE.keys() <= Settings.model_fields.keys()
    assert variables("port") == ("PORT", "JOBCAST_PORT")
    assert variables("rate_limit") == ("JOBCAST_RATE_LIMIT",)


@pytest.mark.parametrize("name", variables("port"))
def test_a_setting_is_read_by_each_of_its_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "8080")
    assert load_settings().port == 8080


def test_a_setting_without_a_bare_name_needs_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "99")
    monkeypatch.setenv("HOST", "elsewhere")
    assert load_settings().rate_limit == 10
    assert load_settings().host == "127.0.0.1"


def test_the_prefixed_name_wins_over_the_bare_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1000")
    monkeypatch.setenv("JOBCAST_PORT", "2000")
    assert load_settings().port == 2000


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("JOBCAST_PORT=1000\nJOBCAST_HINTS=false\n")
    assert load_settings().port == 1000
    monkeypatch.setenv("PORT", "2000")
    assert load_settings().port == 2000
    assert load_settings().hints is False


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("JOBCAST_DATA_DIR=\nJOBCAST_PORT\nAPP_NAME='  '\n")
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings() == load_settings(env_file=None)


def test_one_jwt_secret_serves_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "shared")
    settings = load_settings()
    assert settings.jwt_access_secrets == settings.jwt_refresh_secrets == ("shared",)
    assert settings.webhook_secrets == ()


def test_a_secret_of_its_own_wins_over_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("JWT_ACCESS_SECRET=own\n")
    monkeypatch.setenv("JWT_SECRET", "shared")
    assert load_settings().jwt_access_secrets == ("own",)
    assert load_settings().jwt_refresh_secrets == ("shared",)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("cache", "", "redis://cache:6379/0"),
        ("cache", "7000", "redis://cache:7000/0"),
        ("::1", "", "redis://[::1]:6379/0"),
        ("", "7000", None),
    ],
)
def test_redis_may_be_named_by_host_and_port(
    host: str, port: str, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_HOST", host)
    monkeypatch.setenv("REDIS_PORT", port)
    assert load_settings().redis_url == url


def test_the_redis_address_wins_over_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "cache")
    Path(".env").write_text("REDIS_URL=rediss://u:p@other:6380/1\n")
    assert load_settings().redis_url == "rediss://u:p@other:6380/1"
