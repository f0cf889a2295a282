"""Cron: the five fields, what is refused, and the hours in which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.desks.atomic.language.cron import newest_slot, parse_cron, time_zone
from tidegate.model import ConfigError

BERLIN = "Europe/Berlin"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def slots(cron: str, tz: str, start: str, hours: float, step_s: int = 60) -> list[str]:
    """Every slot in UTC, found by looking once every ``step_s``."""
    rule, zone, seen = parse_cron(cron), time_zone(tz), at(start)
    found = []
    for now in range(seen, seen + int(hours * 3_600) + step_s, step_s):
        slot = newest_slot(rule, zone, seen, now)
        if slot is not None:
            found.append(datetime.fromtimestamp(slot, UTC).strftime("%d %H:%M"))
        seen = now
    return found


def test_the_fields_admit_numbers_ranges_lists_and_steps() -> None:
    cron = parse_cron("*/20 8-10 1,15 */6 1-5")
    assert cron.minutes == {0, 20, 40}
    assert cron.hours == {8, 9, 10}
    assert cron.days == {1, 15}
    assert cron.months == {1, 7}
    assert cron.weekdays == {1, 2, 3, 4, 5}
    assert parse_cron("0-30/10 0 * * 7").weekdays == {0}
    assert parse_cron("0-30/10 0 * * 7").minutes == {0, 10, 20, 30}


def test_a_day_that_fits_either_field_counts_where_both_are_written() -> None:
    both = slots("0 0 13 * 5", "UTC", "2026-11-10T12:00", 24 * 12, step_s=3_600)
    assert both == ["13 00:00", "20 00:00"]
    assert slots("0 0 15 * 5", "UTC", "2026-11-10T12:00", 24 * 8, step_s=3_600) == ["13 00:00", "15 00:00"]
    assert slots("0 0 15 * *", "UTC", "2026-11-10T12:00", 24 * 8, step_s=3_600) == ["15 00:00"]


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("60 * * * *", "60 as minute"),
        ("* 24 * * *", "24 as hour"),
        ("* * 0 * *", "0 as day of month"),
        ("* * * 13 *", "13 as month"),
        ("* * * * 8", "8 as day of week"),
        ("5-1 * * * *", "5-1 as minute"),
        ("*/0 * * * *", r"\*/0 as minute"),
        ("5/15 * * * *", "5/15 as minute"),
        ("1,,2 * * * *", "nothing as minute"),
        ("mon * * * *", "mon as minute"),
        ("* * * *", "4 fields"),
        ("0 0 30 2 *", "day 30"),
        ("0 0 31 4,6 *", "day 31"),
    ],
)
def test_what_can_not_come_or_be_read_is_refused(cron: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        parse_cron(cron)
    assert caught.value.code == "ATM002"


def test_the_thirtieth_of_february_or_any_friday_comes() -> None:
    assert parse_cron("0 0 30 2 5").weekdays == {5}


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "/etc/passwd"):
        with pytest.raises(ConfigError, match="no time zone"):
            time_zone(name)


def test_wall_clock_time_follows_the_zone() -> None:
    assert slots("0 9 * * *", BERLIN, "2026-01-15T00:00", 24) == ["15 08:00"]
    assert slots("0 9 * * *", BERLIN, "2026-07-15T00:00", 24) == ["15 07:00"]


def test_spring_a_time_that_is_skipped_means_the_first_minute_after_the_gap() -> None:
    """29 March 2026, Berlin: 02:00 to 03:00 does not exist; the gap ends at 01:00 UTC."""
    assert slots("30 2 * * *", BERLIN, "2026-03-28T12:00", 24) == ["29 01:00"]
    assert slots("30 2 * * *", BERLIN, "2026-03-28T00:00", 72) == ["28 01:30", "29 01:00", "30 00:30"]
    assert slots("0 3 * * *", BERLIN, "2026-03-28T12:00", 24) == ["29 01:00"], "03:00 itself comes once"


def test_autumn_a_time_that_comes_twice_means_the_first() -> None:
    """25 October 2026, Berlin: 02:00 to 03:00 comes twice, at 00:00 and at 01:00 UTC."""
    assert slots("30 2 * * *", BERLIN, "2026-10-24T12:00", 24) == ["25 00:30"]


def test_with_any_hour_every_minute_that_passes_counts() -> None:
    spring = slots("*/30 * * * *", BERLIN, "2026-03-29T00:10", 2)
    autumn = slots("*/30 * * * *", BERLIN, "2026-10-24T23:40", 3)
    assert spring == ["29 00:30", "29 01:00", "29 01:30", "29 02:00"]
    assert autumn == ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30"]


def test_a_half_hour_change_is_a_gap_too() -> None:
    """4 October 2026, Lord Howe: 02:00 becomes 02:30, at 15:30 UTC of the third."""
    assert slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 6) == ["03 15:30"]


def test_only_the_newest_of_many_missed_is_found() -> None:
    rule, zone = parse_cron("*/5 * * * *"), time_zone("UTC")
    until = at("2026-11-10T12:03")
    assert newest_slot(rule, zone, until - 3_600, until) == at("2026-11-10T12:00")
    assert newest_slot(rule, zone, at("2026-11-10T12:00"), until) is None


def test_a_slot_belongs_to_one_look_alone() -> None:
    """However often it is looked, over a day each slot of the day is found exactly once."""
    start = datetime(2026, 10, 25, tzinfo=UTC)
    for step_s in (7, 60, 61, 300):
        found = slots("*/10 * * * *", BERLIN, start.isoformat()[:16], 6, step_s)
        wanted = [(start + timedelta(minutes=10 * n)).strftime("%d %H:%M") for n in range(1, 37)]
        assert found == wanted
