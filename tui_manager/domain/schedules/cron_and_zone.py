"""Cron expressions: which they are, when they are due in a time zone, and how often within a time.

The library cronsim knows the fields. Daylight saving is that of Debian's cron. If hour and minute
are given (neither begins with `*`), a job runs once at each of its times: a time that the change
skips is due as soon as the clock goes on, and a time that comes twice is due the first time. All
other expressions, and those with seconds, are due whenever the clock of the zone shows a time that
matches: twice in an hour that is repeated, and not at all in an hour that is skipped.
"""

import bisect
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from tui_manager.domain.errors import InvalidInputError

CRON_LENGTH = 200  # characters
PREVIEW_MAX = 20  # due times that one call looks ahead
_SHOWN = 80  # characters of a wrong value in an error
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9][A-Za-z0-9_+-]{0,31}){0,2}")
_NO_ZONES = ("posix/", "right/", "localtime", "posixrules")  # files beside those of IANA's list
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_FIELDS = 'five fields, "minute hour day month weekday", as in "30 2 * * 1-5"'


@dataclass(frozen=True)
class Cron:
    """A cron expression in a time zone; made by `read_cron`. All instants are in UTC."""

    expression: str
    zone: ZoneInfo

    def next_due(self, after: datetime) -> datetime | None:
        """The first due time after an instant; None: there is none within 50 years."""
        try:
            found = self._next_fixed(after) if self._is_fixed else self._next_matching(after)
        except StopIteration:
            return None
        return found.astimezone(UTC)

    def next_dues(self, after: datetime, count: int) -> list[datetime]:
        """The first `count` due times after an instant; fewer if there are no more."""
        found: list[datetime] = []
        while len(found) < count:
            due = self.next_due(found[-1] if found else after)
            if due is None:
                break
            found.append(due)
        return found

    def last_due(self, after: datetime, until: datetime) -> datetime | None:
        """The last due time after an instant and not after another; None: there is none. It halves
        the time again and again, so that many due times cost no more than a few."""
        last = None
        while until - after >= _SECOND:
            middle = after + (until - after) / 2
            due = self.next_due(middle)
            if due is None or due > until:
                until = middle
            else:
                last = after = due
        due = self.next_due(after)
        return due if due is not None and due <= until else last

    def count_due(self, after: datetime, until: datetime) -> int:
        """How many due times there are after an instant and not after another. A day on which the
        clock is not changed costs one step, however many due times it has."""
        count, end = 0, until.astimezone(UTC).replace(microsecond=0)
        at = after.astimezone(UTC).replace(microsecond=0)
        while at < end:
            local = at.astimezone(self.zone)
            midnight = datetime.combine(local.date() + _DAY, datetime.min.time(), self.zone)
            # The last second of the day, so that the next step begins with midnight.
            step = min(end, max(midnight.astimezone(UTC) - _SECOND, at + _SECOND))
            changes = self._offset(step) != self._offset(at)
            if changes and not self._is_fixed:
                step = self._change_between(at, step)
                before, first = self._offset(at), self._offset(step)
                count += self._count_evenly(at, step - _SECOND, before)
                count += self._count_evenly(step - _SECOND, step, first)
            elif changes or (self._is_fixed and local.fold):
                count += self._count_one_by_one(at, step)
            else:
                count += self._count_evenly(at, step, self._offset(at))
            at = step
        return count

    @cached_property
    def _fields(self) -> CronSim:
        return CronSim(self.expression, datetime(2000, 1, 1))  # noqa: DTZ001, the clock of a zone

    @cached_property
    def _is_fixed(self) -> bool:
        """Whether it has the rules of Debian's cron for jobs with an hour and a minute."""
        fields = self.expression.split()
        return len(fields) == 5 and not (fields[0].startswith("*") or fields[1].startswith("*"))

    def _next_fixed(self, after: datetime) -> datetime:
        found = CronSim(self.expression, after.astimezone(self.zone))
        # In the hour that comes a second time, cronsim looks on from the first.
        return next(due for due in found if due.astimezone(UTC) > after)

    def _next_matching(self, after: datetime) -> datetime:
        """cronsim goes by whole hours, and so passes over due times where a zone changes by half an
        hour. Therefore it counts without a zone here, from one change of the clock to the next."""
        at, offset = after.astimezone(UTC), self._offset(after)
        while True:
            naive = next(CronSim(self.expression, (at + offset).replace(tzinfo=None)))
            due = naive.replace(tzinfo=UTC) - offset
            near = min(due, at + 2 * _DAY)
            if self._offset(near) != offset:
                change = self._change_between(at, near)
                at, offset = change - _SECOND, self._offset(change)
            elif near == due:
                return due
            else:  # nothing is due before that day
                at = due - _DAY
                offset = self._offset(at)

    def _offset(self, instant: datetime) -> timedelta:
        offset = instant.astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset

    def _change_between(self, before: datetime, after: datetime) -> datetime:
        """The first second with the offset that is valid at `after`."""
        before, after = before.replace(microsecond=0), after.replace(microsecond=0)
        offset = self._offset(before)
        while after - before > _SECOND:
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _count_one_by_one(self, after: datetime, until: datetime) -> int:
        count, due = 0, self.next_due(after)
        while due is not None and due <= until:
            count, due = count + 1, self.next_due(due)
        return count

    def _count_evenly(self, after: datetime, until: datetime, offset: timedelta) -> int:
        """Between two instants, at most a day apart, between which the zone has one offset."""
        begin, end = after + offset, until + offset
        count = self._of_day(end.date(), _second(end)) - self._of_day(begin.date(), _second(begin))
        if begin.date() != end.date():
            count += self._of_day(begin.date(), 86_399)
        return count

    def _of_day(self, day: date, until: int) -> int:
        """Due times of a day up to one of its seconds."""
        if day.month not in self._fields.months or not self._fields.match_day(day):
            return 0
        hours, minutes, seconds = self._times
        hour, minute, second = until // 3600, until // 60 % 60, until % 60
        count = bisect.bisect_left(hours, hour) * len(minutes) * len(seconds)
        if hour in hours:
            count += bisect.bisect_left(minutes, minute) * len(seconds)
            if minute in minutes:
                count += bisect.bisect_right(seconds, second)
        return count

    @cached_property
    def _times(self) -> tuple[list[int], list[int], list[int]]:
        fields = self._fields
        return sorted(fields.hours), sorted(fields.minutes), sorted(fields.seconds)


def _second(instant: datetime) -> int:
    return instant.hour * 3600 + instant.minute * 60 + instant.second


@lru_cache(maxsize=1024)
def read_cron(expression: str, zone: str) -> Cron:
    """The schedule of a cron expression: five fields, six with the second first, or a nickname such
    as `@daily`.

    Raises:
        InvalidInputError("cron"): it cannot be read.
        InvalidInputError("zone"): there is no such time zone.
    """
    text = " ".join(expression.split())
    if not text:
        raise InvalidInputError("cron", f"The cron expression is empty; give {_FIELDS}.")
    if len(text) > CRON_LENGTH:
        raise InvalidInputError(
            "cron",
            f"A cron expression has at most {CRON_LENGTH} characters; this one has {len(text)}.",
        )
    known = _NICKNAMES.get(text.lower(), text)
    if known.startswith("@"):
        raise InvalidInputError(
            "cron",
            f"{text[:_SHOWN]!r} is not known; give {_FIELDS}, or one of {', '.join(_NICKNAMES)}.",
        )
    try:
        CronSim(known, datetime(2000, 1, 1))  # noqa: DTZ001, only the fields are read
    except CronSimError as error:
        wrong = str(error).removeprefix("Bad ")
        what = f"give {_FIELDS}" if wrong.startswith("Wrong") else f"its {wrong} is wrong"
        if "day-of-month" in wrong:  # cronsim says so of 31 June too
            what += ", or none of its months has that day"
        raise InvalidInputError("cron", f"{text!r} is no cron expression: {what}.") from None
    return Cron(known, _read_zone(zone))


def check_will_fire(cron: Cron, after: datetime) -> None:
    """Raises InvalidInputError("cron") if it is not due within 50 years."""
    if cron.next_due(after) is None:
        raise InvalidInputError(
            "cron",
            f"{cron.expression!r} is never due: no day has this date and weekday. Give another "
            "one.",
        )


def _read_zone(name: str) -> ZoneInfo:
    wrong = InvalidInputError(
        "zone",
        f"There is no time zone {name[:_SHOWN]!r}; take a name of the IANA list, such as "
        "Europe/Berlin or UTC, written in the same way.",
    )
    if not _ZONE.fullmatch(name) or name.startswith(_NO_ZONES):
        raise wrong
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # a name of a folder, or of another file
        raise wrong from None
