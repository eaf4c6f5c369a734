"""Hours of rules: reading them, and whether they hold at a moment by the clock on the wall of their zone."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.policy.language import DAYS, Hours
from bridge.policy.reading import TableReader

_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\Z")
_DAY_MINUTES = 24 * 60

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def zone_problem(name: str) -> str | None:
    """Why ``name`` is no time zone, or None."""
    try:
        if not _ZONE_NAME.fullmatch(name):  # what else a file name may be is no zone, and can be long enough to hurt
            raise ZoneInfoNotFoundError(name)
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name!r} (a name of the IANA database, such as Europe/Paris)"
    return None


def read_hours(table: TableReader, default_zone: str) -> tuple[Hours, ...] | None:
    """The key ``hours`` of a rule: a table, or an array of tables of which one must hold."""
    if "hours" not in table.values:
        table.asked.add("hours")
        return None
    if isinstance(table.values["hours"], dict):
        reader = table.table("hours")
        readers: tuple[TableReader, ...] = () if reader is None else (reader,)
    else:
        readers = table.tables("hours")
        for reader in readers:
            reader.name = f"{table.name}.{reader.name}"
        if table.values["hours"] == []:
            table.problem("hours", "is empty; leave it out to set no restriction")
    return tuple(_stretch(reader, default_zone) for reader in readers)


def _stretch(table: TableReader, default_zone: str) -> Hours:
    zone = table.string("zone")
    problem = None if zone is None else zone_problem(zone)
    if problem:
        table.problem("zone", problem)
        zone = None
    begin = _minute(table, "from", 0)
    end = _minute(table, "to", _DAY_MINUTES)
    if begin in {end, _DAY_MINUTES}:
        table.problem("from", "begins where it ends; leave from and to out for whole days")
    hours = Hours(days=_days(table), begin=begin, end=end, zone=zone or default_zone)
    table.finish()
    return hours


def _minute(table: TableReader, key: str, default: int) -> int:
    text = table.string(key)
    if text is None:
        return default
    match = _TIME.match(text)
    minute = int(match[1]) * 60 + int(match[2]) if match else _DAY_MINUTES + 1
    if minute > _DAY_MINUTES:
        table.problem(key, f"{text!r} is not a time of day from 00:00 to 24:00")
        return default
    return minute


def _days(table: TableReader) -> frozenset[int]:
    everyday = frozenset(range(7))
    value = table.values.get("days")
    if value is None:
        table.asked.add("days")
        return everyday
    if isinstance(value, list):
        parts = tuple(part for _, part in table.strings("days") or ())
    else:
        text = table.string("days")
        parts = () if text is None else tuple(part.strip() for part in text.split(","))
    days: set[int] = set()
    for part in parts:
        found = _day_range(part)
        if found is None:
            table.problem("days", f"{part!r} is neither a day nor a range of days (such as mon-fri, or sat,sun)")
        else:
            days |= found
    return frozenset(days) or everyday


def _day_range(text: str) -> set[int] | None:
    first, dash, last = text.casefold().partition("-")
    last = last if dash else first
    if first not in DAYS or last not in DAYS:
        return None
    begin, end = DAYS.index(first), DAYS.index(last)
    return {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def holds(hours: Hours, at: float) -> bool:
    """Whether ``at`` (POSIX seconds) falls into ``hours``, to the minute.

    The clock on the wall decides: an hour that a change of clocks repeats counts twice, one that it skips not at all.
    """
    local = datetime.fromtimestamp(at, UTC).astimezone(_zone(hours.zone))
    minute = local.hour * 60 + local.minute
    day = local.weekday()
    if hours.begin < hours.end:
        return day in hours.days and hours.begin <= minute < hours.end
    return (day in hours.days and minute >= hours.begin) or ((day - 1) % 7 in hours.days and minute < hours.end)
