from __future__ import annotations

import base64
from typing import Any

import pytest

from jobcast.settings import Settings, check_production, load_settings

STRONG = "0123456789abcdef0123456789abcdef"


def production(**changes: Any) -> Settings:
    sound = {
        "env": "production",
        "jwt_access_secrets": STRONG,
        "jwt_refresh_secrets": STRONG,
        "webhook_secrets": STRONG,
        "database_url": "postgres://db/jobs",
        "allowed_origins": "https://app.example.com",
    }
    return load_settings(**(sound | changes))


def faults(settings: Settings, *, processes: int = 4, host: str = "0.0.0.0") -> list[str]:
    return check_production(settings, processes=processes, host=host)


def test_sound_settings_are_let_through() -> None:
    assert faults(production()) == []


@pytest.mark.parametrize("env", ["development", "test"])
def test_nothing_is_refused_outside_production(env: str) -> None:
    assert faults(load_settings(env=env)) == []


def test_each_missing_secret_is_named() -> None:
    found = faults(production(jwt_access_secrets=(), jwt_refresh_secrets=(), webhook_secrets=()))
    assert [sentence.split(":")[0] for sentence in found] == [
        "JWT_ACCESS_SECRET (or JWT_SECRET) is missing",
        "JWT_REFRESH_SECRET (or JWT_SECRET) is missing",
        "WEBHOOK_SECRET is missing",
    ]


@pytest.mark.parametrize("weak", ["short", "x" * 64, f"{STRONG},old"])
def test_a_weak_secret_is_refused_without_being_shown(weak: str) -> None:
    (sentence,) = faults(production(jwt_access_secrets=weak))
    assert sentence.startswith("JWT_ACCESS_SECRET (or JWT_SECRET) is weak: each secret needs")
    assert weak not in sentence


def test_a_webhook_secret_in_base64_counts_by_what_it_holds() -> None:
    def held(size: int) -> str:
        return "whsec_" + base64.b64encode(bytes(range(size))).decode()

    assert faults(production(webhook_secrets=held(24))) == []
    assert faults(production(webhook_secrets=held(23)))[0].startswith("WEBHOOK_SECRET is weak")


def test_sqlite_serves_one_process() -> None:
    settings = production(database_url=None)
    assert faults(settings, processes=1) == []
    (sentence,) = faults(settings, processes=2)
    assert sentence.startswith("DATABASE_URL is missing: SQLite serves one process, not 2;")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "203.0.113.9", "jobs.example.com"])
def test_a_public_address_needs_a_list_of_origins(host: str) -> None:
    (sentence,) = faults(production(allowed_origins=()), host=host)
    assert sentence.startswith(f"JOBCAST_ALLOWED_ORIGINS is missing: to listen on {host}, set it")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_an_address_of_this_machine_does_not(host: str) -> None:
    assert faults(production(allowed_origins=()), host=host) == []
