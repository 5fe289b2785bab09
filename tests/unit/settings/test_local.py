from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from jobcast.settings import SettingsError, check_production, load_settings, with_local_secrets


def test_missing_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "new" / "data")
    first = with_local_secrets(settings)
    assert first.jwt_access_secrets != first.jwt_refresh_secrets
    assert with_local_secrets(settings) == first
    assert with_local_secrets(load_settings(data_dir=tmp_path / "other")) != first


def test_they_are_strong_enough_for_production(tmp_path: Path) -> None:
    settings = with_local_secrets(load_settings(env="production", data_dir=tmp_path))
    assert check_production(settings, processes=1, host="127.0.0.1") == []
    (webhook,) = settings.webhook_secrets
    assert len(base64.b64decode(webhook.removeprefix("whsec_"), validate=True)) == 32


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with_local_secrets(load_settings(data_dir=tmp_path / "data"))
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_file_is_for_its_owner_alone_and_nothing_else_stays(tmp_path: Path) -> None:
    with_local_secrets(load_settings(data_dir=tmp_path))
    (file,) = tmp_path.iterdir()
    assert file.name == "secrets.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_set_is_left_as_it_is(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, jwt_access_secrets="mine", webhook_secrets="w")
    filled = with_local_secrets(settings)
    assert (filled.jwt_access_secrets, filled.webhook_secrets) == (("mine",), ("w",))
    assert filled.jwt_refresh_secrets != ()


def test_with_every_secret_set_no_file_is_made(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path, jwt_access_secrets="a", jwt_refresh_secrets="r", webhook_secrets="w"
    )
    assert with_local_secrets(settings) is settings
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_start_at_once_the_first_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=tmp_path)
    first = with_local_secrets(settings)
    with monkeypatch.context() as late:
        # As the second saw it: no file yet when it looked.
        late.setattr(Path, "exists", lambda _self: False)
        assert with_local_secrets(settings) == first
    assert [file.name for file in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"jwt_access_secrets": 1})])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(SettingsError, match=r"secrets\.json is damaged: delete it"):
        with_local_secrets(load_settings(data_dir=tmp_path))


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="JOBCAST_DATA_DIR must be a folder"):
        with_local_secrets(load_settings(data_dir=tmp_path / "file" / "data"))
