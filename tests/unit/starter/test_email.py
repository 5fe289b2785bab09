"""Mail goes out by SMTP or into a file, and nothing in a payload can add a header."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.starter.run import Run
from tests.unit.starter.smtp_server import SmtpServer

from jobcast import Fail
from jobcast.starter.email import Email, compose, send_email
from jobcast.starter.smtp import DeliveryError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=default)


def email(**payload: Any) -> Email:
    return Email.model_validate(payload)


def test_without_smtp_the_message_is_saved_with_the_job(run: Run) -> None:
    result = send_email(run.sync_context(), email(to="ada@example.com", subject="Hi", body="Yes"))

    data, content_type = run.files["message.eml"]
    message = parsed(data)
    assert content_type == "message/rfc822"
    assert (message["From"], message["To"]) == ("Acme <jobs@acme.example>", "ada@example.com")
    assert (message["Subject"], message.get_content().strip()) == ("Hi", "Yes")
    assert result["sent"] is True
    assert result["fileUrl"] == "/files/message.eml"
    assert datetime.fromisoformat(result["timestamp"]).tzinfo is not None
    assert result["timestamp"].endswith("Z")
    assert "SMTP_URL" in run.logged


async def test_with_smtp_every_recipient_gets_the_message(run: Run, mail: SmtpServer) -> None:
    context = run.sync_context(smtp_url=mail.url)
    wanted = email(to=["ada@example.com", "bob@example.com"], subject="Grüße", body="Häuser\n.\n")

    result = await asyncio.to_thread(send_email, context, wanted)

    (sent,) = mail.mails
    message = parsed(sent.data.replace(b"\r\n..", b"\r\n."))
    assert sent.sender == "jobs@acme.example"
    assert sent.recipients == ["ada@example.com", "bob@example.com"]
    assert message["Subject"] == "Grüße"
    assert "Häuser" in message.get_content()
    assert result.keys() == {"sent", "timestamp"}
    assert run.files == {}


async def test_user_and_password_come_from_the_url_and_stay_out_of_the_log(
    run: Run, mail: SmtpServer
) -> None:
    url = f"smtp://jobs%40acme:s3cret%2Fx@127.0.0.1:{mail.port}"

    await asyncio.to_thread(send_email, run.sync_context(smtp_url=url), email(to="a@example.com"))

    assert mail.logins == [("jobs@acme", "s3cret/x")]
    assert "s3cret" not in run.logged


async def test_starttls_is_not_done_without_where_it_is_required(
    run: Run, mail: SmtpServer
) -> None:
    context = run.sync_context(smtp_url=f"{mail.url}?starttls")

    with pytest.raises(Fail, match="STARTTLS"):
        await asyncio.to_thread(send_email, context, email(to="a@example.com"))
    assert mail.mails == []


@pytest.mark.parametrize("verb", ["a@example.com", "MAIL", "DATA"])
async def test_a_permanent_refusal_fails_at_once(run: Run, mail: SmtpServer, verb: str) -> None:
    mail.refusals[verb] = "550 never here"

    with pytest.raises(Fail, match="550 never here"):
        await asyncio.to_thread(
            send_email, run.sync_context(smtp_url=mail.url), email(to="a@example.com")
        )


@pytest.mark.parametrize("verb", ["a@example.com", "MAIL", "DATA"])
async def test_a_temporary_refusal_is_worth_a_retry(run: Run, mail: SmtpServer, verb: str) -> None:
    mail.refusals[verb] = "450 come again"

    with pytest.raises(DeliveryError, match="450 come again"):
        await asyncio.to_thread(
            send_email, run.sync_context(smtp_url=mail.url), email(to="a@example.com")
        )


async def test_one_refused_recipient_does_not_hold_up_the_others(
    run: Run, mail: SmtpServer
) -> None:
    mail.refusals["bob@example.com"] = "550 unknown"

    result = await asyncio.to_thread(
        send_email,
        run.sync_context(smtp_url=mail.url),
        email(to="ada@example.com, bob@example.com"),
    )

    assert mail.mails[0].recipients == ["ada@example.com"]
    assert result["refused"] == {"bob@example.com": "550 unknown"}


def test_a_server_out_of_reach_is_worth_a_retry(run: Run, deaf_port: int) -> None:
    with pytest.raises(OSError):
        send_email(
            run.sync_context(smtp_url=f"smtp://127.0.0.1:{deaf_port}"), email(to="a@example.com")
        )


@pytest.mark.parametrize(
    "to",
    [
        "",
        [],
        "nobody",
        "@example.com",
        "ada@",
        "ada@-x.example",
        "ada@exa mple.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com>\r\nDATA",
        ["ada@example.com", "x\n@example.com"],
        ["a@example.com"] * 101,
        7,
        None,
    ],
)
def test_what_is_no_address_is_refused_by_name(to: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        email(to=to)
    assert refusal.value.errors()[0]["loc"][0] == "to"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x00", "\x0b", "\x85", "\u2028"])
def test_a_subject_of_two_lines_is_refused(end: str) -> None:
    with pytest.raises(ValidationError, match="one line"):
        email(to="ada@example.com", subject=f"Hello{end}Bcc: eve@example.com")


def test_unicode_domains_go_out_in_ascii_and_twins_only_once() -> None:
    assert email(to="ada@bücher.example,ada@xn--bcher-kva.example").to == [
        "ada@xn--bcher-kva.example"
    ]


def test_keys_it_does_not_know_are_allowed() -> None:
    assert email(to="ada@example.com", template="welcome").body == ""


def test_a_second_run_sends_the_same_message_id() -> None:
    wanted = email(to="ada@example.com")
    first, second = (
        compose(wanted, ["ada@example.com"], sender="jobs@acme.example", job_id="42", now=NOW)
        for _ in range(2)
    )
    assert first["Message-ID"] == second["Message-ID"] == "<42@acme.example>"


@given(subject=st.text(max_size=900), body=st.text(max_size=300))
def test_no_subject_and_no_body_ever_adds_a_header(subject: str, body: str) -> None:
    try:
        wanted = email(to="ada@example.com", subject=subject, body=body)
    except ValidationError:
        return
    data = compose(
        wanted, ["ada@example.com"], sender="jobs@acme.example", job_id="42", now=NOW
    ).as_bytes()

    assert sorted(parsed(data).keys()) == [
        "Auto-Submitted",
        "Content-Transfer-Encoding",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ]
