"""The head of the screen of a task: name, facts, state, progress, and what it waits for. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tui_manager.domain.status import CommandHostStatus, TaskStatus
from tui_manager.domain.tasks.task import RolloutProgress, Task, TaskDetail
from tui_manager.domain.tasks.task_map import TaskMap
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.domain.text.number_format import (
    age,
    count_of,
    day_and_time,
    number,
    running_time,
    size,
)
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap
from tui_manager.ui.drawing.bars import progress_bar
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, justify, shorten, spans, width_of
from tui_manager.ui.drawing.state_words_and_colours import (
    OFFLINE,
    command_glyph,
    task_glyph,
    task_state,
)
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.tasks.lists.all_tasks_table import author, elapsed, remaining

_BAR_MOST = 56  # cells
_NAME_LEAST = 8  # cells of a name
_GAP = "   "
_ROUND_UP = timedelta(microseconds=999_999)
HostCounts = Mapping[CommandHostStatus, int]
_ORDER = (
    CommandHostStatus.COMPLETED,
    CommandHostStatus.FAILED,
    CommandHostStatus.TIMEOUT,
    CommandHostStatus.SKIPPED,
    CommandHostStatus.CANCELED,
    CommandHostStatus.RUNNING,
    CommandHostStatus.PENDING,
)


def task_head(
    detail: TaskDetail,
    now: datetime,
    width: int,
    hosts: HostCounts | None = None,
    percent: int | None = None,
) -> tuple[Spans, ...]:
    """The name with state and facts, in one line if there is room for both; then how far it is.

    Args:
        hosts: how many hosts stand how; None: as the commands stand, if it is one command.
        percent: of the work of its running commands that is done; None: they do not say.
    """
    hosts = hosts or host_counts(detail)
    return (*_title_and_facts(detail, now, width), _progress(detail, hosts, percent, width))


def host_counts(detail: TaskDetail) -> HostCounts | None:
    """How many hosts of a task of one command stand how; None for several commands, whose counts
    are not those of hosts."""
    if len(detail.commands) > 1:
        return None
    numbers = detail.task.counts.as_dict()
    return {status: numbers[status] for status in _ORDER if numbers[status]}


def _title_and_facts(detail: TaskDetail, now: datetime, width: int) -> tuple[Spans, ...]:
    task = detail.task
    begin = (Span(f"#{task.task_id} ", Role.MUTED),)
    state = _state(task, now)
    name = Span(safe_line(task.name), Role.STRONG)
    facts = _GAP.join(_facts(detail, now))
    whole = (*begin, name, Span(_GAP + facts, Role.MUTED))
    if width_of((*whole, *state)) < width:
        return (justify(whole, state, width),)
    room = max(_NAME_LEAST, width - width_of((*begin, *state)) - 1)
    title = justify((*begin, Span(shorten(name.text, room), name.role)), state, width)
    if width_of((*begin, *state)) + _NAME_LEAST >= width:
        title = fit((*begin, *state, Span(" "), name), width)
    return (title, spans(shorten(facts, width), Role.MUTED))


def _facts(detail: TaskDetail, now: datetime) -> list[str]:
    """Target, author and start; where it comes from; the values of its parameters."""
    task = detail.task
    by = f"by {author(task, by_schedule='schedule ')}"
    start = f" {clock_text(task.started_at, now)}" if task.started_at else ""
    facts = [f"{safe_line(task.target)} {by}{start}"]
    if task.template:
        facts.append(f"template {safe_line(str(task.template))}")
    if task.rerun_of:
        facts.append(f"re-run of #{task.rerun_of}")
    if detail.reruns:
        facts.append(f"run again as {', '.join(f'#{number}' for number in detail.reruns)}")
    if detail.left_out:
        facts.append(f"left out: {safe_line(fold_names(detail.left_out))}")
    values = {
        name: value for step in detail.commands for name, value in step.spec.parameters.items()
    }
    if values:
        facts.append(" ".join(f"{name}={safe_line(value)}" for name, value in values.items()))
    return facts


def clock_text(moment: datetime, now: datetime) -> str:
    """The time of a day here: `23:04:58`, `24 Nov 23:04` on another day, `24 Nov 2025`."""
    there = moment.astimezone(now.tzinfo)
    if there.date() == now.date():
        return f"{there:%H:%M:%S}"
    day = f"{there.day} {there:%b}"
    return f"{day} {there:%H:%M}" if there.year == now.year else f"{day} {there.year}"


def _state(task: Task, now: datetime) -> Spans:
    """`▶ 0:15, about 0:30 left`."""
    return (task_glyph(task), Span(f" {_state_words(task, now)}", _state_role(task)))


def _state_role(task: Task) -> Role:
    if task.canceling or task.waits:
        return Role.CAUTION
    return Role.FAULT if task.status is TaskStatus.FAILED else Role.STRONG


def _state_words(task: Task, now: datetime) -> str:
    state = task_state(task)
    passed, left = elapsed(task, now), remaining(task, now)
    if passed is None:
        return f"{state}, not started"
    if task.status is not TaskStatus.RUNNING:
        return f"{state} after {running_time(passed)}"
    if task.canceling and task.cancel_requested_at is not None:
        return f"canceling for {running_time(now - task.cancel_requested_at)}"
    about = f", about {running_time(left)} left" if left else ""
    return f"{state} {running_time(passed)}{about}"


def _progress(
    detail: TaskDetail, hosts: HostCounts | None, percent: int | None, width: int
) -> Spans:
    """`███▓▓▓░░░  2✔ 2✘ 4▶ 6◌ of 14 hosts   running 61%   batch 2 of 3   budget 2 of 3 used`."""
    task = detail.task
    if task.started_at is None:
        return spans("Its target is looked up when it starts.", Role.MUTED)
    ended = task.status.ended
    shown = None if ended or not task.counts.running else percent
    announced = (Span(f"{_GAP}running {shown}%", Role.ACTIVE),) if shown is not None else ()
    for cells, short in ((width // 3, False), (width // 6, False), (width // 6, True), (0, True)):
        bar = progress_bar(task.counts, min(_BAR_MOST, cells), ended=ended, percent=shown)
        transferred = _transferred(detail, shown) if not short else ""
        rollout = (
            *announced,
            *spans(f"{_GAP}{transferred}" if transferred else ""),
            *_rollout(task.rollout, ended=ended, short=short),
        )
        room = width - width_of((*bar, *rollout)) - 2
        counts = _host_counts(hosts or {}, task.host_count, room)
        if width_of(counts) <= room:
            break
    return (*bar, Span("  "), *counts, *rollout)


def _transferred(detail: TaskDetail, percent: int | None) -> str:
    """How much of its files a task has brought to all hosts: `412 MB of 952 MB`. Empty for a task
    of several steps, or one whose files are not known before they are found.

    Args:
        percent: of the bytes of the hosts that are under way.
    """
    files, counts = detail.commands[0].spec.stored_files, detail.task.counts
    if len(detail.commands) > 1 or files is None or not files.bytes:
        return ""
    done = counts.completed + counts.running * (percent or 0) / 100
    return f"{size(done * files.bytes)} of {size(counts.total * files.bytes)}"


def _host_counts(hosts: HostCounts, total: int, width: int) -> Spans:
    """Counts by glyph, in larger units without room."""
    shown = [(command_glyph(status), hosts[status]) for status in _ORDER if hosts.get(status)]
    end = count_of(total, "host")
    for digits in (99, 4, 3):
        counts = tuple(
            Span(f"{_short(amount, digits)}{glyph.text} ", glyph.role) for glyph, amount in shown
        )
        for words in (f"of {end}" if counts else end, ""):
            line = (*counts, Span(words))
            if width_of(line) <= width:
                return line
    return counts


def _short(amount: int, digits: int) -> str:
    return f"{amount:,}" if digits > 4 else number(amount, digits)


def _rollout(rollout: RolloutProgress | None, *, ended: bool, short: bool) -> Spans:
    """`   batch 2 of 3   budget 2 of 3 used   5 at a barrier`; if `short`, `   batch 2/3`."""
    if rollout is None:
        return ()
    of, used, parts = ("/", "", []) if short else (" of ", " used", list[Span]())
    if rollout.batches > 1:
        parts.append(Span(f"{_GAP}batch {rollout.batch:,}{of}{rollout.batches:,}"))
    if rollout.max_failures is not None:
        text = f"{_GAP}budget {rollout.hosts_failed:,}{of}{rollout.max_failures:,}{used}"
        spent = rollout.hosts_failed > rollout.max_failures
        role = Role.FAULT if spent else Role.CAUTION if rollout.hosts_failed else Role.PLAIN
        parts.append(Span(text, role))
    if rollout.hosts_at_barrier and not ended:
        at_barrier = f"{_GAP}{rollout.hosts_at_barrier:,} at a barrier"
        parts.append(Span(at_barrier, Role.CAUTION))
    return tuple(parts)


def waiting_lines(
    task: Task,
    now: datetime,
    hosts: HostCounts | None,
    grace: timedelta | None,
    keys: KeyMap = DEFAULT_KEYS,
) -> tuple[Spans, ...]:
    """What a task waits for: a cancel that is not proven, a hold, a pause. No line for none.

    Args:
        grace: from SIGTERM to SIGKILL; None: not known.
    """
    if task.canceling and task.cancel_requested_at is not None:
        return (_canceling(task, task.cancel_requested_at, now, hosts or {}, grace),)
    if not task.waits:
        return ()
    held = f"on hold after batch {task.hold.batch:,}" if task.hold else ""
    if task.paused:
        text = f"paused and {held}" if held else "paused: nothing more is sent"
    else:
        text = held
        if task.hold is not None and task.hold.expires_at is not None:
            text += f": the rest is skipped in {age(task.hold.expires_at - now)}"
    goes_on = " ends pause and hold, " if task.paused and held else " goes on, "
    pause, cancel = key_of("pause_task", keys), key_of("cancel_task", keys)
    does = (Span(f"   {pause}", Role.STRONG), Span(goes_on), Span(cancel, Role.STRONG))
    return ((task_glyph(task), Span(f" {text}", Role.CAUTION), *does, Span(" cancels")),)


def away_lines(task: Task, task_map: TaskMap, now: datetime) -> tuple[Spans, ...]:
    """Hosts that are offline and are waited for, and until when; no line for none, or while that
    wait stands still."""
    until, hosts = task_map.away_until, task_map.hosts_away
    if not hosts or until is None or task.waits or task.canceling or task.status.ended:
        return ()
    if hosts > 1:
        text = f"{hosts:,} hosts wait for their connections, the first until"
    elif task.host_count > 1:
        text = "1 host waits for its connection, until"
    else:
        text = "waiting for its connection, until"
    return ((OFFLINE, Span(f" {text} {day_and_time(until, now)}", Role.CAUTION)),)


def _canceling(
    task: Task, asked_at: datetime, now: datetime, hosts: HostCounts, grace: timedelta | None
) -> Spans:
    running = hosts.get(CommandHostStatus.RUNNING, 0) + hosts.get(CommandHostStatus.PENDING, 0)
    who = count_of(running, "host") if running else "some hosts"
    left = asked_at + grace - now if grace is not None else None
    if left is not None and left > timedelta(0):
        runs = "runs" if running == 1 else "run"
        text = f"{who} still {runs}, SIGKILL in {running_time(left + _ROUND_UP)}"
    else:
        has = "has" if running == 1 else "have"
        text = f"{who} {has} not proven yet that all processes are gone"
    return (task_glyph(task), Span(f" canceling: {text}", Role.CAUTION))
