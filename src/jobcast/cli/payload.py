"""Reading the value of `--payload`."""

import sys
from pathlib import Path
from typing import Any

from jobcast.cli.errors import CliError
from jobcast.client import codec


def read_payload(text: str | None) -> dict[str, Any] | None:
    """The payload that `--payload` names: JSON itself, `@file`, or `-` for standard input.

    None where the option was not given. Raises CliError when it is not a JSON object.
    """
    if text is None:
        return None
    source, document = _fetch(text)
    try:
        payload = codec.loads(document)
    except ValueError as problem:
        raise CliError(
            f'{source} is not JSON: {problem}. Write it like \'{{"name": "value"}}\'.',
            code="INVALID_JSON",
        ) from None
    if not isinstance(payload, dict):
        raise CliError(
            f'{source} must be a JSON object, like \'{{"name": "value"}}\'.',
            code="VALIDATION_ERROR",
        )
    return payload


def _fetch(text: str) -> tuple[str, str | bytes]:
    if text == "-":
        return "Standard input", sys.stdin.buffer.read()
    if not text.startswith("@"):
        return "The payload", text
    path = Path(text[1:])
    try:
        return str(path), path.read_bytes()
    except OSError as problem:
        raise CliError(f"Could not read {path}: {problem.strerror}. Check its name.") from None
