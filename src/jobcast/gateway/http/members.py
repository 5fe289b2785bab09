"""`/api/tenants/{id}/…`: who belongs to a tenant, and the invites into it."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.times import iso
from jobcast.gateway.http.auth_shapes import In, Out
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.links import link, mail_base
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Operation, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.http.tenants import TAG
from jobcast.gateway.state import Gateway
from jobcast.services.mail import invitation
from jobcast.services.members import INVITE_SECONDS, MAX_INVITE_SECONDS
from jobcast.store.tenants import Invite, Member


class InviteBody(In, frozen=True, kw_only=True):
    """Whom to invite: with `email` that address alone, as an owner where `owner` is true.

    `expires_in` is in seconds.
    """

    email: str | None = None
    owner: bool = False
    expires_in: Annotated[int, Meta(ge=1, le=MAX_INVITE_SECONDS)] = INVITE_SECONDS


class InviteShape(Out, frozen=True, kw_only=True):
    """An open invite."""

    id: str
    tenant_id: str
    email: str | None
    owner: bool
    created_by: str | None
    created_at: str
    expires_at: str


class CreatedInvite(InviteShape, frozen=True, kw_only=True):
    """A new invite with its text and the link that holds it: they are shown this once."""

    invite: str
    url: str


class MemberShape(Out, frozen=True, kw_only=True):
    """A user of the tenant."""

    id: str
    email: str
    name: str | None
    owner: bool
    created_at: str


class _Members:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._members = gateway.accounts.members

    async def list_members(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        page = page_of(request)
        members, total = await self._members.page(
            principal, request.path_params["id"], limit=page.limit, offset=page.offset
        )
        shown = [_member(member) for member in members]
        return success("Members retrieved successfully", shown, meta=page.meta(total))

    async def remove_member(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        tenant_id, user_id = request.path_params["id"], request.path_params["userId"]
        await self._members.remove(principal, tenant_id, user_id)
        return success("Member removed successfully")

    async def create_invite(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        body = await read(request, InviteBody)
        made = await self._members.invite(
            principal,
            request.path_params["id"],
            email=body.email,
            owner=body.owner,
            seconds=body.expires_in,
        )
        if made.invite.email is not None:
            self._gateway.accounts.mailer.post(
                invitation(
                    to=made.invite.email,
                    app=self._gateway.settings.app_name,
                    base=mail_base(self._gateway, request),
                    invite=made.text,
                )
            )
        data = CreatedInvite(
            **_invite_fields(made.invite),
            invite=made.text,
            url=link(self._gateway, request, f"/#/register?invite={made.text}"),
        )
        return success("Invite created successfully", data, status=201)

    async def list_invites(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        page = page_of(request)
        invites, total = await self._members.invites(
            principal, request.path_params["id"], limit=page.limit, offset=page.offset
        )
        shown = [InviteShape(**_invite_fields(invite)) for invite in invites]
        return success("Invites retrieved successfully", shown, meta=page.meta(total))

    async def take_back_invite(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        tenant_id, invite_id = request.path_params["id"], request.path_params["inviteId"]
        await self._members.take_back(principal, tenant_id, invite_id)
        return success("Invite taken back successfully")


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    members = _Members(gateway)
    return [
        route(
            "GET",
            "/api/tenants/{id}/members",
            members.list_members,
            Operation(
                summary="The users of a tenant, oldest first",
                tag=TAG,
                data=MemberShape,
                listed=True,
                parameters=PAGE_PARAMETERS,
            ),
        ),
        route(
            "DELETE",
            "/api/tenants/{id}/members/{userId}",
            members.remove_member,
            Operation(
                summary="Remove a user",
                tag=TAG,
                text="Their logins and keys end at once; their jobs stay.",
                errors=(400,),
            ),
        ),
        route(
            "POST",
            "/api/tenants/{id}/invites",
            members.create_invite,
            Operation(
                summary="Invite someone by a link that works once",
                tag=TAG,
                text="Registering takes it as `invite`. With `email` it is mailed, too, where a "
                "mail server is set.",
                status=201,
                body=InviteBody,
                body_required=False,
                data=CreatedInvite,
            ),
        ),
        route(
            "GET",
            "/api/tenants/{id}/invites",
            members.list_invites,
            Operation(
                summary="Open invites, newest first",
                tag=TAG,
                data=InviteShape,
                listed=True,
                parameters=PAGE_PARAMETERS,
            ),
        ),
        route(
            "DELETE",
            "/api/tenants/{id}/invites/{inviteId}",
            members.take_back_invite,
            Operation(summary="Take an invite back", tag=TAG),
        ),
    ]


def _member(member: Member) -> MemberShape:
    return MemberShape(
        id=member.id,
        email=member.email,
        name=member.name,
        owner=member.owner,
        created_at=iso(member.created_at),
    )


def _invite_fields(invite: Invite) -> dict[str, Any]:
    return {
        "id": invite.id,
        "tenant_id": invite.tenant_id,
        "email": invite.email,
        "owner": invite.owner,
        "created_by": invite.created_by,
        "created_at": iso(invite.created_at),
        "expires_at": iso(invite.expires_at),
    }
