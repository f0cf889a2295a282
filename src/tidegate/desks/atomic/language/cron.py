"""Five cron fields in a time zone: which minutes they mean, and the newest of them in a span of time.

Fields are minute, hour, day of month, month, day of week (0 or 7 is Sunday). A field is ``*``, a number,
a range ``1-5``, a list ``1,15``, or a range or ``*`` with a step ``*/15``. Where both days are written, a
day that fits either counts.

Clocks that change: with ``*`` hours every minute that passes counts. With hours that are written, a time
that a change skips means the first minute after the gap, and one that comes twice means the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tidegate.model import ConfigError

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_PART = re.compile(r"(\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_MINUTE_S = 60
_HOURS_AROUND_A_CHANGE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Cron:
    """The numbers that each field admits. ``any_day`` and ``any_weekday`` say that a field is ``*``."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    any_day: bool
    any_weekday: bool

    def admits(self, local: datetime) -> bool:
        """Say whether a wall clock's minute is one of those meant."""
        return (
            local.minute in self.minutes
            and local.hour in self.hours
            and local.month in self.months
            and self._admits_day(local)
        )

    def _admits_day(self, local: datetime) -> bool:
        by_date = local.day in self.days
        by_weekday = local.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday


def parse_cron(text: str) -> Cron:
    """Return the minutes that ``text`` means.

    Raises
    ------
    ConfigError
        ATM002 if a field can not be read, is out of its range, or no date ever fits.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise _wrong(text, f"{len(fields)} fields", "five fields: minute, hour, day, month, day of week")
    minutes, hours, days, months, weekdays = (
        _numbers(field, *known) for field, known in zip(fields, _FIELDS, strict=True)
    )
    any_day, any_weekday = fields[2] == "*", fields[4] == "*"
    longest = max(_LONGEST_MONTHS.get(month, 31) for month in months)
    if any_weekday and min(days) > longest:
        raise _wrong(text, f"day {min(days)} of months that end on the {longest}th", "a date that comes")
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        any_hour=fields[1] == "*",
        any_day=any_day,
        any_weekday=any_weekday,
    )


def time_zone(name: str) -> ZoneInfo:
    """Return the zone called ``name`` in the tz database.

    Raises
    ------
    ConfigError
        ATM002 if this machine knows none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"there is no time zone {name}",
            code="ATM002",
            found=name,
            allowed="a name of the tz database, such as UTC or Europe/Berlin",
            fix="write UTC, or the zone's name",
        ) from error


def newest_slot(cron: Cron, zone: ZoneInfo, after_s: int, until_s: int) -> int | None:
    """Return the newest minute that is meant in ``(after_s, until_s]``, in Unix seconds; None if none is."""
    slot = until_s - until_s % _MINUTE_S
    while slot > after_s:
        if _is_meant(cron, zone, slot):
            return slot
        slot -= _MINUTE_S
    return None


def _is_meant(cron: Cron, zone: ZoneInfo, at_s: int) -> bool:
    local = datetime.fromtimestamp(at_s, UTC).astimezone(zone)
    if cron.any_hour:
        return cron.admits(local)
    if cron.admits(local) and local.fold == 0:
        return True
    return _skipped_before(cron, zone, local)


def _skipped_before(cron: Cron, zone: ZoneInfo, local: datetime) -> bool:
    """Say whether ``local`` is the first minute after a gap that holds a minute that is meant."""
    before = (local.astimezone(UTC) - timedelta(minutes=1)).astimezone(zone)
    gap = (local.replace(tzinfo=None) - before.replace(tzinfo=None)) - timedelta(minutes=1)
    if not timedelta(0) < gap <= _HOURS_AROUND_A_CHANGE:
        return False
    skipped = (before + timedelta(minutes=minute + 1) for minute in range(int(gap.total_seconds()) // 60))
    return any(cron.admits(minute) for minute in skipped)


def _numbers(field: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _wrong(field, f"{part or 'nothing'} as {name}", "*, 5, 1-5, 1,15 or */15")
        first = low if match[1] == "*" else int(match[2])
        last = high if match[1] == "*" else int(match[3] or match[2])
        if match[4] and match[1] != "*" and match[3] is None:
            raise _wrong(
                field, f"{part} as {name}", f"a step over a range, such as {first}-{high}/{match[4]}"
            )
        step = int(match[4] or 1)
        if not low <= first <= last <= high or step < 1:
            raise _wrong(field, f"{part} as {name}", f"{low} to {high}, low before high, a step above 0")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _wrong(text: str, found: str, allowed: str) -> ConfigError:
    return ConfigError(
        f"{text} is no time to run at",
        code="ATM002",
        found=found,
        allowed=allowed,
        fix="write five fields, such as 0 */6 * * * for every six hours",
    )
