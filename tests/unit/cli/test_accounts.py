import json
import stat
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import PASSWORD, FakeServer

from jobcast.cli.config import login_file

LOGIN = ("login", "--email", "ada@example.com", "--password-stdin")


class TestLogin:
    def test_a_login_stores_a_key_of_this_machine_for_its_owner_only(
        self, run_alone: Run, server: FakeServer, tmp_path: Path
    ) -> None:
        result = run_alone(*LOGIN, "--url", server.url, input=f"{PASSWORD}\n")
        assert result.exit_code == 0
        path = login_file()
        assert path.is_relative_to(tmp_path)
        assert json.loads(path.read_text()) == {"url": server.url, "key": "secret-of-key-1"}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert server.keys["key-1"]["name"].startswith("jobcast CLI on ")
        assert server.keys["key-1"]["scopes"] == ["jobs:read", "admin"]  # as the person may

    def test_the_password_is_not_kept_and_the_login_ends(
        self, run_alone: Run, server: FakeServer
    ) -> None:
        run_alone(*LOGIN, "--url", server.url, input=PASSWORD)
        assert PASSWORD not in login_file().read_text()
        assert len(server.asked("POST", "/api/auth/logout")) == 1

    def test_later_commands_use_it(self, run_alone: Run, server: FakeServer) -> None:
        run_alone(*LOGIN, "--url", server.url, input=PASSWORD)
        assert run_alone("submit", "email").stdout == "job-1\n"

    def test_a_wrong_password_stores_nothing(self, run_alone: Run, server: FakeServer) -> None:
        result = run_alone(*LOGIN, "--url", server.url, input="wrong")
        assert result.exit_code == 2
        assert result.stderr.startswith("Invalid email or password.")
        assert not login_file().exists()

    def test_without_a_terminal_it_says_how_to_give_the_password(self, run_alone: Run) -> None:
        result = run_alone("login")
        assert result.exit_code == 2
        assert "--password-stdin" in result.stderr

    def test_a_password_on_standard_input_needs_an_address(self, run_alone: Run) -> None:
        result = run_alone("login", "--password-stdin", input="x")
        assert (result.exit_code, "--email" in result.stderr) == (2, True)

    def test_json_does_not_show_the_key(self, run_alone: Run, server: FakeServer) -> None:
        result = run_alone(*LOGIN, "--url", server.url, "--json", input=PASSWORD)
        assert json.loads(result.stdout) == {
            "url": server.url,
            "keyId": "key-1",
            "stored": str(login_file()),
        }


class TestKeys:
    def test_a_new_key_is_printed_alone_for_scripts(self, run: Run) -> None:
        assert run("keys", "create", "--name", "ci").stdout == "secret-of-key-1\n"

    def test_a_key_may_be_limited(self, run: Run, server: FakeServer) -> None:
        run("keys", "create", "--scope", "jobs:read", "--scope", "channels")
        assert server.keys["key-1"]["scopes"] == ["jobs:read", "channels"]

    def test_a_service_key_is_asked_for_by_its_scope(self, run: Run, server: FakeServer) -> None:
        run("keys", "create", "--service")
        assert server.keys["key-1"]["scopes"] == ["service"]

    def test_the_first_key_is_made_on_the_database_itself(
        self, run_alone: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        made = json.loads(run_alone("keys", "create", "--service", "--direct", "--json").stdout)
        assert (made["tenantId"], made["scopes"]) == ("local", ["service"])
        assert made["key"].startswith("jc_")
        assert (folder / ".jobcast" / "jobcast.db").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--direct"], "--direct makes service keys only: add --service.\n"),
            (
                ["--service", "--scope", "jobs:read"],
                "A service key may do everything: leave out --scope.\n",
            ),
        ],
    )
    def test_options_that_do_not_go_together(
        self, run_alone: Run, words: list[str], said: str
    ) -> None:
        result = run_alone("keys", "create", *words)
        assert (result.exit_code, result.stderr) == (2, said)

    def test_a_caller_that_may_make_none_is_told(self, run: Run, server: FakeServer) -> None:
        server.refuse(403, {"message": "This API key lacks the scope admin.", "code": "FORBIDDEN"})
        result = run("keys", "create")
        assert (result.exit_code, result.stderr) == (
            2,
            "This API key lacks the scope admin. Use a key that may do this: pass it with --key.\n",
        )

    def test_keys_are_listed_one_a_line(self, run: Run) -> None:
        run("keys", "create", "--name", "ci")
        assert run("keys", "list").stdout.split("\t")[:2] == ["key-1", "ci"]
        (key,) = json.loads(run("keys", "list", "--json").stdout)
        assert "key" not in key

    def test_a_revoked_key_is_gone(self, run: Run) -> None:
        created = json.loads(run("keys", "create", "--json").stdout)
        assert run("keys", "revoke", created["id"]).stdout == "Key key-1 is revoked.\n"
        assert run("keys", "list").stdout == ""

    def test_an_unknown_key_is_bad_usage(self, run: Run) -> None:
        result = run("keys", "revoke", "nothing")
        assert (result.exit_code, result.stderr) == (2, "API key not found.\n")


class TestHealth:
    def test_it_says_that_the_server_answers(self, run: Run, server: FakeServer) -> None:
        assert run("health").stdout == f"{server.url}: ok\n"

    def test_it_needs_no_key(self, run_alone: Run, server: FakeServer) -> None:
        result = run_alone("health", "--url", server.url, "--json")
        assert json.loads(result.stdout)["status"] == "ok"
