"""Registering handlers: what is kept of them, and the sentence for what can't be registered."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel

import jobcast
from jobcast.app import App
from jobcast.worker.handler import JobType
from jobcast.worker.registration import type_info

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]


class Picture(BaseModel):
    url: str


@dataclass
class Order:
    item: str


class Opaque:
    """A class that pydantic can't check."""


@pytest.fixture
def app() -> App:
    return App()


def only(app: App) -> JobType:
    [kind] = app.handlers.types.values()
    return kind


async def on_loop(ctx: jobcast.Context, payload: dict[str, Any]) -> None: ...


def plain(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None: ...


class TestAHandler:
    def test_has_the_defaults_of_the_contract(self, app: App) -> None:
        app.job("work")(on_loop)
        kind = only(app)
        assert (kind.timeout, kind.max_attempts, kind.queue) == (600, 3, "default")
        assert (kind.max_running, kind.isolated, kind.is_async) == (None, False, True)

    def test_keeps_its_options(self, app: App) -> None:
        options: dict[str, Any] = {"max_attempts": 1, "timeout": 0.5, "queue": "media"}
        app.job("work", max_running=2, isolation="process", **options)(plain)
        kind = only(app)
        assert (kind.timeout, kind.max_attempts, kind.queue) == (0.5, 1, "media")
        assert (kind.max_running, kind.isolated, kind.is_async) == (2, True, False)
        assert type_info(kind).timeout_ms == 500

    def test_stays_as_it_was(self, app: App) -> None:
        assert app.job("work")(on_loop) is on_loop

    def test_may_take_several_types(self, app: App) -> None:
        app.job("a")(app.job("b")(on_loop))
        assert set(app.handlers.types) == {"a", "b"}

    def test_registered_later_is_not_in_handlers_taken_before(self, app: App) -> None:
        before = app.handlers
        app.job("work")(on_loop)
        assert before.find("work") is None

    def test_may_be_a_partial_or_an_object(self, app: App) -> None:
        async def sized(size: int, ctx: jobcast.Context, payload: Picture) -> None: ...

        class Callable:
            async def __call__(self, ctx: jobcast.Context, payload: Order) -> None: ...

        app.job("partial")(functools.partial(sized, 5))
        app.job("object")(Callable())
        kinds = app.handlers.types
        assert all(kind.is_async for kind in kinds.values())
        assert [kind.payload_type for kind in kinds.values()] == [Picture, Order]


class TestThePayloadsType:
    @pytest.mark.parametrize(
        ("annotation", "expected"),
        [
            ("Picture", Picture),
            ("Order", Order),
            ("dict", dict),
            ("dict[str, Any]", dict),
            ("Mapping[str, Any]", dict),
            ("Any", Any),
            (Picture, Picture),
            (Mapping[str, int], dict),
        ],
    )
    def test_is_what_the_annotation_says(self, app: App, annotation: Any, expected: Any) -> None:
        async def work(ctx: jobcast.Context, payload: Any) -> None: ...

        work.__annotations__["payload"] = annotation
        app.job("work")(work)
        assert only(app).payload_type is expected

    def test_is_any_object_where_there_is_no_annotation(self, app: App) -> None:
        app.job("work")(lambda ctx, payload: None)
        assert only(app).payload_type is dict
        assert only(app).schema is None

    def test_makes_its_schema(self, app: App) -> None:
        async def work(ctx: jobcast.Context, payload: Picture) -> None: ...

        app.job("work")(work)
        schema = only(app).schema
        assert schema is not None
        assert schema["required"] == ["url"]
        assert type_info(only(app)).schema is not None

    def test_may_be_local_to_a_function(self, app: App) -> None:
        class Local(BaseModel):
            url: str

        async def work(ctx: jobcast.Context, payload: Local) -> type:
            return Local

        app.job("work")(work)
        assert only(app).payload_type is Local

    def test_does_not_ask_for_the_names_of_the_context(self, app: App) -> None:
        async def work(ctx: Unknown, payload: Picture) -> Unknown: ...

        app.job("work")(work)
        assert only(app).payload_type is Picture

    def test_that_is_not_known_is_named(self, app: App) -> None:
        async def work(ctx: jobcast.Context, payload: Unknown) -> None: ...

        with pytest.raises(TypeError, match="work: the type of its payload, 'Unknown'"):
            app.job("work")(work)

    def test_that_cannot_be_checked_is_named(self, app: App) -> None:
        async def work(ctx: jobcast.Context, payload: Opaque) -> None: ...

        with pytest.raises(TypeError, match=r"Job type 'work': .*Opaque.* can't be the type"):
            app.job("work")(work)


class TestWhatCannotBeRegistered:
    @pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 101, "name\n", "a*"])
    def test_a_name_that_is_none(self, app: App, name: str) -> None:
        with pytest.raises(ValueError, match="use 1 to 100 of"):
            app.job(name)
        with pytest.raises(ValueError, match="use 1 to 100 of"):
            app.job("work", queue=name)

    def test_a_type_twice(self, app: App) -> None:
        app.job("work")(on_loop)
        with pytest.raises(ValueError, match="'work' has a handler already"):
            app.job("work")

    @pytest.mark.parametrize(
        "options",
        [
            {"max_attempts": 0},
            {"max_attempts": 101},
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": 0.0001},
            {"timeout": float("inf")},
            {"timeout": float("nan")},
            {"max_running": 0},
            {"isolation": "thread"},
        ],
    )
    def test_an_option_that_makes_no_sense(self, app: App, options: dict[str, Any]) -> None:
        [name] = options
        with pytest.raises(ValueError, match=name):
            app.job("work", **options)

    @pytest.mark.parametrize("handler", [lambda: None, lambda ctx: None, lambda a, b, c: None])
    def test_a_handler_with_other_parameters(self, app: App, handler: Any) -> None:
        with pytest.raises(TypeError, match="must take two parameters"):
            app.job("work")(handler)
        assert app.handlers.types == {}


class TestASchedule:
    REPORT: ClassVar[dict[str, Any]] = {"cron": "0 3 * * *", "type": "generate-report"}

    def test_is_declared_by_itself(self, app: App) -> None:
        app.schedule("nightly", **self.REPORT, payload={"month": 5}, timezone="Europe/Berlin")
        [declared] = app.schedules
        plan = declared.plan
        assert (plan.name, plan.cron, plan.type) == ("nightly", "0 3 * * *", "generate-report")
        assert (plan.payload, plan.timezone) == ('{"month":5}', "Europe/Berlin")
        assert (plan.queue, plan.priority, declared.tenant) == (None, 0, None)

    def test_above_a_handler_takes_its_type(self, app: App) -> None:
        assert app.schedule("hourly", cron="0 * * * *")(app.job("sweep")(on_loop)) is on_loop
        assert [each.plan.type for each in app.schedules] == ["sweep"]

    def test_with_a_type_of_its_own_keeps_it_above_a_handler(self, app: App) -> None:
        app.schedule("nightly", **self.REPORT)(app.job("sweep")(on_loop))
        assert [each.plan.type for each in app.schedules] == ["generate-report"]

    def test_needs_a_type(self, app: App) -> None:
        with pytest.raises(ValueError, match=r"put it above the @app\.job"):
            app.schedule("a", cron="0 * * * *")(on_loop)
        both = app.job("x")(app.job("y")(on_loop))
        with pytest.raises(ValueError, match=r"of one type, or give type=…"):
            app.schedule("a", cron="0 * * * *")(both)
        with pytest.raises(ValueError, match=r"of one type, or give type=…"):
            app.schedule("a", cron="0 * * * *")(app.job("*")(plain))
        assert app.schedules == []
        app.schedule("a", cron="0 * * * *")
        with pytest.raises(ValueError, match="Schedule 'a': give type=…"):
            _ = app.schedules

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"cron": "0 25 * * *"}, "Schedule 'nightly', cron: Bad hour: write it like"),
            ({"cron": "0 0 30 2 *"}, "Schedule 'nightly', cron: Bad day-of-month"),
            ({"timezone": "Mars"}, "Schedule 'nightly', timezone: Unknown time zone"),
            ({"type": "*"}, "Schedule 'nightly', type: Use 1 to 100"),
            ({"queue": "no queue"}, "Schedule 'nightly', queue: Use 1 to 100"),
            ({"tenant": "no tenant"}, "Schedule 'nightly', tenant: Use 1 to 100"),
            ({"priority": 101}, "Schedule 'nightly', priority: Must be a whole number"),
            ({"payload": [1]}, "Schedule 'nightly', payload: Expected an object"),
        ],
    )
    def test_is_checked_at_once(self, app: App, options: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError, match=re.escape(sentence)):
            app.schedule("nightly", **(self.REPORT | options))
        assert app.schedules == []

    def test_is_declared_once_for_a_tenant(self, app: App) -> None:
        app.schedule("nightly", **self.REPORT)
        with pytest.raises(ValueError, match="Schedule 'nightly' is declared already"):
            app.schedule("nightly", **self.REPORT)
        app.schedule("nightly", **self.REPORT, tenant="acme")
        assert [each.tenant for each in app.schedules] == [None, "acme"]

    def test_has_a_payload_that_fits_the_type(self, app: App) -> None:
        async def paint(ctx: jobcast.Context, payload: Picture) -> None: ...

        handler = app.job("paint")(paint)
        for type in (None, "paint"):
            with pytest.raises(ValueError, match="The payload does not fit paint: url"):
                app.schedule("daily", cron="0 3 * * *", type=type)(handler)
        app.schedule("weekly", cron="0 3 * * 1", payload=Picture(url="u"))(handler)
        assert app.schedules[-1].plan.payload == '{"url":"u"}'


def test_an_app_goes_by_the_module_that_makes_it() -> None:
    assert App().name == __name__
    assert App(name="media").name == "media"


class TestAMessageHandler:
    def test_is_known_by_its_name_and_its_channels(self, app: App) -> None:
        app.on_message("chat:*", queue="talk", max_attempts=1)(on_loop)
        kind = only(app)
        assert (kind.type, kind.channel, kind.queue) == ("on_loop/chat:*", "chat:*", "talk")
        assert (type_info(kind).channel, type_info(kind).declared_by) == ("chat:*", app.name)
        app.on_message("news")(lambda ctx, message: None)
        assert "message/news" in app.handlers.types

    def test_may_stand_beside_a_job_of_the_same_function(self, app: App) -> None:
        app.job("on_loop")(on_loop)
        app.on_message("*")(on_loop)
        assert app.handlers.find("on_loop/*") is not app.handlers.find("on_loop")

    @pytest.mark.parametrize("pattern", ["", "Chat:*", "a/b", "x" * 129, "chat\n", "a?"])
    def test_has_channels_that_can_be_named(self, app: App, pattern: str) -> None:
        with pytest.raises(ValueError, match="use 1 to 128 of"):
            app.on_message(pattern)

    def test_is_the_only_one_of_its_pattern(self, app: App) -> None:
        app.on_message("chat:*")(on_loop)
        with pytest.raises(ValueError, match="have a handler already"):
            app.on_message("chat:*")

    def test_has_options_as_jobs_have_them(self, app: App) -> None:
        with pytest.raises(ValueError, match="max_attempts is a number"):
            app.on_message("chat", max_attempts=0)

    def test_messages_never_come_to_the_handler_of_any_type(self, app: App) -> None:
        app.job("*")(on_loop)
        assert app.handlers.find("reply/chat:*") is None
        assert app.handlers.find("anything") is not None
