"""What a process may start with."""

from pathlib import Path

import pytest

from jobcast.settings import SettingsError, load_settings, startable


def test_a_laptop_gets_secrets_of_its_own(tmp_path: Path) -> None:
    settings = startable(load_settings(env_file=None, data_dir=tmp_path))
    assert settings.jwt_access_secrets
    assert settings.webhook_secrets


def test_production_gets_no_secrets_but_a_sentence_for_each_that_is_missing(tmp_path: Path) -> None:
    settings = load_settings(env_file=None, data_dir=tmp_path, env="production")
    with pytest.raises(SettingsError) as refused:
        startable(settings)
    assert any("JWT_ACCESS_SECRET" in sentence for sentence in refused.value.sentences)
    assert not (tmp_path / "secrets.json").exists()


def test_production_starts_with_strong_secrets(tmp_path: Path) -> None:
    strong = ("0123456789abcdef0123456789abcdef",)
    settings = load_settings(
        env_file=None,
        data_dir=tmp_path,
        env="production",
        jwt_access_secrets=strong,
        jwt_refresh_secrets=strong,
        webhook_secrets=strong,
    )
    assert startable(settings) is settings


def test_what_listens_nowhere_needs_no_origins(tmp_path: Path) -> None:
    strong = ("0123456789abcdef0123456789abcdef",)
    settings = load_settings(
        env_file=None,
        data_dir=tmp_path,
        env="production",
        host="0.0.0.0",
        jwt_access_secrets=strong,
        jwt_refresh_secrets=strong,
        webhook_secrets=strong,
    )
    assert startable(settings, listens=False) is settings
    with pytest.raises(SettingsError, match="JOBCAST_ALLOWED_ORIGINS"):
        startable(settings)
