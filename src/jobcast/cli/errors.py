"""What a command says when it can't do its work, and the exit code that goes with it.

0: done · 1: the job failed or was cancelled · 2: the command, key, payload or id is wrong ·
3: the server is out of reach, or cannot serve now · 130: stopped by Ctrl-C ·
141: whoever read the output has gone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jobcast.client.errors import (
    Disconnected,
    Forbidden,
    JobcastError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)

DONE: Final = 0
JOB_FAILED: Final = 1
BAD_USAGE: Final = 2
OUT_OF_REACH: Final = 3
BUG: Final = 70
INTERRUPTED: Final = 130
NOBODY_READS: Final = 141


class CliError(Exception):
    """A command's own refusal: `sentence` says what is wrong and what to do next."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str = "BAD_USAGE",
        exit_code: int = BAD_USAGE,
        errors: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.exit_code = exit_code
        self.errors: Mapping[str, Sequence[str]] = errors or {}

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        error: dict[str, Any] = {"code": self.code, "message": self.sentence}
        if self.errors:
            error["errors"] = self.errors
        return {"error": error}


def explain(failure: JobcastError) -> CliError:
    """The client's error as this command line says it."""
    away = failure.temporary or isinstance(failure, Disconnected)
    return CliError(
        " ".join([_ended(failure.message), *_faults(failure), *_advice(failure)]),
        code=failure.code,
        exit_code=OUT_OF_REACH if away else BAD_USAGE,
        errors=failure.errors,
    )


def _faults(failure: JobcastError) -> list[str]:
    return [
        f"{field}: {_ended(' '.join(sentences))}"
        for field, sentences in failure.errors.items()
        if f"{field}: " not in failure.message  # as the message of a socket's error says it
    ]


def _advice(failure: JobcastError) -> list[str]:
    match failure:
        case Unreachable():
            return ["Start a server with `jobcast dev`, or name another one with --url."]
        case Unauthorized():
            return ["Log in with `jobcast login`, or pass another API key with --key."]
        case Forbidden():
            return ["Use a key that may do this: pass it with --key."]
        case NotFound() if "job" in failure.message.lower():
            return ["`jobcast list` shows the jobs there are."]
        case ServerError(code="BAD_ANSWER"):
            return ["Check the address given with --url."]
        case ServerError() | Disconnected():
            return ["Try again in a moment."]
        case RateLimited() if "try again" not in failure.message.lower():
            return ["Try again later."]
        case _:
            return []


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
