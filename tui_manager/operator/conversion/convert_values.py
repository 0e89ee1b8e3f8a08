"""Values that many messages have, windows, pages and changes, between the wire and the domain. What
a peer of another version sends and this one does not know raises InvalidInputError."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tui_manager_protos.v1 import agent_pb2 as agent
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Stream

_Word = TypeVar("_Word", bound=StrEnum)
_Number = TypeVar("_Number", bound=int)
_Row = TypeVar("_Row")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400  # seconds
_SECOND = 1_000_000_000  # nanoseconds

STREAMS = {Stream.STDOUT: agent.STREAM_STDOUT, Stream.STDERR: agent.STREAM_STDERR}


def word(table: Mapping[_Word, _Number], number: int) -> _Word:
    """The domain's value for a number of an enum; InvalidInputError if there is none."""
    for found, known in table.items():
        if known == number:
            return found
    name = type(next(iter(table))).__name__.lower()
    raise InvalidInputError(name, f"There is no {name} with the number {number}.")


def word_reader(table: Mapping[_Word, _Number]) -> Callable[[int], _Word]:
    """`word` for a field of messages that come by thousands: it does not search the table."""
    words = {int(number): found for found, number in table.items()}

    def read(number: int) -> _Word:
        found = words.get(number)
        return word(table, number) if found is None else found

    return read


def timestamp(at: datetime | None) -> Timestamp | None:
    """None becomes an absent field."""
    if at is None:
        return None
    message = Timestamp()
    set_timestamp(message, at)
    return message


def set_timestamp(message: Timestamp, at: datetime) -> None:
    """Sets a field of a message that is sent by thousands. A message that is an argument of its
    constructor would be copied, and `FromDatetime` takes ten times as long as this."""
    since = at - _EPOCH
    message.seconds = since.days * _DAY + since.seconds
    message.nanos = since.microseconds * 1000


def duration(length: timedelta | None) -> Duration | None:
    """None becomes an absent field."""
    if length is None:
        return None
    message = Duration()
    message.FromTimedelta(length)
    return message


def set_duration(message: Duration, length: timedelta) -> None:
    """Sets a field of a message that is sent by thousands; see `set_timestamp`."""
    if length.days < 0:  # seconds and nanoseconds have the same sign
        message.FromTimedelta(length)
        return
    message.seconds = length.days * _DAY + length.seconds
    message.nanos = length.microseconds * 1000


def length(message: Duration, field: str) -> timedelta:
    """Raises InvalidInputError, naming the field, for a value that no timedelta holds."""
    try:
        return message.ToTimedelta()
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(
            field, f"{field}: {message.seconds} seconds are out of bounds."
        ) from error


def instant(message: Timestamp) -> datetime:
    """In UTC. As `ToDatetime`, in a tenth of the time.

    Raises:
        OverflowError, ValueError: no datetime holds it.
    """
    nanos = message.nanos
    if not 0 <= nanos < _SECOND:
        raise ValueError(f"{nanos} nanoseconds are out of bounds")
    return _EPOCH + timedelta(0, message.seconds, nanos // 1000)


def moment(message: Timestamp, field: str) -> datetime:
    """In UTC. Raises InvalidInputError, naming the field, for a value that no datetime holds."""
    try:
        return instant(message)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(field, f"{field}: this time is out of bounds.") from error


def window_to_wire(window: Window) -> wire.Window:
    return wire.Window(
        text=window.text,
        sort=window.sort,
        descending=window.descending,
        faults_only=window.faults_only,
        offset=window.offset,
        limit=window.limit,
        hide_turned_away=window.hide_turned_away,
    )


def window_from_wire(message: wire.Window) -> Window:
    return Window(
        text=message.text,
        sort=message.sort,
        descending=message.descending,
        faults_only=message.faults_only,
        offset=message.offset,
        limit=min(message.limit, LIMIT_MAX) if message.HasField("limit") else Window().limit,
        hide_turned_away=message.hide_turned_away,
    )


def size_to_wire(page: Page[_Row]) -> wire.PageSize:
    return wire.PageSize(
        matching=page.matching, total=page.total, partial=page.partial, hidden=page.hidden
    )


def page_from_wire(rows: Iterable[_Row], size: wire.PageSize) -> Page[_Row]:
    return Page(tuple(rows), size.matching, size.total, size.partial, size.hidden)


def changes_to_wire(changes: Changes) -> wire.Changes:
    return wire.Changes(
        hosts=changes.hosts,
        tasks=changes.tasks,
        output=changes.output,
        all_tasks=changes.all_tasks,
        templates=changes.templates,
        schedules=changes.schedules,
        manager=changes.manager,
    )


def changes_from_wire(message: wire.Changes) -> Changes:
    return Changes(
        hosts=message.hosts,
        tasks=frozenset(message.tasks),
        output=frozenset(message.output),
        all_tasks=message.all_tasks,
        templates=message.templates,
        schedules=message.schedules,
        manager=message.manager,
    )
