"""Cron expressions: due times over changes of the clock, counts of them, and what is refused."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.schedules.cron_and_zone import Cron, check_will_fire, read_cron

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
# When the clocks are changed in 2026, in UTC; Lord Howe changes by half an hour.
CHANGES = {
    (BERLIN, "forward"): datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    (BERLIN, "back"): datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
    (NEW_YORK, "forward"): datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    (NEW_YORK, "back"): datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
    (LORD_HOWE, "forward"): datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    (LORD_HOWE, "back"): datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
}
MATCHING = ("*/10 * * * *", "*/10 1 * * *", "*/10 2 * * *", "5-59/20 */3 * * *",
            "30 * * 3,4,10,11 *", "*/7 1-3 * * 0", "0 30 2 * * *", "15 30 1,2 * * *")  # fmt: skip
FIXED = ("30 2 * * *", "15,45 1,2 * * *", "0 2 * * *", "5 1,2,3 * * *", "0-59 0-23 * * *",
         "10,20 2,3 1,8,29 * 0")  # fmt: skip


def dues(cron: Cron, after: datetime, until: datetime) -> Iterator[datetime]:
    due = cron.next_due(after)
    while due is not None and due <= until:
        yield due
        due = cron.next_due(due)


def shown(cron: Cron, change: datetime, around: timedelta) -> list[str]:
    """Due times around a change as the clock of the zone shows them, with their offset."""
    found = dues(cron, change - around, change + around)
    return [f"{due.astimezone(cron.zone):%H:%M %z}" for due in found]


@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
@pytest.mark.parametrize("expression", MATCHING)
def test_wildcards_are_due_whenever_the_clock_shows_a_time_that_matches(
    change: tuple[str, str], expression: str
) -> None:
    cron, at = read_cron(expression, change[0]), CHANGES[change]
    begin = at - timedelta(hours=30)
    found = list(dues(cron, begin, at + timedelta(hours=30)))
    fields = cron._fields
    second = timedelta(seconds=min(fields.seconds))
    minutes = (begin + n * MINUTE + second for n in range(1, 60 * 60 + 1))
    expected = [
        instant
        for instant in minutes
        for local in (instant.astimezone(cron.zone),)
        if local.minute in fields.minutes
        and local.hour in fields.hours
        and local.month in fields.months
        and fields.match_day(local.date())
        and instant <= at + timedelta(hours=30)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("zone", "way", "expected"),
    [
        (BERLIN, "forward", ["01:05 +0100", "03:00 +0200", "03:05 +0200"]),
        (BERLIN, "back", ["01:05 +0200", "02:05 +0200", "03:05 +0100"]),
        (NEW_YORK, "forward", ["01:05 -0500", "03:00 -0400", "03:05 -0400"]),
        (NEW_YORK, "back", ["00:05 -0400", "01:05 -0400", "02:05 -0500", "03:05 -0500"]),
        (LORD_HOWE, "forward", ["01:05 +1030", "02:30 +1100", "03:05 +1100"]),
        (LORD_HOWE, "back", ["01:05 +1100", "02:05 +1030", "03:05 +1030"]),
    ],
)
def test_a_given_time_is_due_once_and_at_the_change_if_the_clock_skips_it(
    zone: str, way: str, expected: list[str]
) -> None:
    cron = read_cron("5 0,1,2,3 * * *", zone)
    found = shown(cron, CHANGES[zone, way], timedelta(hours=2, minutes=30))
    assert [one for one in found if one in expected] == expected
    assert len({one[:5] for one in found}) == len(found)


def test_two_skipped_times_are_one_due_time() -> None:
    cron = read_cron("15,45 2 * * *", BERLIN)
    assert shown(cron, CHANGES[BERLIN, "forward"], timedelta(hours=6)) == ["03:00 +0200"]


windows = st.builds(
    lambda change, before, length: (change, CHANGES[change] - before, length),
    st.sampled_from(sorted(CHANGES)),
    st.timedeltas(timedelta(hours=-3), timedelta(hours=30)),
    st.timedeltas(timedelta(0), timedelta(hours=60)),
)


@given(st.sampled_from(MATCHING + FIXED), windows)
def test_counts_and_the_last_are_those_of_all_due_times(
    expression: str, window: tuple[tuple[str, str], datetime, timedelta]
) -> None:
    (zone, way), after, length = window
    cron, until = read_cron(expression, zone), after + length
    # All due times begin with another instant: they do not depend on where one begins to look.
    found = [due for due in dues(cron, CHANGES[zone, way] - 3 * DAY, until) if due > after]
    assert list(dues(cron, after, until)) == found
    assert cron.count_due(after, until) == len(found)
    assert cron.last_due(after, until) == (found[-1] if found else None)


@pytest.mark.parametrize(
    ("expression", "count"),
    [("* * * * *", 525_600), ("* * * * * *", 31_536_000), ("30 2 * * *", 365), ("0 0 29 2 *", 0)],
)
def test_a_year_of_due_times_is_counted_by_days(expression: str, count: int) -> None:
    after = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
    assert read_cron(expression, BERLIN).count_due(after, after + 365 * DAY) == count


def test_due_times_that_are_far_apart() -> None:
    after = datetime(2026, 3, 1, tzinfo=UTC)
    found = read_cron("*/30 23 29 2 *", NEW_YORK).next_dues(after, 3)
    assert [f"{due:%Y-%m-%d %H:%M}" for due in found] == [
        "2028-03-01 04:00", "2028-03-01 04:30", "2032-03-01 04:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("nickname", "expression"), [("@daily", "0 0 * * *"), ("@HOURLY", "0 * * * *")]
)
def test_nicknames(nickname: str, expression: str) -> None:
    assert read_cron(nickname, "UTC") == read_cron(expression, "UTC")


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 LW * */7"])
def test_an_expression_that_is_never_due_is_refused(expression: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_will_fire(read_cron(expression, BERLIN), datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.field == "cron"


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "1 2 3 4 5 6 7",
        "60 * * * *",
        "* 24 * * *",
        "*/0 * * * *",
        "@reboot",
        "x" * 201,
    ],
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_cron(expression, "UTC")
    assert refused.value.field == "cron"


@given(st.text("0123456789*/,-L#W @abcmonf\t\u0661²", max_size=30))
def test_no_text_raises_another_error(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        read_cron(text, BERLIN).next_due(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "zone",
    ["", "Mars/Phobos", "../../etc/passwd", "/etc/passwd", "Europe", "Europe/../Europe/Berlin",
     "posix/Europe/Berlin", "right/UTC", "localtime", "tzdata.zi", "europe/berlin", "A" * 300,
     "Europe/Berlin\0", "Europe\\Berlin"],
)  # fmt: skip
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_cron("@daily", zone)
    assert refused.value.field == "zone"


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires"])
def test_time_zones(zone: str) -> None:
    assert read_cron("@daily", zone).zone.key == zone
