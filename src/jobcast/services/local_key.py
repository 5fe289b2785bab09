"""The key of `jobcast dev`, for whoever sits at this machine."""

from jobcast.domain.access import Kind, Scope
from jobcast.domain.errors import Unauthorized
from jobcast.services.accounts import Accounts

TENANT = "local"


async def local_key(accounts: Accounts, existing: str | None) -> str:
    """The service key of tenant `local`, for whoever sits at this machine.

    `existing` is the text that was kept from the last time: it is given back while it is good,
    else a new key is made.
    """
    if existing is not None:
        try:
            principal = await accounts.authenticate(key=existing)
        except Unauthorized:
            existing = None
        else:
            if principal.kind is Kind.SERVICE and principal.tenant_id == TENANT:
                return existing
    key = await accounts.keys.issue(
        tenant_id=TENANT, scopes=frozenset({Scope.SERVICE}), name="jobcast dev"
    )
    return key.text
