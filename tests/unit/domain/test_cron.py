"""When schedules tick: texts and zones, the clock's changes, ticks that were missed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.domain.cron import cron_fault, last_tick, next_tick, zone_fault
from jobcast.domain.times import iso, parse_iso

HOUR = 3_600_000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Kolkata"]
SPRING = {"Europe/Berlin": "2026-03-29", "America/New_York": "2026-03-08"}
AUTUMN = {"Europe/Berlin": "2026-10-25", "America/New_York": "2026-11-01"}


def ticks(cron: str, zone: str, *, since: str, until: str) -> list[str]:
    """The ticks in a span, each asked for from the one before."""
    found = []
    tick = next_tick(cron, zone, after=parse_iso(since) - 1)
    while tick is not None and tick <= parse_iso(until):
        found.append(iso(tick).removesuffix(":00.000Z"))
        tick = next_tick(cron, zone, after=tick)
    return found


class TestATick:
    def test_is_later_than_the_moment_it_is_asked_for(self) -> None:
        at = parse_iso("2026-05-01T03:00:00.000Z")
        assert next_tick("0 3 * * *", "UTC", after=at - 1) == at
        assert next_tick("0 3 * * *", "UTC", after=at) == at + 24 * HOUR
        assert next_tick("0 3 * * *", "UTC", after=at + 1) == at + 24 * HOUR

    def test_goes_by_the_clock_of_its_zone(self) -> None:
        at = parse_iso("2026-01-15T00:00:00Z")
        assert next_tick("0 3 * * *", "Europe/Berlin", after=at) == at + 2 * HOUR
        assert next_tick("0 3 * * *", "America/New_York", after=at) == at + 8 * HOUR

    def test_may_be_on_names_ranges_steps_and_the_last_day(self) -> None:
        at = parse_iso("2026-02-01T00:00:00Z")
        for cron, first in (
            ("0 9 * * MON-FRI", "2026-02-02T09:00:00.000Z"),
            ("*/20 * * * *", "2026-02-01T00:20:00.000Z"),
            ("0 0 L * *", "2026-02-28T00:00:00.000Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00.000Z"),
        ):
            tick = next_tick(cron, "UTC", after=at)
            assert tick is not None
            assert iso(tick) == first


@pytest.mark.parametrize(("zone", "day"), SPRING.items())
class TestInSpring:
    def test_a_set_time_in_the_hour_that_is_skipped_comes_at_its_end_once(
        self, zone: str, day: str
    ) -> None:
        shift = {"Europe/Berlin": "01:00", "America/New_York": "07:00"}[zone]
        found = ticks("30 2 * * *", zone, since=f"{day}T00:00Z", until=f"{day}T23:00Z")
        assert found == [f"{day}T{shift}"]

    def test_what_goes_by_real_time_misses_nothing_and_comes_no_more_often(
        self, zone: str, day: str
    ) -> None:
        found = ticks("*/30 * * * *", zone, since=f"{day}T00:00Z", until=f"{day}T23:59Z")
        assert len(found) == len(set(found)) == 48


@pytest.mark.parametrize(("zone", "day"), AUTUMN.items())
class TestInAutumn:
    def test_a_set_time_in_the_hour_that_comes_twice_comes_the_first_time_alone(
        self, zone: str, day: str
    ) -> None:
        cron, first = {
            "Europe/Berlin": ("30 2 * * *", "00:30"),
            "America/New_York": ("30 1 * * *", "05:30"),
        }[zone]
        found = ticks(cron, zone, since=f"{day}T00:00Z", until=f"{day}T23:00Z")
        assert found == [f"{day}T{first}"]

    def test_it_is_not_asked_for_again_in_the_second_of_the_two_hours(
        self, zone: str, day: str
    ) -> None:
        cron, first = {
            "Europe/Berlin": ("30 2 * * *", "00:30"),
            "America/New_York": ("30 1 * * *", "05:30"),
        }[zone]
        for minutes in (1, 35, 45, 59, 61, 89):
            after = parse_iso(f"{day}T{first}Z") + minutes * 60_000
            tick = next_tick(cron, zone, after=after)
            assert tick == parse_iso(f"{day}T{first}Z") + 25 * HOUR

    def test_what_goes_by_real_time_comes_in_both_hours(self, zone: str, day: str) -> None:
        found = ticks("0 * * * *", zone, since=f"{day}T00:00Z", until=f"{day}T23:59Z")
        assert found == [f"{day}T{hour:02}:00" for hour in range(24)]


class TestTicksThatWereMissed:
    def test_the_latest_of_them_is_found(self) -> None:
        first = parse_iso("2026-01-01T03:00:00Z")
        now = parse_iso("2026-01-10T02:59:59Z")
        last = last_tick("0 3 * * *", "UTC", first=first, now=now)
        assert iso(last) == "2026-01-09T03:00:00.000Z"
        assert last_tick("0 3 * * *", "UTC", first=first, now=first) == first

    def test_half_a_million_of_them_are_no_work(self) -> None:
        first, now = parse_iso("2026-01-01T00:00:00Z"), parse_iso("2027-01-01T00:00:30Z")
        last = last_tick("* * * * *", "Europe/Berlin", first=first, now=now)
        assert iso(last) == "2027-01-01T00:00:00.000Z"


SOME_CRONS = st.sampled_from(
    ["30 2 * * *", "*/15 * * * *", "0,30 1-3 * * *", "5 * * * SUN", "0 0 1 * *", "*/7 2 * * *"]
)
MOMENTS = st.integers(parse_iso("2020-01-01T00:00Z"), parse_iso("2030-01-01T00:00Z"))


@given(cron=SOME_CRONS, zone=st.sampled_from(ZONES), start=MOMENTS, gap=st.integers(0, 10**10))
def test_from_wherever_one_asks_the_ticks_are_the_same(
    cron: str, zone: str, start: int, gap: int
) -> None:
    first = next_tick(cron, zone, after=start)
    assert first is not None
    assert first > start
    assert next_tick(cron, zone, after=first - 1) == first
    now = first + gap
    last = last_tick(cron, zone, first=first, now=now)
    following = next_tick(cron, zone, after=now)
    assert following is not None
    assert first <= last <= now < following
    assert next_tick(cron, zone, after=last) == following


@given(st.sampled_from(["Europe/Berlin", "America/New_York"]), MOMENTS)
def test_a_daily_schedule_ticks_once_on_every_date(zone: str, start: int) -> None:
    found = []
    tick: int | None = start
    for _ in range(30):
        assert tick is not None
        tick = next_tick("30 2 * * *", zone, after=tick)
        assert tick is not None
        found.append(datetime.fromtimestamp(tick / 1000, ZoneInfo(zone)).date())
    assert all(after - before == timedelta(days=1) for before, after in pairwise(found))


class TestATextThatIsNoCron:
    @pytest.mark.parametrize(
        ("cron", "start"),
        [
            ("", "Must have 5 fields (minute, hour, day of month, month, day of week), not 0"),
            ("0 0 3 * * *", "Must have 5 fields"),
            ("@daily", "Must have 5 fields"),
            ("60 * * * *", "Bad minute: write it like '0 3 * * *'"),
            ("0 25 * * *", "Bad hour"),
            ("0 0 * * XYZ", "Bad day-of-week"),
            ("0 0 30 2 *", "Bad day-of-month"),
            ("0 0 31 4,6,9,11 *", "Bad day-of-month"),
            ("0 0 */20 * MON#2", "This cron text never comes true"),
            ("9" * 5000 + " * * * *", "Must be at most 200 characters"),
            ("\0 * * * *", "Bad minute"),
        ],
    )
    def test_is_told_what_is_wrong(self, cron: str, start: str) -> None:
        assert (cron_fault(cron) or "").startswith(start)

    @pytest.mark.parametrize("cron", ["0 3 * * *", "  0  3 * * * ", "*/5 8-18 * * mon-fri"])
    def test_is_not_seen_where_there_is_none(self, cron: str) -> None:
        assert cron_fault(cron) is None

    @given(st.text(max_size=40))
    def test_is_a_sentence_whatever_it_is(self, text: str) -> None:
        assert (cron_fault(f"{text} * * * *") or "ok").isprintable()


@pytest.mark.parametrize("zone", ZONES)
def test_zones_go_by_their_names(zone: str) -> None:
    assert zone_fault(zone) is None


@pytest.mark.parametrize(
    "zone",
    ["", "Berlin", "America", "../etc/passwd", "/etc/passwd", "utc\n", "\ud800", "localtime", "\0"],
)
def test_what_is_no_zone_is_told(zone: str) -> None:
    assert zone_fault(zone) == "Unknown time zone: use a name such as UTC or Europe/Berlin"
    with pytest.raises(ValueError, match="Unknown time zone"):
        next_tick("* * * * *", zone, after=0)


def test_the_last_of_few_ticks_is_found_by_halves_too() -> None:
    first = parse_iso("2024-01-01T00:00:00Z")
    now = parse_iso("2025-12-31T00:00:00Z")
    found = last_tick("0 0 1 1 *", "UTC", first=first, now=now)
    assert iso(found) == "2025-01-01T00:00:00.000Z"


def test_a_tick_at_this_very_moment_is_the_last_one() -> None:
    first = parse_iso("2025-01-01T00:00:00Z")
    now = parse_iso("2025-01-01T00:01:00Z")
    assert last_tick("* * * * *", "UTC", first=first, now=now) == now
