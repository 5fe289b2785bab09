"""The first key, made on the database itself: there is no other one yet to make it with."""

from contextlib import AsyncExitStack

from jobcast.compose.drivers import open_store
from jobcast.compose.telling import log_as_set
from jobcast.domain.access import Scope
from jobcast.runtime.clock import SystemClock
from jobcast.services.keys import ApiKeys, NewKey
from jobcast.services.local_key import TENANT
from jobcast.settings import Settings


async def issue_service_key(settings: Settings, *, name: str | None) -> NewKey:
    """Makes a service key of tenant `local`, on whichever database the settings name.

    Whoever can reach the database may do so. Raises SettingsError and OutOfReach as a start does.
    """
    log_as_set(settings)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await open_store(settings, stack, clock=clock)
        keys = ApiKeys(store, settings=settings, clock=clock)
        stack.push_async_callback(keys.close)
        return await keys.issue(tenant_id=TENANT, scopes=frozenset({Scope.SERVICE}), name=name)
