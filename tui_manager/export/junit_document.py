"""A task as a JUnit report, for CI: a suite for each step, a test for each host.

There is no standard of the format. What is written here is what Jenkins, GitLab and the usual
parsers read. The counts stand before what they count, so each suite is kept in a temporary file
until it is complete."""

import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.presentation.json_fields import timestamp
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import Command, CommandHost, TaskDetail
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line, safe_text
from tui_manager.export.read_output import OutputReader, output_reader
from tui_manager.export.read_task import PrintedText, TextPart, pages, with_tails
from tui_manager.operator.api import Operator

TAIL = 64 << 10  # bytes of a stream of a host; the end says why something failed
OUTPUT_MAX = 64 << 20  # bytes of all of them; what comes later is left out
_IN_MEMORY = 4 << 20  # bytes of a suite; a longer one is on disk
_PIECE = 1 << 16  # characters
_Spool = tempfile.SpooledTemporaryFile[str]
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The command itself has failed. With any other reason it could not run, or nobody knows its end.
_FAILURES = (
    Reason.EXIT_CODE,
    Reason.SIGNAL,
    Reason.TIMEOUT,
    Reason.TRANSFER_FAILED,
    Reason.UPDATE_FAILED,
)


@dataclass(slots=True)
class _Totals:
    """What a suite, or all of them, have counted."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, other: "_Totals") -> None:
        self.tests += other.tests
        self.failures += other.failures
        self.errors += other.errors
        self.skipped += other.skipped
        self.seconds += other.seconds

    def __str__(self) -> str:
        return (
            f'tests="{self.tests}" failures="{self.failures}" errors="{self.errors}" '
            f'skipped="{self.skipped}" time="{self.seconds:.3f}"'
        )


class _Room:
    """How much output the report may still have."""

    def __init__(self) -> None:
        self._left = OUTPUT_MAX

    @property
    def limit(self) -> int:
        """Of the next stream."""
        return max(0, min(TAIL, self._left))

    def take(self, part: TextPart) -> None:
        self._left -= len(part.text.encode(errors="replace"))


async def junit_document(
    operator: Operator, detail: TaskDetail, now: datetime
) -> AsyncIterator[str]:
    """The pieces of the document. `now` is not in it."""
    task = detail.task
    with _spool() as suites:
        totals = await _write_suites(operator, detail, suites)
        name = _attribute(f"task {task.task_id}: {task.name}")
        yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={name} {totals}>\n'
        for piece in _read(suites):
            yield piece
        yield "</testsuites>\n"


async def _write_suites(operator: Operator, detail: TaskDetail, suites: _Spool) -> _Totals:
    """Writes all suites, and returns what they count together.

    Raises:
        StorageError: the temporary folder cannot be written.
    """
    totals, room = _Totals(), _Room()
    try:
        async with output_reader(operator, detail) as reader:
            for command in detail.commands:
                with _spool() as tests:
                    rows = pages(operator, detail.task.task_id, command.index)
                    found = await _write_tests(
                        reader, rows, _suite_name(detail, command), tests, room
                    )
                    suites.write(f"  <testsuite {_suite_attributes(detail, command, found)}>\n")
                    suites.write(_properties(detail))
                    for piece in _read(tests):
                        suites.write(piece)
                    suites.write("  </testsuite>\n")
                totals.add(found)
    except OSError as error:
        folder = tempfile.gettempdir()
        raise StorageError(
            f"The folder {folder} for temporary files cannot be written: {error.strerror}."
        ) from error
    return totals


def _spool() -> _Spool:
    return _Spool(_IN_MEMORY, "w+", encoding="utf-8", newline="")


def _read(spool: _Spool) -> Iterator[str]:
    spool.seek(0)
    while piece := spool.read(_PIECE):
        yield piece


async def _write_tests(
    reader: OutputReader,
    rows: AsyncIterator[Sequence[CommandHost]],
    suite: str,
    file: _Spool,
    room: _Room,
) -> _Totals:
    totals = _Totals()
    async for page in rows:
        async for printed in with_tails(reader, page, room.limit):
            file.write(_test(printed, suite, totals))
            room.take(printed.stdout)
            room.take(printed.stderr)
    return totals


def _suite_name(detail: TaskDetail, command: Command) -> str:
    several = len(detail.commands) > 1
    return _attribute(detail.task.name + (f".{command.spec.title}" if several else ""))


def _suite_attributes(detail: TaskDetail, command: Command, totals: _Totals) -> str:
    started = timestamp(detail.task.started_at)
    began = f" timestamp={_attribute(started)}" if started else ""
    return f'name={_attribute(command.spec.title)} id="{command.index}" {totals}{began}'


def _properties(detail: TaskDetail) -> str:
    task = detail.task
    values = {
        "task_id": str(task.task_id),
        "status": task.status,
        "target": task.target,
        "created_by": task.created_by,
        "template": str(task.template or ""),
    }
    lines = [
        f"      <property name={_attribute(name)} value={_attribute(value)}/>\n"
        for name, value in values.items()
        if value
    ]
    return f"    <properties>\n{''.join(lines)}    </properties>\n"


def _test(printed: PrintedText, suite: str, totals: _Totals) -> str:
    row = printed.row
    seconds = _duration(row).total_seconds()
    totals.tests += 1
    totals.seconds += seconds
    inside = (
        _end(row, totals),
        _output("system-out", printed.stdout),
        _output("system-err", printed.stderr),
    )
    return (
        f"    <testcase name={_attribute(row.host)} classname={suite} "
        f'time="{seconds:.3f}">{"".join(inside)}</testcase>\n'
    )


def _duration(row: CommandHost) -> timedelta:
    if row.started_at is None or row.finished_at is None:
        return timedelta()
    return max(timedelta(), row.finished_at - row.started_at)


def _end(row: CommandHost, totals: _Totals) -> str:
    """What went wrong. A command that was canceled or has not ended is an error, so that no report
    is all good before all is."""
    if row.status is CommandHostStatus.COMPLETED:
        return ""
    words = _attribute(command_host_text(row))
    if row.status is CommandHostStatus.SKIPPED:
        totals.skipped += 1
        return f"<skipped message={words}/>"
    kind = _attribute(row.reason or row.status)
    if row.reason in _FAILURES:
        totals.failures += 1
        return f"<failure type={kind} message={words}/>"
    totals.errors += 1
    return f"<error type={kind} message={words}/>"


def _output(element: str, part: TextPart) -> str:
    if not part.text and not part.left_out:
        return ""
    left_out = f"[{count_of(part.left_out, 'byte')} left out here]\n" if part.left_out else ""
    return f"<{element}>{escape(_legal(left_out + safe_text(part.text)))}</{element}>"


def _attribute(text: str) -> str:
    return quoteattr(_legal(safe_line(text)))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
