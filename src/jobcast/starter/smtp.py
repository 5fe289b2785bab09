"""Delivery by SMTP, and what a server's refusal means for the job."""

from __future__ import annotations

import ssl
from email.message import EmailMessage

import jobcast
from jobcast.runtime import smtp
from jobcast.runtime.smtp import Server

__all__ = ["DeliveryError", "Server", "deliver"]


class DeliveryError(Exception):
    """The server would not take the message now; a later attempt may do better."""


def deliver(
    message: EmailMessage,
    recipients: list[str],
    server: Server,
    *,
    tls: ssl.SSLContext | None = None,
) -> dict[str, str]:
    """Send the message; return who was refused, with the reason, if others were accepted. Blocks.

    Raises `jobcast.Fail` on a permanent refusal (5xx), `DeliveryError` on a temporary one, OSError
    where the server is out of reach.
    """
    try:
        return smtp.deliver(message, recipients, server, tls=tls)
    except smtp.Refused as refused:
        if refused.permanent:
            raise jobcast.Fail(str(refused)) from refused
        raise DeliveryError(str(refused)) from refused
