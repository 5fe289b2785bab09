"""The first service key, made on the database itself: without a server, and without a key."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobcast.cli.errors import CliError
from jobcast.cli.options import DATA_DIR
from jobcast.cli.starting import run

if TYPE_CHECKING:
    from jobcast.client import ApiKey


def first_key(name: str | None, data_dir: Path) -> "ApiKey":
    """A new service key on the database of the settings. Raises CliError for what stands in
    the way: on SQLite that is also a server that runs."""
    from jobcast.client import ApiKey
    from jobcast.client.models import model
    from jobcast.compose import issue_service_key
    from jobcast.settings import SettingsError, load_settings

    chosen = {} if data_dir == DATA_DIR else {"data_dir": data_dir}
    try:
        settings = load_settings(**chosen)
    except SettingsError as faults:
        raise CliError(" ".join(faults.sentences), code="BAD_SETTINGS") from None
    key = run(issue_service_key(settings, name=name))
    return model(
        ApiKey,
        {
            "id": key.id,
            "tenantId": key.tenant_id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "key": key.text,
        },
    )
