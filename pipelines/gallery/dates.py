"""Dates as people type them, as spans of time: a day, a month, a year, today, yesterday, and from one to another."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

Span = tuple[float | None, float | None]  # seconds since 1970: from, and before

DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
SIGNED = re.compile(r"(>=|<=|>|<)(.+)")
BACK = {"today": 0, "yesterday": 1}  # days


def span_of(said: str, today: datetime, offset: int) -> Span | None:
    """The span that is meant, None for what is no date. `today`: midnight there; `offset`: seconds east of Greenwich."""
    named = _named(said.lower(), today)
    if named is None:
        return None
    begin, end = named
    return begin and begin.timestamp() - offset, end and end.timestamp() - offset


def _named(said: str, today: datetime) -> tuple[datetime | None, datetime | None] | None:
    first, dots, last = said.partition("..")
    if dots:
        return _between(first, last, today)
    sign = SIGNED.fullmatch(said)
    period = _period(sign[2] if sign else said, today)
    if not sign or period is None:
        return period
    begin, end = period
    return {">=": (begin, None), "<=": (None, end), ">": (end, None), "<": (None, begin)}[sign[1]]


def _between(first: str, last: str, today: datetime) -> tuple[datetime | None, datetime | None] | None:
    begin, end = (_period(each, today) if each else None for each in (first, last))
    if not (first or last) or (first and begin is None) or (last and end is None):
        return None
    return begin[0] if begin else None, end[1] if end else None


def _period(said: str, today: datetime) -> tuple[datetime, datetime] | None:
    """A day, a month or a year: from, and before."""
    try:
        if said in BACK:
            begin = today - timedelta(days=BACK[said])
            return begin, begin + timedelta(days=1)
        found = DATE.fullmatch(said)
        return _from(found[1], found[2], found[3]) if found else None
    except (ValueError, OverflowError):
        return None


def _from(year: str, month: str | None, day: str | None) -> tuple[datetime, datetime]:
    begin = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    if day:
        return begin, begin + timedelta(days=1)
    if month:
        return begin, (begin + timedelta(days=31)).replace(day=1)
    return begin, begin.replace(year=begin.year + 1)
