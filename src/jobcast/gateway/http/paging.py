"""Pages of lists: `?page=` from 1, `?limit=` up to 100."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from jobcast.domain.errors import InvalidRequest
from jobcast.services.refusals import Quota, refused
from jobcast.wire.api import PageMeta, page_meta

LIMIT: Final = 10
MAX_LIMIT: Final = 100
"""By the contract, unless the settings say otherwise."""

MOST: Final = "jobcast.page_size"
"""Where the largest page of this gateway stands in a request's scope."""

MAX_PAGE: Final = 10**7
"""So that no offset is beyond what a database counts to."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was asked for."""

    page: int
    limit: int

    @property
    def offset(self) -> int:
        """How many items come before it."""
        return (self.page - 1) * self.limit

    def meta(self, total: int) -> PageMeta:
        """Where it stands in a list of `total` items."""
        return page_meta(total=total, page=self.page, limit=self.limit)


def page_of(request: Request) -> Page:
    """The page that the query asks for; raises InvalidRequest that names each field at fault."""
    fields: dict[str, list[str]] = {}
    page = _number(request, "page", default=1, most=MAX_PAGE, fields=fields)
    largest: int = request.scope.get(MOST, MAX_LIMIT)
    default = min(LIMIT, largest)
    limit = _number(request, "limit", default=default, most=largest, fields=fields)
    if fields:
        if "limit" in fields:
            refused(Quota.PAGE)
        raise InvalidRequest("Validation error", fields=fields)
    return Page(page, limit)


def _number(
    request: Request, name: str, *, default: int, most: int, fields: dict[str, list[str]]
) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 18 and 1 <= int(text) <= most:
        return int(text)
    fields[name] = [f"Must be a whole number from 1 to {most}"]
    return default
