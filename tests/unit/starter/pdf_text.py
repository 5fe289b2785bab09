"""What a PDF of reportlab's says, read from the bytes: enough of the format for its text."""

from __future__ import annotations

import base64
import re
import zlib

_STREAM = re.compile(
    rb"/Filter \[ (/ASCII85Decode )?/FlateDecode \].*?stream\r?\n(.*?)endstream", re.DOTALL
)
_TEXT = re.compile(rb"\(((?:[^()\\]|\\.)*)\) Tj", re.DOTALL)


def pages(pdf: bytes) -> list[str]:
    """The text of each page; raises AssertionError on what is not a whole PDF."""
    assert pdf.startswith(b"%PDF-1."), "no PDF"
    assert pdf.rstrip().endswith(b"%%EOF"), "cut off"
    found = []
    for ascii85, stream in _STREAM.findall(pdf):
        packed = base64.a85decode(stream.strip().removesuffix(b"~>")) if ascii85 else stream
        found.append(" ".join(_unescaped(text) for text in _TEXT.findall(zlib.decompress(packed))))
    return found


def _unescaped(text: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", text).decode("latin-1")
