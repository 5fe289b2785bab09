"""Who may do what: what belongs to others looks like what does not exist."""

from __future__ import annotations

import pytest

from jobcast.domain.access import (
    ALL_SCOPES,
    ORDINARY_SCOPES,
    Kind,
    Principal,
    Scope,
    channel_tenant,
    check_sight,
    may_see,
    require,
    scopes_of_user,
    tenant_for,
)
from jobcast.domain.errors import Forbidden, NotFound, Unauthorized

USER = Principal(kind=Kind.USER, tenant_id="acme", user_id="ann")
KEY = Principal(kind=Kind.KEY, tenant_id="acme", key_id="k", scopes=frozenset({Scope.READ}))
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="ops", scopes=frozenset())
WATCH = Principal(kind=Kind.WATCH, tenant_id="acme", job_id="j1")


@pytest.mark.parametrize("nobody", [None, WATCH])
def test_no_credentials_and_a_watch_token_open_nothing(nobody: Principal | None) -> None:
    with pytest.raises(Unauthorized, match="Access token required"):
        require(nobody, Scope.READ)


@pytest.mark.parametrize("scope", Scope)
def test_a_key_reaches_as_far_as_its_scopes(scope: Scope) -> None:
    if scope is Scope.READ:
        assert require(KEY, scope) is KEY
        return
    with pytest.raises(Forbidden, match=f"This API key lacks the scope {scope.value}."):
        require(KEY, scope)


@pytest.mark.parametrize("scope", Scope)
def test_a_service_key_has_every_scope_and_a_user_all_but_its_own(scope: Scope) -> None:
    assert require(SERVICE, scope) is SERVICE
    assert (scope in ALL_SCOPES) == (scope is not Scope.SERVICE)
    assert (scope in ORDINARY_SCOPES) == (scope not in (Scope.SERVICE, Scope.ADMIN))


@pytest.mark.parametrize("someone", [USER, KEY, WATCH])
def test_only_a_service_key_acts_for_another_tenant(someone: Principal) -> None:
    assert tenant_for(someone, None) == "acme"
    assert tenant_for(someone, "acme") == "acme"
    assert tenant_for(SERVICE, "acme") == "acme"
    assert tenant_for(SERVICE, None) == "ops"
    with pytest.raises(Forbidden, match="Only service keys may act for another tenant"):
        tenant_for(someone, "other")


@pytest.mark.parametrize(
    ("someone", "tenant", "job", "seen"),
    [
        (USER, "acme", "j1", True),
        (USER, "other", "j1", False),
        (KEY, "acme", "j2", True),
        (KEY, "other", "j2", False),
        (WATCH, "acme", "j1", True),
        (WATCH, "acme", "j2", False),
        (SERVICE, "other", "j9", True),
    ],
)
def test_each_sees_its_own_and_the_rest_does_not_exist(
    someone: Principal, tenant: str, job: str, seen: bool
) -> None:
    assert may_see(someone, tenant_id=tenant, job_id=job) == seen
    if seen:
        check_sight(someone, tenant_id=tenant, job_id=job)
        return
    with pytest.raises(NotFound, match="Job not found"):
        check_sight(someone, tenant_id=tenant, job_id=job)


def test_what_does_not_exist_is_not_found_even_by_a_service_key() -> None:
    with pytest.raises(NotFound, match="Job not found"):
        check_sight(SERVICE, tenant_id=None, job_id="j1")


GUEST = Principal(kind=Kind.GUEST, tenant_id="local", name="Eve", scopes=frozenset())


def test_a_guest_reaches_public_channels_and_nothing_else() -> None:
    assert channel_tenant(GUEST, "public:lobby", None) == "local"
    assert channel_tenant(GUEST, "public:lobby", "acme") == "acme"
    for name in ("lobby", "publicity", "x:public:"):
        with pytest.raises(Forbidden, match="public: channels"):
            channel_tenant(GUEST, name, None)
    for scope in Scope:
        with pytest.raises(Forbidden, match="public: channels"):
            require(GUEST, scope)
    assert not may_see(GUEST, tenant_id="local", job_id="j1")


def test_channels_take_a_scope_and_only_service_keys_name_a_tenant() -> None:
    assert channel_tenant(USER, "chat", None) == "acme"
    assert channel_tenant(SERVICE, "chat", "acme") == "acme"
    with pytest.raises(Forbidden, match="lacks the scope channels"):
        channel_tenant(KEY, "chat", None)
    with pytest.raises(Forbidden, match="Only service keys"):
        channel_tenant(USER, "chat", "globex")
    with pytest.raises(Unauthorized):
        channel_tenant(WATCH, "chat", None)


def test_an_owner_administers_and_a_member_does_not() -> None:
    assert Scope.ADMIN in scopes_of_user(True)
    assert scopes_of_user(False) == scopes_of_user(True) - {Scope.ADMIN}


def test_a_guest_has_nothing_but_public_channels() -> None:
    guest = Principal(kind=Kind.GUEST, tenant_id="acme", user_id="guest:ada")
    with pytest.raises(Forbidden):
        require(guest, Scope.READ)


def test_a_member_is_told_that_an_owner_may() -> None:
    member = Principal(kind=Kind.USER, tenant_id="acme", user_id="bob", scopes=ORDINARY_SCOPES)
    with pytest.raises(Forbidden, match="Only an owner of the tenant may do this"):
        require(member, Scope.ADMIN)
