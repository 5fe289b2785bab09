"""A small SMTP server on the loopback, with answers that a test can choose."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Mail:
    sender: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class SmtpServer:
    """`refusals` maps an address or a verb to the answer it gets instead of 250."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.logins: list[tuple[str, str]] = []
        self.refusals: dict[str, str] = {}
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        writer.write(b"220 ready\r\n")
        mail = Mail("")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            address = rest[rest.find("<") + 1 : rest.find(">")]
            answer = self.refusals.get(verb) or self.refusals.get(address) or "250 fine"
            if verb == "EHLO" and answer.startswith("250"):
                answer = "250-here\r\n250 AUTH PLAIN"
            elif verb == "AUTH" and answer.startswith("250"):
                _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                self.logins.append((user, password))
                answer = "235 welcome"
            elif verb == "MAIL":
                mail = Mail(address)
            elif verb == "RCPT" and answer.startswith("250"):
                mail.recipients.append(address)
            elif verb == "DATA" and answer.startswith("250"):
                writer.write(b"354 go on\r\n")
                mail.data = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
                self.mails.append(mail)
            elif verb == "QUIT":
                answer = "221 bye"
            writer.write(answer.encode() + b"\r\n")
        self._open.discard(writer)
        writer.close()
