"""A task as one HTML page that needs nothing else: no script, no file, no network.

What hosts and operators wrote is escaped, and a policy in the page forbids what it does not need. A
large task is shown in parts, and the page says which."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration

from tui_manager import __version__
from tui_manager.domain.presentation.json_fields import timestamp
from tui_manager.domain.presentation.state_words import GLYPHS, cause_words, command_host_text
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.task_spec import HIDDEN, CommandSpec
from tui_manager.domain.tasks.task import Command, CommandHost, Counts, TaskDetail
from tui_manager.domain.tasks.task_map import FailureGroup
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.export.html_groups import COMPARED_ROWS, GroupedOutput
from tui_manager.export.html_text import ColouredText, block, text, time
from tui_manager.export.html_timeline import HOSTS_MAX, Timeline, duration_text
from tui_manager.export.read_output import OutputReader, output_reader
from tui_manager.export.read_task import pages
from tui_manager.operator.api import Operator

ROWS_MAX = 2_000  # command hosts in the table
_TEXT_MAX = 20_000  # characters of a command
_STYLE = Path(__file__).with_name("page.css")
_STATUSES = tuple(status.value for status in CommandHostStatus)


@dataclass(slots=True)
class _Times:
    """How long the command hosts of a step took, in seconds."""

    all: list[float] = field(default_factory=list)
    longest: float = -1.0
    slowest: str = ""

    def add(self, row: CommandHost) -> None:
        if row.started_at is None or row.finished_at is None:
            return
        took = max(0.0, (row.finished_at - row.started_at).total_seconds())
        self.all.append(took)
        if took > self.longest:
            self.longest, self.slowest = took, row.host

    def cells(self) -> Sequence[str]:
        """The fastest, the median, of 95 per cent, the slowest with its host."""
        if not self.all:
            return ("", "", "", "")
        ordered = sorted(self.all)
        places = (0, len(ordered) // 2, min(len(ordered) - 1, len(ordered) * 95 // 100))
        texts = [_took(ordered[place]) for place in places]
        return (*texts, f"{_took(ordered[-1])} {text(self.slowest)}")


@dataclass(slots=True)
class _Facts:
    """What the page shows of the command hosts."""

    timeline: Timeline | None
    groups: GroupedOutput
    times: list[_Times]
    rows: list[CommandHost] = field(default_factory=list)
    count: int = 0

    async def add(self, page: Sequence[CommandHost]) -> None:
        for row in page:
            self.times[row.command].add(row)
            if self.timeline:
                self.timeline.add(row)
        self.rows += page[: ROWS_MAX - len(self.rows)]
        self.count += len(page)
        await self.groups.add(page)


async def html_page(operator: Operator, detail: TaskDetail, now: datetime) -> AsyncIterator[str]:
    """The pieces of the page. What it holds is bounded, and so it is made in memory."""
    colours = ColouredText()
    async with output_reader(operator, detail) as reader:
        body = [piece async for piece in _body(operator, reader, detail, now, colours)]
    style = _STYLE.read_text(encoding="utf-8") + colours.rules()
    yield _head(detail, style)
    for piece in body:
        yield piece
    yield f"<footer>Made {time(timestamp(now))} by tui-manager {__version__}.</footer>\n"
    yield "</body>\n</html>\n"


def _head(detail: TaskDetail, style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    task = detail.task
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>#{task.task_id} {text(task.name)}: {task.state}</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n"
    )


async def _body(
    operator: Operator,
    reader: OutputReader,
    detail: TaskDetail,
    now: datetime,
    colours: ColouredText,
) -> AsyncIterator[str]:
    task = detail.task
    titles = [command.spec.title for command in detail.commands]
    facts = _Facts(
        Timeline(task.started_at, now, titles) if task.started_at else None,
        GroupedOutput(reader),
        [_Times() for _ in titles],
    )
    # Rows that move while they are read could be missed.
    order = "" if task.status.ended else "host"
    async for page in pages(operator, task.task_id, sort=order):
        await facts.add(page)
    yield _title(detail, now)
    yield "<main>\n"
    yield _counts(task.counts)
    if task.counts.faults or task.counts.canceled:
        yield _failures(await operator.summarize_failures(task.task_id))
    yield _steps(detail, facts.times)
    if facts.timeline and facts.count:
        yield _section("Timeline", _timeline_note(facts.timeline) + facts.timeline.html())
    if facts.count:
        yield '<section id="output"><h2>Output</h2>'
        yield _groups_note(facts.groups)
        async for piece in facts.groups.html(titles, colours):
            yield piece
        yield "</section>\n"
        yield _section("Hosts", _host_table(detail, facts))
    yield "</main>\n"


def _section(name: str, inside: str) -> str:
    return f'<section id="{name.lower()}"><h2>{name}</h2>{inside}</section>\n'


def _title(detail: TaskDetail, now: datetime) -> str:
    task = detail.task
    facts = {
        "Target": text(task.target),
        "Hosts": f"{task.host_count:,}",
        "Left out": text(fold_names(detail.left_out)),
        "By": text(task.created_by),
        "Created": time(timestamp(task.created_at)),
        "Started": time(timestamp(task.started_at)) if task.started_at else "",
        "Ended": time(timestamp(task.finished_at)) if task.finished_at else "",
        "As of": "" if task.status.ended else time(timestamp(now)),
        "Took": duration_text(task.finished_at - task.started_at)
        if task.finished_at and task.started_at
        else "",
        "Template": text(str(task.template or "")),
        "Repeats": f"#{task.rerun_of}" if task.rerun_of else "",
        "Rollout": text("; ".join(detail.rollout.texts)),
        "About": text(task.description),
    }
    lines = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items() if value
    )
    return (
        f"<header><h1>{_state(task.state)} <small>#{task.task_id}</small> {text(task.name)}</h1>\n"
        f"<dl>{lines}</dl></header>\n"
    )


def _state(state: str, words: str = "") -> str:
    """A glyph in its colour, and its words for those who do not see it."""
    name = state.replace(" ", "-")
    shown = f" {words}" if words else f'<span class="hidden">{state}</span>'
    return f'<span class="{name}">{GLYPHS[state]}{shown}</span>'


def _counts(counts: Counts) -> str:
    numbers = counts.as_dict()
    there = [status for status in _STATUSES if numbers[status]]
    if not there:
        return ""
    left, bars = 0, []
    for status in there:
        width = max(4, round(1000 * numbers[status] / counts.total))
        bars.append(f'<rect class="{status}" x="{left}" y="0" width="{width}" height="10"/>')
        left += width
    legend = "".join(
        f"<li>{_state(status, f'<b>{numbers[status]:,}</b> {status}')}</li>" for status in there
    )
    return (
        f'<svg class="counts" viewBox="0 0 {left} 10" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(bars)}</svg><ul class="legend">{legend}</ul>\n'
    )


def _failures(groups: Sequence[FailureGroup]) -> str:
    lines = "".join(
        f"<li>{_state(group.status, text(cause_words(group)))}: {count_of(group.hosts, 'host')} "
        f'<span class="names">{text(group.names)}{",…" * (group.hosts > group.named)}</span>'
        f"{_label(group)}</li>"
        for group in groups
    )
    return _section("Failures", f"<ul>{lines}</ul>") if lines else ""


def _label(group: FailureGroup) -> str:
    return f", all in {text(group.label.text)}" if group.label else ""


def _steps(detail: TaskDetail, times: Sequence[_Times]) -> str:
    lines = "".join(
        f'<tr><td class="n">{command.index + 1}</td><td>{_what(command.spec)}</td>'
        f"<td>{_state(command.status, command.status)}</td><td>{_by_status(command)}</td>"
        f"{_cells(times[command.index].cells())}</tr>"
        for command in detail.commands
    )
    names = ("", "Step", "State", "Hosts", "Fastest", "Median", "95 %", "Slowest")
    return _section("Steps", _table(names, lines))


def _by_status(command: Command) -> str:
    numbers = command.counts.as_dict()
    return " ".join(
        f'<span class="{status}" title="{status}">{numbers[status]:,}&nbsp;{GLYPHS[status]}</span>'
        for status in _STATUSES
        if numbers[status]
    )


def _what(spec: CommandSpec) -> str:
    name = f"<b>{text(spec.name)}</b> " if spec.name.strip() else ""
    shown = spec.text.strip() or spec.title
    cut = f"{shown[:_TEXT_MAX]}…" if len(shown) > _TEXT_MAX else shown
    variables = {**spec.parameters, **spec.environment, **dict.fromkeys(spec.secrets, HIDDEN)}
    options = [
        *([spec.kind] if spec.kind != "run" else []),
        *([f"sha256 {spec.script.sha256}"] if spec.script else []),
        *(f"argument {argument}" for argument in spec.arguments),
        f"timeout {format_duration(spec.timeout)}",
        *spec.option_texts,
        *(f"{key}={value}" for key, value in variables.items()),
    ]
    return (
        f'{name}<pre class="command">{block(cut)}</pre>'
        f'<span class="options">{" · ".join(map(text, options))}</span>'
    )


def _timeline_note(timeline: Timeline) -> str:
    if timeline.hosts <= HOSTS_MAX:
        return ""
    return _note(
        f"{HOSTS_MAX} of {timeline.hosts:,} hosts: those on which something went wrong, then those "
        "that took longest."
    )


def _groups_note(groups: GroupedOutput) -> str:
    if not groups.left_out:
        return ""
    return _note(
        f"The output of {groups.left_out:,} command hosts is not here, because the task has more "
        f"than {COMPARED_ROWS:,}, or has printed too much."
    )


def _host_table(detail: TaskDetail, facts: _Facts) -> str:
    several = len(detail.commands) > 1
    batches = any(row.batch for row in facts.rows)
    names = [
        *("Host", *(["Step"] if several else []), *(["Batch"] if batches else []), "State"),
        *("Began", "Took", "Printed"),
    ]
    lines = "".join(_row(row, detail, several=several, batches=batches) for row in facts.rows)
    more = facts.count - len(facts.rows)
    note = ""
    if more > 0:
        note = _note(
            f"{len(facts.rows):,} of {facts.count:,} command hosts, those with faults first. "
            f"tui-manager export {detail.task.task_id} --format csv has all."
        )
    return note + _table(names, lines)


def _row(row: CommandHost, detail: TaskDetail, *, several: bool, batches: bool) -> str:
    began, begin = row.started_at, detail.task.started_at
    after = duration_text(began - begin) if began and begin else ""
    took = (row.finished_at - began).total_seconds() if row.finished_at and began else None
    cells = [
        *([text(detail.commands[row.command].spec.title)] if several else []),
        *([f"{row.batch}"] if batches else []),
        _state("canceling" if row.canceling else row.status, text(command_host_text(row))),
        after,
        "" if took is None else _took(took),
        size(row.stdout_bytes + row.stderr_bytes),
    ]
    return f'<tr><th scope="row">{text(row.host)}</th>{_cells(cells)}</tr>'


def _cells(values: Iterable[str]) -> str:
    return "".join(f"<td>{value}</td>" for value in values)


def _table(names: Iterable[str], lines: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _note(words: str) -> str:
    return f'<p class="note">{words}</p>'


def _took(seconds: float) -> str:
    return duration_text(timedelta(seconds=max(0.0, seconds)))
