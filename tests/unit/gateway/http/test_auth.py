import re

import pytest
from tests.unit.gateway.http.caller import Caller
from tests.unit.services.world import PASSWORD, World

ADA = {"email": "ada@example.com", "password": PASSWORD}


async def test_a_registration_answers_with_the_user_and_a_key_that_is_shown_once(
    caller: Caller,
) -> None:
    answer = await caller("POST", "/api/auth/register", {**ADA, "name": "Ada"})

    document = answer.json()
    assert answer.status_code == 201
    assert (document["success"], document["message"]) == (True, "User registered successfully")
    assert list(document["data"]) == ["id", "email", "tenantId", "apiKey", "createdAt"]
    assert document["data"]["email"] == "ada@example.com"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["data"]["createdAt"])
    me = await caller("GET", "/api/auth/me", headers={"X-API-Key": document["data"]["apiKey"]})
    assert me.json()["data"]["name"] == "Ada"


async def test_an_address_that_is_taken_is_a_400(caller: Caller) -> None:
    await caller("POST", "/api/auth/register", ADA)

    answer = await caller("POST", "/api/auth/register", ADA)

    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["message"] == "Email already registered"


async def test_a_bad_registration_names_its_fields(caller: Caller) -> None:
    answer = await caller("POST", "/api/auth/register", {"email": "ada", "password": "short"})

    assert answer.status_code == 400
    assert answer.json() == {
        "success": False,
        "message": "Validation error",
        "code": "VALIDATION_ERROR",
        "errors": {
            "email": ["Invalid email format"],
            "password": ["Password must be at least 8 characters"],
        },
    }


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"email": ["Required"], "password": ["Required"]}),
        (
            {"email": 7, "password": None, "admin": True},
            {
                "admin": ["Unknown field"],
                "email": ["Expected str, got int"],
                "password": ["Expected str, got null"],
            },
        ),
        ([], {"body": ["Expected object, got array"]}),
        ({**ADA, "name": ""}, {"name": ["Must be 1 to 100 printable characters"]}),
    ],
)
async def test_a_body_of_the_wrong_form_names_every_field_at_fault(
    caller: Caller, body: object, errors: object
) -> None:
    answer = await caller("POST", "/api/auth/register", body)

    assert answer.status_code == 400
    assert answer.json()["errors"] == errors


async def test_a_login_answers_with_two_tokens(caller: Caller) -> None:
    await caller("POST", "/api/auth/register", ADA)

    answer = await caller("POST", "/api/auth/login", ADA)

    assert answer.status_code == 200
    assert answer.json()["message"] == "Login successful"
    assert list(answer.json()["data"]) == ["accessToken", "refreshToken"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(caller: Caller) -> None:
    await caller("POST", "/api/auth/register", ADA)

    wrong = await caller("POST", "/api/auth/login", {**ADA, "password": "wrong horse"})
    unknown = await caller("POST", "/api/auth/login", {**ADA, "email": "eve@example.com"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert wrong.json()["message"] == "Invalid email or password"
    assert wrong.headers["www-authenticate"] == 'Bearer realm="jobcast"'


async def test_too_many_wrong_passwords_are_a_429_with_the_time_to_wait(caller: Caller) -> None:
    wrong = {**ADA, "password": "wrong horse"}
    for _ in range(5):
        await caller("POST", "/api/auth/login", wrong)

    answer = await caller("POST", "/api/auth/login", wrong)

    assert answer.status_code == 429
    assert answer.json()["code"] == "RATE_LIMITED"
    assert answer.json()["retryAfter"] == 1
    assert answer.headers["retry-after"] == "1"


async def test_a_refresh_token_is_traded_for_new_tokens(caller: Caller) -> None:
    tokens = await caller.come_in()
    body = {"refreshToken": tokens["refreshToken"]}

    first = await caller("POST", "/api/auth/refresh", body)
    again = await caller("POST", "/api/auth/refresh", body)

    assert first.status_code == again.status_code == 200
    assert first.json()["message"] == "Token refreshed"
    assert first.json()["data"]["refreshToken"] == again.json()["data"]["refreshToken"]


async def test_a_bad_refresh_token_is_a_401(caller: Caller) -> None:
    tokens = await caller.come_in()

    for token in ("unknown", tokens["accessToken"]):
        answer = await caller("POST", "/api/auth/refresh", {"refreshToken": token})
        assert answer.status_code == 401
        assert answer.json()["message"] == "Invalid refresh token"


async def test_a_logout_ends_the_login(caller: Caller) -> None:
    tokens = await caller.come_in()

    answer = await caller("POST", "/api/auth/logout", {"refreshToken": tokens["refreshToken"]})
    me = await caller("GET", "/api/auth/me", bearer=tokens["accessToken"])

    assert answer.json() == {"success": True, "message": "Logout successful", "data": None}
    assert me.status_code == 401
    assert me.json()["message"] == "This login has ended. Log in again."


async def test_me_is_the_user_without_the_password(caller: Caller) -> None:
    tokens = await caller.come_in()

    data = (await caller("GET", "/api/auth/me", bearer=tokens["accessToken"])).json()["data"]

    assert set(data) == {
        "kind", "tenantId", "id", "email", "name", "owner", "scopes", "keyId", "createdAt",
    }  # fmt: skip
    assert (data["email"], data["name"], data["kind"]) == ("ada@example.com", "ada", "user")
    assert data["owner"] is True


async def test_sessions_are_listed_and_ended(caller: Caller) -> None:
    tokens = await caller.come_in()
    for agent in ("Phone", "Laptop"):
        await caller("POST", "/api/auth/login", ADA, headers={"User-Agent": agent})
    bearer = tokens["accessToken"]

    listed = (await caller("GET", "/api/auth/sessions", bearer=bearer)).json()
    one = next(session for session in listed["data"] if session["userAgent"] == "Phone")
    ended = await caller("DELETE", f"/api/auth/sessions/{one['id']}", bearer=bearer)
    again = await caller("DELETE", f"/api/auth/sessions/{one['id']}", bearer=bearer)
    others = await caller("DELETE", "/api/auth/sessions", bearer=bearer)
    left = (await caller("GET", "/api/auth/sessions", bearer=bearer)).json()["data"]

    assert listed["meta"]["total"] == 3
    assert [session["current"] for session in listed["data"]].count(True) == 1
    assert ended.json()["message"] == "Session revoked successfully"
    assert (again.status_code, again.json()["message"]) == (404, "Session not found")
    assert others.json()["data"] == {"revoked": 1}
    assert [session["current"] for session in left] == [True]


async def test_a_password_is_changed_with_the_old_one(caller: Caller) -> None:
    tokens = await caller.come_in()
    body = {"currentPassword": PASSWORD, "newPassword": "another horse"}

    wrong = await caller(
        "POST",
        "/api/auth/password",
        {**body, "currentPassword": "wrong horse"},
        bearer=tokens["accessToken"],
    )
    answer = await caller("POST", "/api/auth/password", body, bearer=tokens["accessToken"])

    assert wrong.json()["errors"] == {"currentPassword": ["The current password is wrong"]}
    assert answer.json()["message"] == "Password changed successfully"
    assert (await caller("POST", "/api/auth/login", ADA)).status_code == 401


async def test_a_key_has_no_sessions(caller: Caller, world: World) -> None:
    ada = await world.register()

    answer = await caller("GET", "/api/auth/sessions", headers={"X-API-Key": ada.api_key})

    assert answer.status_code == 403
    assert answer.json()["message"] == "Log in to do this: an API key is not enough."


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"email": ["Required"]}),
        ({"token": "x"}, {"newPassword": ["Required"]}),
        ({"newPassword": "another horse"}, {"token": ["Required"]}),
        ({"email": "a@b.de", "token": "x"}, {"token": ["Not with email"]}),
        ({"token": "x", "newPassword": "short"}, {
            "newPassword": ["Password must be at least 8 characters"]
        }),
    ],
)  # fmt: skip
async def test_a_reset_has_one_of_two_forms(caller: Caller, body: object, errors: object) -> None:
    answer = await caller("POST", "/api/auth/password/reset", body)

    assert (answer.status_code, answer.json()["errors"]) == (400, errors)


async def test_a_reset_needs_a_mail_server_and_a_good_token(caller: Caller) -> None:
    path = "/api/auth/password/reset"

    asked = await caller("POST", path, {"email": "ada@example.com"})
    confirmed = await caller("POST", path, {"token": "jp_x", "newPassword": "another horse"})

    assert asked.json()["message"].startswith("Passwords can't be reset here")
    assert confirmed.json()["errors"] == {
        "token": ["This link was used, or is too old. Ask for another."]
    }
