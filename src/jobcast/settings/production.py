"""What production refuses to start with."""

from __future__ import annotations

import base64
import ipaddress
from typing import Final

from jobcast.settings.model import Settings
from jobcast.settings.variables import variables

_LEAST_BYTES: Final = 32
_LEAST_DECODED_BYTES: Final = 24  # what Standard Webhooks asks of a secret that is all random
_LEAST_DISTINCT: Final = 8


def check_production(settings: Settings, *, processes: int, host: str) -> list[str]:
    """One sentence for each fault that keeps a production server from starting; empty if none.

    `processes` is how many will serve or work, `host` the address they will listen on. Outside
    production nothing is refused.
    """
    if settings.env != "production":
        return []
    faults = []
    for field in ("jwt_access_secrets", "jwt_refresh_secrets", "webhook_secrets"):
        found: tuple[str, ...] = getattr(settings, field)
        variable = variables(field)[0]
        shared = " (or JWT_SECRET)" if field.startswith("jwt_") else ""
        if not found:
            faults.append(
                f"{variable}{shared} is missing: set it to at least {_LEAST_BYTES} bytes that "
                "nobody can guess, such as the output of `openssl rand -hex 32`."
            )
        elif any(_weak(secret) for secret in found):
            faults.append(
                f"{variable}{shared} is weak: each secret needs at least {_LEAST_BYTES} bytes "
                "that nobody can guess, such as the output of `openssl rand -hex 32`."
            )
    if settings.database_url is None and processes > 1:
        faults.append(
            f"DATABASE_URL is missing: SQLite serves one process, not {processes}; set it to a "
            "PostgreSQL address, or start one process."
        )
    if not settings.allowed_origins and not _is_loopback(host):
        faults.append(
            f"JOBCAST_ALLOWED_ORIGINS is missing: to listen on {host}, set it to the origins of "
            "the pages that may connect, such as https://app.example.com."
        )
    return faults


def _weak(secret: str) -> bool:
    if secret.startswith("whsec_"):
        return len(base64.b64decode(secret.removeprefix("whsec_"))) < _LEAST_DECODED_BYTES
    return len(secret.encode()) < _LEAST_BYTES or len(set(secret)) < _LEAST_DISTINCT


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
