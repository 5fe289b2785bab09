import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import FAILURE, WORK, Break, FakeServer


class TestSubmit:
    def test_it_prints_the_id_alone_for_scripts(self, run: Run, server: FakeServer) -> None:
        result = run("submit", "email")
        assert (result.exit_code, result.stdout) == (0, "job-1\n")

    def test_every_option_has_its_name_on_the_wire(self, run: Run, server: FakeServer) -> None:
        result = run(
            *("submit", "email", "--payload", '{"to":"ada"}', "--queue", "mail"),
            *("--priority", "-5", "--delay-ms", "10", "--max-attempts", "2"),
            *("--timeout-ms", "900", "--tag", "a", "--tag", "b", "--unique-key", "u"),
            *("--webhook-url", "https://example.com", "--channel", "news", "--tenant", "acme"),
            *("--idempotency-key", "once"),
        )
        assert result.exit_code == 0
        (call,) = server.asked("POST", "/api/jobs")
        assert call.headers["idempotency-key"] == "once"
        assert call.body == {
            "type": "email",
            "payload": {"to": "ada"},
            "queue": "mail",
            "priority": -5,
            "delayMs": 10,
            "maxAttempts": 2,
            "timeoutMs": 900,
            "tags": ["a", "b"],
            "uniqueKey": "u",
            "webhookUrl": "https://example.com",
            "channel": "news",
            "tenantId": "acme",
        }

    def test_the_payload_may_stand_in_a_file(
        self, run: Run, server: FakeServer, folder: Path
    ) -> None:
        (folder / "mail.json").write_text('{"n": 1e200000}')
        result = run("submit", "email", "--payload", "@mail.json", "--json")
        assert server.asked("POST", "/api/jobs")[0].body["payload"] == {"n": Decimal("1e200000")}
        assert '"n": 1E+200000' in result.stdout

    def test_the_payload_may_come_on_standard_input(self, run: Run, server: FakeServer) -> None:
        run("submit", "email", "--payload", "-", input='{"to": "zoë"}')
        assert server.asked("POST", "/api/jobs")[0].body["payload"] == {"to": "zoë"}

    def test_json_is_the_job_as_it_came(self, run: Run, server: FakeServer) -> None:
        result = run("submit", "email", "--json")
        assert json.loads(result.stdout) == server.jobs["job-1"]

    def test_watch_follows_it_to_its_end(self, run: Run) -> None:
        result = run("submit", "demo", "--watch")
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "PENDING",
            "PROCESSING attempt 1",
            "log info: reading",
            "progress 40% halfway",
            'output {"token":"Hel"}',
            'output {"token":"lo"}',
            'DONE {"pages":3}',
        ]

    def test_watching_a_job_that_fails_exits_with_1(self, run: Run) -> None:
        result = run("submit", "broken", "--watch")
        assert result.exit_code == 1
        assert result.stdout.endswith("FAILED the printer is on fire\n")

    @pytest.mark.parametrize(
        ("payload", "said"),
        [
            ("{oops", "The payload is not JSON"),
            ("[1]", "The payload must be a JSON object"),
            ('{"a": NaN}', "NaN is not a JSON value"),
            ("@missing.json", "Could not read missing.json"),
        ],
    )
    def test_a_bad_payload_is_bad_usage(
        self, run: Run, server: FakeServer, payload: str, said: str
    ) -> None:
        result = run("submit", "email", "--payload", payload)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert server.calls == []

    def test_a_type_that_is_mistyped_is_told(self, run: Run, server: FakeServer) -> None:
        server.stories["nobodies"] = WORK
        assert run("submit", "nobody").stderr.endswith("Did you mean nobodies?\n")

    def test_a_refused_field_is_named(self, run: Run) -> None:
        result = run("submit", "nobody")
        assert result.exit_code == 2
        assert result.stderr == (
            "Validation error. type: Unknown job type: nobody. There are broken, demo.\n"
        )


class TestWatch:
    def test_an_ended_job_prints_its_story_and_outcome(self, run: Run, server: FakeServer) -> None:
        result = run("watch", server.add_job(steps=WORK))
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1] == 'DONE {"pages":3}'

    @pytest.mark.parametrize(
        ("end", "line"),
        [
            (("failed", {"error": "no paper"}), "FAILED no paper"),
            (("cancelled", {}), "CANCELLED"),
        ],
    )
    def test_a_failed_or_cancelled_job_exits_with_1(
        self, run: Run, server: FakeServer, end: tuple[str, dict[str, str]], line: str
    ) -> None:
        result = run("watch", server.add_job(steps=[end]))
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, line)

    def test_json_is_one_event_a_line(self, run: Run, server: FakeServer) -> None:
        job_id = server.add_job(steps=WORK)
        result = run("watch", job_id, "--json")
        assert [json.loads(line) for line in result.stdout.splitlines()] == server.events[job_id]

    def test_an_outcome_that_no_event_can_tell_is_read_from_the_job(
        self, run: Run, server: FakeServer
    ) -> None:
        job_id = server.add_job(steps=WORK)
        server.asides.append({"type": "gap", "jobId": job_id, "from": 1, "to": 7})
        result = run("watch", job_id)
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "gap: events 1 to 7 can't be replayed",
            'DONE {"pages":3}',
        ]

    def test_a_job_that_is_deleted_meanwhile_is_said_and_left(
        self, run: Run, server: FakeServer
    ) -> None:
        job_id = server.add_job()
        server.asides.append({"type": "gap", "jobId": job_id, "from": 1, "to": None})
        gone = {"success": False, "code": "NOT_FOUND", "message": "Job not found"}
        server.refuse(404, gone)
        result = run("watch", job_id)
        assert (result.exit_code, result.stdout) == (2, "gap: the job was deleted\n")
        assert result.stderr.startswith("Job not found. ")

    def test_a_broken_connection_shows_nothing_twice(self, run: Run, server: FakeServer) -> None:
        server.breaks.append(Break(3, None))
        result = run("watch", server.add_job(steps=WORK))
        assert result.stdout.count("log info: reading") == 1
        assert result.exit_code == 0

    def test_a_waiting_retry_says_when_and_why(self, run: Run, server: FakeServer) -> None:
        retrying = ("retrying", {"error": "no net", "retryAt": "2026-11-22T10:00:09.000Z"})
        result = run("watch", server.add_job(steps=[retrying, *WORK]))
        assert ":09: no net" in result.stdout

    def test_an_unknown_job_is_bad_usage(self, run: Run) -> None:
        result = run("watch", "nothing")
        assert result.exit_code == 2
        assert result.stderr == "Job not found. `jobcast list` shows the jobs there are.\n"

    def test_a_server_that_closes_for_good_is_out_of_reach(
        self, run: Run, server: FakeServer
    ) -> None:
        server.breaks.append(Break(1, 3501, "Too many messages"))
        result = run("watch", server.add_job(steps=WORK))
        assert result.exit_code == 3
        assert result.stderr == "Too many messages. Try again in a moment.\n"


class TestWatchMany:
    def test_each_line_says_whose_it_is(self, run: Run, server: FakeServer) -> None:
        one, other = server.add_job(steps=WORK), server.add_job("broken", steps=WORK)
        result = run("watch", one, other, one)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert [line for line in lines if line.startswith(other)] == [
            f"{other} broken {said}"
            for said in (
                "PENDING",
                "PROCESSING attempt 1",
                "log info: reading",
                "progress 40% halfway",
                'output {"token":"Hel"}',
                'output {"token":"lo"}',
                'DONE {"pages":3}',
            )
        ]
        assert len(lines) == 14  # the one that is named twice is told once

    def test_one_that_failed_exits_with_1(self, run: Run, server: FakeServer) -> None:
        result = run("watch", server.add_job(steps=WORK), server.add_job(steps=FAILURE))
        assert (result.exit_code, "FAILED the printer is on fire" in result.stdout) == (1, True)

    def test_json_is_one_event_a_line(self, run: Run, server: FakeServer) -> None:
        ids = [server.add_job(steps=WORK), server.add_job(steps=WORK)]
        told = [json.loads(line) for line in run("watch", *ids, "--json").stdout.splitlines()]
        for job_id in ids:
            assert [one for one in told if one["jobId"] == job_id] == server.events[job_id]

    def test_an_unknown_one_is_named_before_anything_is_shown(
        self, run: Run, server: FakeServer
    ) -> None:
        result = run("watch", server.add_job(steps=WORK), "nothing")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "There is no job nothing. `jobcast list` shows the jobs there are.\n"
        )

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "Name the jobs to follow"),
            (("--all", "job-1"), "Name the jobs to follow"),
            (("job-1", "--type", "demo"), "narrow --all"),
        ],
    )
    def test_what_does_not_go_together(self, run: Run, words: tuple[str, ...], said: str) -> None:
        result = run("watch", *words)
        assert (result.exit_code, said in result.stderr) == (2, True)


class TestList:
    def test_a_job_is_one_line_of_columns(self, run: Run, server: FakeServer) -> None:
        server.add_job(progress={"percent": 12.5, "note": "a\tb"}, attempts=1)
        result = run("list")
        cells = result.stdout.rstrip("\n").split("\t")
        assert cells[:6] == ["job-1", "demo", "PENDING", "12.5% a b", "default", "1/3"]

    def test_no_jobs_are_no_lines(self, run: Run) -> None:
        assert run("list").stdout == ""

    def test_filters_go_to_the_server(self, run: Run, server: FakeServer) -> None:
        run(
            *("list", "--status", "failed", "--type", "a", "--queue", "b", "--tag", "c"),
            *("--user", "d", "--tenant", "e", "--q", "f", "--sort", "createdAt"),
            *("--page", "2", "--limit", "50", "--cursor", "g"),
        )
        assert server.calls[0].query == {
            "status": "FAILED",
            "type": "a",
            "queue": "b",
            "tag": "c",
            "userId": "d",
            "tenantId": "e",
            "q": "f",
            "sort": "createdAt",
            "page": "2",
            "limit": "50",
            "cursor": "g",
        }

    def test_json_has_the_jobs_and_the_meta(self, run: Run, server: FakeServer) -> None:
        server.add_job()
        document = json.loads(run("list", "--json").stdout)
        assert document["data"][0]["id"] == "job-1"
        assert document["meta"]["total"] == 1


class TestOthers:
    def test_show_prints_what_is_known(self, run: Run, server: FakeServer) -> None:
        job_id = server.add_job(steps=WORK, payload={"n": 1}, tags=["a", "b"])
        shown = run("show", job_id).stdout
        for part in ("status    DONE", "tags      a, b", '"pages": 3', "attempts  0 of 3"):
            assert part in shown

    def test_show_json_is_the_job_as_it_came(self, run: Run, server: FakeServer) -> None:
        job_id = server.add_job()
        assert json.loads(run("show", job_id, "--json").stdout) == server.jobs[job_id]

    def test_logs_are_lines_in_order(self, run: Run, server: FakeServer) -> None:
        lines = run("logs", server.add_job(steps=WORK)).stdout.splitlines()
        assert lines[0].endswith("info     Status updated to PENDING")
        assert lines[2].endswith("info     reading")

    def test_logs_json_is_one_array(self, run: Run, server: FakeServer) -> None:
        document = json.loads(run("logs", server.add_job(steps=WORK), "--json").stdout)
        assert [line["seq"] for line in document] == [1, 2, 3, 7]

    def test_cancel_asks_for_it(self, run: Run, server: FakeServer) -> None:
        result = run("cancel", server.add_job())
        assert result.stdout == "Job job-1 is being cancelled.\n"
        assert len(server.asked("POST", "/api/jobs/job-1/cancel")) == 1

    def test_retry_may_change_the_payload(self, run: Run, server: FakeServer) -> None:
        job_id = server.add_job(steps=FAILURE)
        result = run("retry", job_id, "--payload", '{"n":2}', "--json")
        assert json.loads(result.stdout)["payload"] == {"n": 2}

    def test_retrying_what_has_not_failed_is_bad_usage(self, run: Run, server: FakeServer) -> None:
        result = run("retry", server.add_job(steps=WORK))
        assert (result.exit_code, result.stderr) == (2, "Cannot retry job with status DONE.\n")

    def test_what_a_job_logs_cannot_steer_the_terminal(self, run: Run, server: FakeServer) -> None:
        evil = ("log", {"message": "\x1b[2J\x9b31m[red]hi[/red]\r", "level": "info"})
        shown = run("watch", server.add_job(steps=[evil, *WORK])).stdout
        assert "log info: \ufffd[2J\ufffd31m[red]hi[/red]\ufffd\n" in shown
