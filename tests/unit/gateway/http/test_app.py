from collections.abc import AsyncIterator, Sequence

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from structlog.contextvars import merge_contextvars
from tests.unit.gateway.http.caller import Caller, app_over
from tests.unit.services.database import Database
from tests.unit.services.world import PASSWORD, World, settings

from jobcast.domain.access import Scope
from jobcast.gateway.http.body import read_body
from jobcast.gateway.http.credentials import allowed, principal_of
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.faults import note_submitter
from jobcast.gateway.state import Gateway
from jobcast.runtime.clock import FakeClock

REGISTER, ME = "/api/auth/register", "/api/auth/me"
JSON = {"content_type": "application/json"}


def other_routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """What another resource might have: a fault, a stream that breaks, a submission."""

    async def fault(request: Request) -> Response:
        raise RuntimeError("the secret is hunter2")

    async def broken_stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("the secret is hunter2")

        return StreamingResponse(pieces())

    async def submit(request: Request) -> Response:
        principal = await allowed(gateway, request, Scope.WRITE)
        note_submitter(request, principal)
        await read_body(request, limit=10)
        quota = await gateway.limiter.submissions(principal)
        return success("Job created successfully", status=201, headers=quota.headers())

    async def watch(request: Request) -> Response:
        principal = await principal_of(gateway, request, query=True)
        return success("Watched", principal.job_id)

    return [
        Route("/fault", fault),
        Route("/broken", broken_stream),
        Route("/submit", submit, methods=["POST"]),
        Route("/watch", watch),
    ]


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    async with Caller(app_over(world, other_routes)) as made:
        yield made


@pytest.mark.parametrize(
    "content",
    [b"{", b"nonsense", b'{"email": NaN}', b'{"a":1}{', b"\xff\xfe{}", b'"\xff"', b'"\\ud800"'],
)
async def test_what_is_not_json_is_a_400(caller: Caller, content: bytes) -> None:
    answer = await caller.raw(REGISTER, content, **JSON)

    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid JSON"
    assert answer.json()["code"] == "INVALID_JSON"


@pytest.mark.parametrize("shape", [b"[" * 8000, b'{"email":' * 1400 + b"1" + b"}" * 1400])
async def test_deep_nesting_is_a_400(caller: Caller, shape: bytes) -> None:
    answer = await caller.raw(REGISTER, shape, **JSON)

    assert answer.status_code == 400


async def test_a_body_beyond_the_limit_is_a_413_by_its_length_alone(caller: Caller) -> None:
    answer = await caller.raw(REGISTER, b" " * 16_385, **JSON)

    assert answer.status_code == 413
    assert answer.json()["message"] == "The body is larger than 16384 bytes."
    assert answer.json()["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_body_that_hides_its_length_is_a_413_too(caller: Caller) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    assert (await caller.raw(REGISTER, pieces(), **JSON)).status_code == 413


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("application/vnd.api+json", 201),
        ("", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
async def test_a_body_has_to_be_json_by_its_type(
    caller: Caller, content_type: str, status: int
) -> None:
    content = b'{"email":"ada@example.com","password":"correct horse"}'

    answer = await caller.raw(REGISTER, content, content_type=content_type)

    assert answer.status_code == status


async def test_a_wrong_type_is_told_which_is_right(caller: Caller) -> None:
    answer = await caller.raw(REGISTER, b"x", content_type="text/plain")

    assert answer.json()["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert answer.json()["message"] == (
        "Send JSON with Content-Type: application/json, not text/plain."
    )


async def test_no_body_at_all_is_an_empty_object(caller: Caller) -> None:
    answer = await caller("POST", REGISTER)

    assert answer.json()["errors"] == {"email": ["Required"], "password": ["Required"]}


@pytest.mark.parametrize("path", ["/api/nowhere", "/nowhere", "/api/auth/me/"])
async def test_an_unknown_route_is_a_404_in_the_envelope(caller: Caller, path: str) -> None:
    answer = await caller("GET", path)

    assert answer.status_code == 404
    assert answer.json() == {"success": False, "message": "Not found", "code": "NOT_FOUND"}


async def test_a_wrong_method_is_told_all_that_the_path_allows(caller: Caller) -> None:
    answer = await caller("PUT", "/api/api-keys")

    assert answer.status_code == 405
    assert answer.json()["message"] == "Method not allowed"
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_our_own_fault_is_a_500_that_shows_nothing_and_a_log_that_shows_all(
    caller: Caller,
) -> None:
    with structlog.testing.capture_logs([merge_contextvars]) as logs:
        answer = await caller("GET", "/fault?token=secret", headers={"X-Request-Id": "abc"})

    assert answer.status_code == 500
    assert answer.json() == {
        "success": False,
        "message": "Internal server error",
        "code": "INTERNAL_ERROR",
    }
    assert answer.headers["x-request-id"] == "abc"
    assert "RuntimeError: the secret is hunter2" in logs[0].pop("exception")
    assert logs == [
        {
            "event": "request failed",
            "log_level": "error",
            "request_id": "abc",
            "method": "GET",
            "path": "/fault",
        }
    ]


async def test_an_answer_that_breaks_half_way_is_cut_and_logged(caller: Caller) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await caller("GET", "/broken")

    assert answer.content == b"first"
    assert [entry["event"] for entry in logs] == ["request failed"]


async def test_every_answer_has_safe_headers_and_an_id(caller: Caller) -> None:
    for path in ("/health", "/nowhere", "/fault", ME):
        headers = (await caller("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert len(headers["x-request-id"]) == 36


@pytest.mark.parametrize("given", ["x" * 65, "a b", "ü"])
async def test_an_id_that_could_harm_a_log_is_not_taken_over(caller: Caller, given: str) -> None:
    answer = await caller("GET", "/health", headers={"X-Request-Id": given.encode()})

    assert len(answer.headers["x-request-id"]) == 36


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "jc_test_x"},
    ],
)
async def test_without_credentials_an_access_token_is_asked_for(
    caller: Caller, headers: dict[str, str]
) -> None:
    answer = await caller("GET", ME, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {
        "success": False,
        "message": "Access token required",
        "code": "UNAUTHORIZED",
    }
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Authorization": "Bearer x.y.z"}, "Invalid access token"),
        ({"Authorization": "bearer jr_x"}, "A refresh token is not an access token"),
        ({"X-API-Key": "jc_test_x"}, "Invalid API key"),
        ({"X-API-Key": ""}, "Invalid API key"),
        ({"X-API-Key": b"\xff"}, "Invalid API key"),
    ],
)
async def test_bad_credentials_are_told_what_is_wrong(
    caller: Caller, headers: dict[str, str], message: str
) -> None:
    answer = await caller("GET", ME, headers=headers)

    assert (answer.status_code, answer.json()["message"]) == (401, message)


async def test_an_expired_access_token_is_told_so(caller: Caller, world: World) -> None:
    tokens = await caller.come_in()
    world.clock.advance(900)

    answer = await caller("GET", ME, bearer=tokens["accessToken"])

    assert (answer.status_code, answer.json()["message"]) == (401, "Access token expired")


async def test_only_a_watch_token_may_stand_in_the_address(caller: Caller, world: World) -> None:
    tokens = await caller.come_in()
    token, _ = world.accounts.credentials.watch_token(tenant_id="acme", job_id="job-1")

    watch = await caller("GET", f"/watch?token={token}")
    access = await caller("GET", f"/watch?token={tokens['accessToken']}")
    elsewhere = await caller("GET", f"{ME}?token={token}")
    missing = await caller("GET", "/watch?token=")

    assert watch.json()["data"] == "job-1"
    assert access.json()["message"] == "Only a watch token may stand in the address"
    assert elsewhere.json()["message"] == missing.json()["message"] == "Access token required"


async def test_every_answer_of_a_submission_says_what_is_left(caller: Caller, world: World) -> None:
    tokens = await caller.come_in()
    bearer = tokens["accessToken"]

    answers = [await caller("POST", "/submit", bearer=bearer) for _ in range(11)]
    too_large = await caller("POST", "/submit", {"a": "long body"}, bearer=bearer)

    assert [a.status_code for a in answers] == [201] * 10 + [429]
    assert too_large.status_code == 413
    assert [a.headers["x-ratelimit-remaining"] for a in answers] == [
        *(str(9 - n) for n in range(10)),
        "0",
    ]
    assert answers[10].json() == {
        "success": False,
        "message": (
            "Too many requests. You can submit a maximum of 10 jobs per minute. "
            "Try again in 60 seconds."
        ),
        "code": "RATE_LIMITED",
        "retryAfter": 60,
    }
    assert answers[10].headers["retry-after"] == "60"
    for answer in (answers[10], too_large):
        assert answer.headers["x-ratelimit-limit"] == "10"
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert answer.headers["x-ratelimit-reset"] == "60"


@pytest.mark.parametrize(
    ("origin", "allowed_origin"),
    [
        ("http://localhost:5173", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8080", True),
        ("http://app.localhost", True),
        ("http://localhost.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_in_development_the_pages_of_this_machine_may_call(
    database: Database, clock: FakeClock, origin: str, allowed_origin: bool
) -> None:
    world = World(database, clock, settings(env="development"))
    async with Caller(app_over(world, other_routes)) as caller:
        answer = await caller("GET", "/fault", headers={"Origin": origin})
    await world.close()

    expected = origin if allowed_origin else None
    assert answer.headers.get("access-control-allow-origin") == expected


async def test_in_production_only_named_origins_may_call(
    database: Database, clock: FakeClock
) -> None:
    named = "https://app.example.com"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    world = World(database, clock, settings(env="production", allowed_origins=(named,)))
    async with Caller(app_over(world, other_routes)) as caller:
        good = await caller("OPTIONS", REGISTER, headers={"Origin": named, **asked})
        bad = await caller("OPTIONS", REGISTER, headers={"Origin": "http://localhost", **asked})
    await world.close()

    assert good.headers["access-control-allow-origin"] == named
    assert "access-control-allow-credentials" not in good.headers
    assert "access-control-allow-origin" not in bad.headers


@pytest.mark.parametrize(
    ("env", "scheme", "told"),
    [
        ("production", "https", "max-age=31536000"),
        ("production", "http", None),
        ("development", "https", None),
    ],
)
async def test_who_comes_by_tls_in_production_is_told_to_stay_with_it(
    database: Database, clock: FakeClock, env: str, scheme: str, told: str | None
) -> None:
    world = World(database, clock, settings(env=env))
    async with Caller(app_over(world)) as caller:
        for path in ("/health", "/nowhere", "/"):
            answer = await caller("GET", f"{scheme}://jobcast.test{path}")

            assert answer.headers.get("strict-transport-security") == told
    await world.close()


async def test_a_database_that_is_away_is_a_503(caller: Caller, database: Database) -> None:
    database.broken = True

    answer = await caller(
        "POST", "/api/auth/login", {"email": "ada@example.com", "password": PASSWORD}
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


async def test_closed_registration_is_a_403(database: Database, clock: FakeClock) -> None:
    world = World(database, clock, settings(registration="closed"))
    async with Caller(app_over(world, other_routes)) as caller:
        answer = await caller("POST", REGISTER, {"email": "a@b.de", "password": PASSWORD})
    await world.close()

    assert (answer.status_code, answer.json()["message"]) == (403, "Registration is closed.")


async def test_all_requests_are_limited_by_caller_and_by_address(
    database: Database, clock: FakeClock
) -> None:
    world = World(database, clock, settings(read_rate_limit=3))
    async with Caller(app_over(world, other_routes)) as caller:
        bearer = (await caller.come_in())["accessToken"]
        known = [await caller("GET", ME, bearer=bearer) for _ in range(4)]
        strange = [await caller("GET", ME, bearer="x") for _ in range(4)]
        refresh = await caller("POST", "/api/auth/refresh", {"refreshToken": "x"})
    await world.close()

    assert [answer.status_code for answer in known] == [200] * 3 + [429]
    assert [answer.status_code for answer in strange] == [401] * 3 + [429]
    assert refresh.status_code == 429
    assert known[3].json()["code"] == "RATE_LIMITED"
    assert int(known[3].headers["retry-after"]) == known[3].json()["retryAfter"] > 0
