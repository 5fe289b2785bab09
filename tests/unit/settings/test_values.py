from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobcast.settings import Settings, SettingsError, load_settings


def read(field: str, value: Any) -> Any:
    return getattr(load_settings(**{field: value}), field)


def refusal(field: str, value: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**{field: value})
    (sentence,) = caught.value.sentences
    return sentence


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("12h", 43_200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("3600", 3600),
        (" 15 M ", 900),
        ("1.5h", 5400),
        (60, 60),
    ],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: object, seconds: int) -> None:
    assert read("jwt_access_expires_in", text) == seconds


@pytest.mark.parametrize("text", ["soon", "15 minutes", "-5m", "0", "0.5", "9999d", "٣m", "1e9"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert refusal("retention", text) == (
        "JOBCAST_RETENTION must be a duration of whole seconds such as 90s, 15m, 12h, 7d or 3600, "
        f"not {text!r}."
    )


def test_a_heartbeat_may_have_parts_of_seconds() -> None:
    assert read("ws_heartbeat", "2.5") == 2.5
    assert read("ws_heartbeat", "10s") == 10.0
    assert "such as 2.5, 10s or 1m" in refusal("ws_heartbeat", float("inf"))
    assert "not '0'" in refusal("ws_heartbeat", "0")


def test_the_webhook_schedule_is_a_list_of_waits() -> None:
    waits = read("webhook_schedule", "0,2s,4s,30s,5m,30m,2h,5h,10h")
    assert waits == (0, 2, 4, 30, 300, 1800, 7200, 18_000, 36_000)
    assert waits == Settings.model_fields["webhook_schedule"].default


@pytest.mark.parametrize("text", ["0,soon", ",", "1.5s", ",".join(["1"] * 51)])
def test_a_schedule_that_makes_no_sense_is_refused(text: str) -> None:
    assert refusal("webhook_schedule", text).startswith("JOBCAST_WEBHOOK_SCHEDULE must be a comma")


@pytest.mark.parametrize(
    "address",
    [
        "postgres://u:p@db:5432/jobs",
        "postgresql://u:p@db:5432/jobs",
        "postgresql+asyncpg://u:p@db:5432/jobs",
        "POSTGRES://u:p@db:5432/jobs",
    ],
)
def test_postgres_addresses_are_read_alike(address: str) -> None:
    assert read("database_url", address) == "postgresql://u:p@db:5432/jobs"


@pytest.mark.parametrize("address", ["mysql://db/jobs", "postgres://", "jobs.db", "postgres:db"])
def test_other_databases_are_refused(address: str) -> None:
    assert refusal("database_url", address) == (
        "DATABASE_URL (or JOBCAST_DATABASE_URL) must be a postgres:// or postgresql:// address, "
        "or empty for SQLite."
    )


@pytest.mark.parametrize(
    "address", ["redis://h", "rediss://u:p@h:6380/1", "redis://[::1]:6379", "unix:///run/r.sock"]
)
def test_redis_addresses_are_kept_as_they_are(address: str) -> None:
    assert read("redis_url", address) == address


@pytest.mark.parametrize("address", ["http://h", "redis://", "redis://h:port", "redis://h:0", "h"])
def test_what_is_no_redis_address_is_refused(address: str) -> None:
    assert refusal("redis_url", address).startswith("REDIS_URL (or JOBCAST_REDIS_URL) must be a")


def test_mail_goes_through_smtp() -> None:
    assert read("smtp_url", "smtps://u:p@mail:465") == "smtps://u:p@mail:465"
    assert refusal("smtp_url", "mail.example.com").startswith("SMTP_URL (or JOBCAST_SMTP_URL) must")
    assert read("mail_from", "jobs@example.com") == "jobs@example.com"
    assert "such as Jobs <jobs@example.com>, not 'jobs'" in refusal("mail_from", "jobs")
    assert refusal("mail_from", "a@b\nBcc: c@d").startswith("MAIL_FROM (or JOBCAST_MAIL_FROM) must")


def test_the_public_address_ends_without_a_slash() -> None:
    assert read("public_url", "https://jobs.example.com/") == "https://jobs.example.com"
    assert read("public_url", "https://example.com/jobs/") == "https://example.com/jobs"


@pytest.mark.parametrize("address", ["jobs.example.com", "ftp://h", "https://", "https://h?a=1"])
def test_a_public_address_that_no_browser_opens_is_refused(address: str) -> None:
    assert "an http:// or https:// address" in refusal("public_url", address)


def test_origins_are_written_as_browsers_send_them() -> None:
    text = "https://App.Example.com/, http://localhost:80 ,https://a:443,http://b:8080,tauri://c"
    assert read("allowed_origins", text) == (
        "https://app.example.com",
        "http://localhost",
        "https://a",
        "http://b:8080",
        "tauri://c",
    )


@pytest.mark.parametrize("text", ["*", "app.example.com", "https://a/path", "https://u@a", "null"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    assert refusal("allowed_origins", f"https://a,{text}").endswith(f"not {text!r}.")


def test_two_secrets_stand_in_the_order_they_were_written() -> None:
    assert read("jwt_access_secrets", "new, old") == ("new", "old")
    assert read("webhook_secrets", "whsec_b2xk,plain text") == ("whsec_b2xk", "plain text")


def test_a_webhook_secret_that_cannot_be_decoded_is_refused_without_being_shown() -> None:
    sentence = refusal("webhook_secrets", "whsec_not-base64")
    assert sentence.startswith("WEBHOOK_SECRET (or JOBCAST_WEBHOOK_SECRET) must be one secret")
    assert "not-base64" not in sentence


@pytest.mark.parametrize("text", ["abc", "65536", "-1", "80.5"])
def test_what_is_no_port_is_refused(text: str) -> None:
    wants = "must be a port number from 0 to 65535"
    assert refusal("port", text) == f"PORT (or JOBCAST_PORT) {wants}, not {text!r}."


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_a_limit_is_at_least_one(text: str) -> None:
    wants = "must be a whole number from 1 up"
    assert refusal("rate_limit", text) == f"JOBCAST_RATE_LIMIT {wants}, not {text!r}."


def test_choices_are_read_in_either_case() -> None:
    assert read("env", "Production") == "production"
    assert read("registration", "CLOSED") == "closed"
    assert read("log_level", "DEBUG") == "debug"
    assert refusal("log_level", "loud").endswith("debug, info, warning or error, not 'loud'.")
    assert refusal("guests", "perhaps") == "JOBCAST_GUESTS must be true or false, not 'perhaps'."


def test_the_data_folder_may_lie_in_the_home_folder() -> None:
    assert read("data_dir", "~/jobs") == Path.home() / "jobs"
