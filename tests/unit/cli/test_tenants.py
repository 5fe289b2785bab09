import json

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import FakeServer


def test_a_tenant_is_made_with_its_limits(run: Run, server: FakeServer) -> None:
    result = run(
        "tenants", "create", "acme", "--name", "Acme", "--weight", "3", "--max-running", "9"
    )

    assert result.stdout.splitlines() == [
        "id        acme",
        "name      Acme",
        "weight    3",
        "running   9",
    ]
    assert server.tenants["acme"] == {"id": "acme", "name": "Acme", "weight": 3, "maxRunning": 9}


def test_an_id_is_made_up_where_none_is_given(run: Run) -> None:
    assert json.loads(run("tenants", "create", "--json").stdout)["id"] == "made-up"


def test_a_limit_is_set_and_taken_back(run: Run, server: FakeServer) -> None:
    run("tenants", "create", "acme")

    run("tenants", "set", "acme", "--rate-limit", "50", "--key-rate-limit", "700")
    assert (server.tenants["acme"]["rateLimit"], server.tenants["acme"]["keyRateLimit"]) == (
        50,
        700,
    )

    run("tenants", "set", "acme", "--rate-limit", "usual", "--max-waiting", "5")
    assert (server.tenants["acme"]["rateLimit"], server.tenants["acme"]["maxWaiting"]) == (None, 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "There is nothing to set: `jobcast tenants set --help` shows what there is.\n"),
        (
            ["--rate-limit", "many"],
            "--rate-limit takes a whole number from 1 up, or `usual`, not 'many'.\n",
        ),
        (
            ["--max-running", "0"],
            "--max-running takes a whole number from 1 up, or `usual`, not '0'.\n",
        ),
    ],
)
def test_what_can_not_be_set_is_bad_usage(run: Run, words: list[str], said: str) -> None:
    result = run("tenants", "set", "acme", *words)

    assert (result.exit_code, result.stderr) == (2, said)


def test_an_unknown_tenant_is_bad_usage(run: Run) -> None:
    result = run("tenants", "set", "nobody", "--weight", "2")

    assert (result.exit_code, result.stderr) == (2, "Tenant not found.\n")


def test_tenants_are_listed_one_a_line(run: Run) -> None:
    for name in ("t0", "t1"):
        run("tenants", "create", name)

    assert run("tenants", "list").stdout.splitlines() == ["t0\t\t1\t\t\t\t", "t1\t\t1\t\t\t\t"]
    assert [t["id"] for t in json.loads(run("tenants", "list", "--json").stdout)] == ["t0", "t1"]


def test_an_invite_is_printed_as_its_link_for_scripts(run: Run, server: FakeServer) -> None:
    run("tenants", "create", "acme")

    assert run("tenants", "invite", "acme").stdout == "http://x/#ji_1\n"
    made = json.loads(
        run("tenants", "invite", "acme", "--email", "b@c.de", "--owner", "--json").stdout
    )
    assert (made["invite"], made["email"], made["owner"]) == ("ji_1", "b@c.de", True)
