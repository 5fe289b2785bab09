"""Secrets for a laptop: made once, kept beside the data, so that nobody sets any to try Jobcast."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from jobcast.settings.model import Settings, SettingsError

_FIELDS: Final = ("jwt_access_secrets", "jwt_refresh_secrets", "webhook_secrets")


def with_local_secrets(settings: Settings) -> Settings:
    """`settings` with each missing secret taken from `<data_dir>/secrets.json`.

    The file is made at the first call that needs it, whole or not at all, for its owner's eyes
    only; of two processes that start at once both get the secrets of the first. Raises
    SettingsError where the folder can't be written or the file is damaged.
    """
    missing = [field for field in _FIELDS if not getattr(settings, field)]
    if not missing:
        return settings
    path = settings.data_dir / "secrets.json"
    try:
        if not path.exists():
            _create(path)
        kept = json.loads(path.read_text("utf-8"))
        found = {field: (_text(kept[field]),) for field in missing}
    except OSError as error:
        raise SettingsError(
            [f"JOBCAST_DATA_DIR must be a folder that can be written: {error.strerror}."]
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            [f"{path} is damaged: delete it, and new secrets are made (all have to log in again)."]
        ) from error
    return settings.model_copy(update=found)


def _create(path: Path) -> None:
    made = {
        "jwt_access_secrets": secrets.token_urlsafe(32),
        "jwt_refresh_secrets": secrets.token_urlsafe(32),
        "webhook_secrets": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it with mode 0600, and a link never replaces what another process put there.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(made, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a secret")
    return value
