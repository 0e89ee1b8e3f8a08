"""Asks a manager for the names that an argument can have. It waits only a short time for the
answer, because somebody has pressed tab and waits too. To import this takes half of that time, so
only what asks does it."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.cli.completion.argument_kinds import Candidates, Kind
from tui_manager.cli.completion.time_limit import time_limit
from tui_manager.client.connection import connect_operator
from tui_manager.client.state_folder import find_state_dir
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.filter_language import quote
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
from tui_manager.domain.status import Admission, TaskStatus
from tui_manager.domain.targets.target_completion import last_term
from tui_manager.domain.targets.target_notation import TASK_PREFIX
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_files.template import split_version
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.tasks.command_history import HISTORY_LIMIT
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.find_manager import find_manager

_NEWEST = 100  # tasks and tokens that are offered
_TASKS = {
    Kind.TASK: (),
    Kind.PENDING_TASK: (TaskStatus.PENDING,),
    Kind.OPEN_TASK: (TaskStatus.PENDING, TaskStatus.RUNNING),
    Kind.RUNNING_TASK: (TaskStatus.RUNNING,),
    Kind.ENDED_TASK: (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED),
}
_HOSTS: Mapping[Kind, Callable[[Host], bool]] = {
    Kind.HOST: lambda host: True,
    Kind.PENDING_HOST: lambda host: host.admission is Admission.PENDING,
    Kind.ADMITTED_HOST: lambda host: host.admission is Admission.ADMITTED,
    Kind.OFFLINE_HOST: lambda host: not host.online,
}


def ask(
    given: argparse.Namespace, question: Callable[[Operator], Awaitable[Candidates]]
) -> Candidates:
    """The answer of the manager that the settings name; nothing if none answers in time, or if it
    refuses the question."""

    async def answer() -> Candidates:
        state_dir = _state_dir(given)
        async with asyncio.timeout(time_limit()):
            await find_manager(state_dir)
        from tui_manager.operator.socket.client import client  # noqa: F401  before the time begins

        async with asyncio.timeout(time_limit()), connect_operator(state_dir) as operator:
            return await question(operator)

    try:
        return asyncio.run(answer())
    except (ManagerError, TimeoutError, OSError):
        return {}


def _state_dir(given: argparse.Namespace) -> Path:
    """The state folder. The words are as they are typed: the shell has not expanded variables."""
    typed = getattr(given, "state_dir", None)
    return find_state_dir(os.path.expandvars(typed) if typed else None)


async def find(
    operator: Operator, kind: Kind, prefix: str, given: argparse.Namespace
) -> Candidates:
    """What begins with `prefix`; more may be in the answer.

    Args:
        given: the other arguments, as far as they are typed.
    """
    if kind in _TASKS:
        return await _tasks(operator, prefix, _TASKS[kind])
    if kind in _HOSTS:
        return await _hosts(operator, prefix, _HOSTS[kind])
    if kind in _OF_OTHER_ARGUMENTS:
        return await _OF_OTHER_ARGUMENTS[kind](operator, prefix, given)
    return await _OTHERS[kind](operator, prefix)


async def next_words(operator: Operator, words: Sequence[str], prefix: str) -> Candidates:
    """The next word in commands that were run before and begin with these words, which are joined
    with spaces as `run` does; the newest first."""
    begin = " ".join([*words, prefix])
    at = len(begin) - len(prefix)
    found: dict[str, str] = {}
    for past in await operator.list_command_history(begin, HISTORY_LIMIT):
        if past.text.startswith(begin):
            end = past.text.find(" ", len(begin))
            found.setdefault(past.text[at:end] if end >= 0 else past.text[at:], "")
    found.pop("", None)
    return found


async def _targets(operator: Operator, typed: str) -> Candidates:
    """Targets whose last term is one of those that can be offered. The only key of a label stands
    for its values."""
    before, term = last_term(typed)
    if not term and before and before[-1] not in ",&! ":  # in a range of names
        return {}
    if term.startswith(TASK_PREFIX):
        found = await _task_targets(operator, term)
    else:
        found = dict.fromkeys(await operator.complete_target(typed, LIMIT_MAX), "")
        if not term:
            page = await operator.list_hosts(Window(limit=LIMIT_MAX))
            admitted = (host for host in page.rows if host.admission is Admission.ADMITTED)
            found |= dict.fromkeys((host.name for host in admitted), "")
        elif await _is_whole(operator, before, term):
            found = {term: "", **found}
        if len(found) == 1 and (only := next(iter(found))) != term and only.endswith(("=", ".")):
            return await _targets(operator, before + only)
    found = {before + one: text for one, text in found.items()}
    return _cut(found, typed) if len(found) >= LIMIT_MAX else found


async def _is_whole(operator: Operator, before: str, term: str) -> bool:
    """Whether a term is already what one host, group or label has. The manager offers only what can
    follow, and a shell must not add that to a name which is complete."""
    if "=" in term:
        stem = term[: term.index("=") + 1]
    elif term.startswith("@"):
        stem = "@"
    else:
        page = await operator.list_hosts(Window(text=f"name={quote(term)}", limit=LIMIT_MAX))
        return any(host.admission is Admission.ADMITTED for host in page.rows)
    return term != stem and term in await operator.complete_target(before + stem, LIMIT_MAX)


async def _task_targets(operator: Operator, term: str) -> Candidates:
    """`task:62:`, and when the task is typed `task:62:failed`."""
    task, colon, _ = term.removeprefix(TASK_PREFIX).partition(":")
    if colon:
        return {f"{TASK_PREFIX}{task}:{one}": "" for one in HostClass}
    found = await _tasks(operator, task, _TASKS[Kind.ENDED_TASK])
    return {f"{TASK_PREFIX}{number}:": text for number, text in found.items()}


async def _hosts(operator: Operator, prefix: str, fits: Callable[[Host], bool]) -> Candidates:
    text = f"name={prefix}*" if is_name(prefix) else quote(prefix)
    page = await operator.list_hosts(Window(text=text, limit=LIMIT_MAX))
    found = {host.name: "" for host in page.rows if fits(host)}
    return _cut(found, prefix) if page.matching > len(page.rows) else found


def _cut(found: Candidates, prefix: str) -> Candidates:
    """Adds what was typed to a list that is too long, so that a shell adds nothing to it that only
    the first names have in common."""
    return {prefix or "…": f"and more than {len(found):,} others", **found}


async def _tasks(operator: Operator, prefix: str, statuses: tuple[TaskStatus, ...]) -> Candidates:
    """The newest tasks by number, with name and status."""
    text = f"id={prefix}*" if prefix.isascii() and prefix.isdigit() else ""
    page = await operator.list_tasks(Window(text=text, limit=_NEWEST), TaskFilter(statuses))
    return {str(task.task_id): f"{task.status}: {task.name}" for task in page.rows}


async def _labels(operator: Operator, prefix: str) -> Candidates:
    """`role=`, and when the key is typed `role=web`."""
    found = await operator.complete_target(prefix, LIMIT_MAX)
    return dict.fromkeys((one for one in found if "=" in one and "!=" not in one), "")


async def _label_keys(operator: Operator, prefix: str) -> Candidates:
    return dict.fromkeys((one.rstrip("=") for one in await _labels(operator, prefix)), "")


async def _templates(operator: Operator, prefix: str) -> Candidates:
    """Templates by name, and when the name is typed with `@` the versions."""
    name, at, _ = prefix.partition("@")
    if at:
        detail = await operator.get_template(name)
        return {f"{name}@{one.version}": f"saved by {one.saved_by}" for one in detail.versions}
    page = await operator.list_templates(Window(text=quote(prefix), limit=LIMIT_MAX))
    return {template.name: template.description for template in page.rows}


async def _parameters(operator: Operator, prefix: str, given: argparse.Namespace) -> Candidates:
    """`VERSION=`, and when the name is typed the values that a choice allows."""
    name, equals, _ = prefix.partition("=")
    described = {one.name: one for one in await _of_template(operator, given) if not one.secret}
    if not equals:
        return {f"{one.name}=": one.help for one in described.values()}
    if name not in described:
        return {}
    parameter = described[name]
    boolean = parameter.type is ParameterType.BOOLEAN
    values = ("true", "false") if boolean else parameter.choices
    return {f"{name}={value}": "" for value in values}


async def _secrets(operator: Operator, prefix: str, given: argparse.Namespace) -> Candidates:
    """Names of the secrets of the template or the task that is typed."""
    task_id = str(getattr(given, "task_id", None) or "")
    if task_id.isascii() and task_id.isdigit():
        detail = await operator.get_task(int(task_id))
        return {name: "" for command in detail.commands for name in command.spec.secrets}
    return {one.name: one.help for one in await _of_template(operator, given) if one.secret}


async def _of_template(operator: Operator, given: argparse.Namespace) -> tuple[Parameter, ...]:
    """The parameters of the template that is typed."""
    named = getattr(given, "template", None) or getattr(given, "of_template", None)
    if not named:
        return ()
    detail = await operator.get_template(*split_version(named))
    return read_task_file(detail.text, named).parameters


async def _schedules(operator: Operator, prefix: str) -> Candidates:
    page = await operator.list_schedules(Window(text=quote(prefix), limit=LIMIT_MAX))
    specs = (schedule.spec for schedule in page.rows)
    return {spec.name: f"{spec.cron} {spec.zone}" for spec in specs}


async def _tokens(operator: Operator, prefix: str) -> Candidates:
    """The join tokens with which hosts can still enrol, by number."""
    page = await operator.list_tokens(Window(limit=_NEWEST))
    return {
        str(one.token_id): f"{one.uses - one.used} of {one.uses} left, by {one.created_by}"
        for one in page.rows
    }


async def _receivers(operator: Operator, prefix: str) -> Candidates:
    return {one.name: f"{one.kind} {one.place}" for one in await operator.list_receivers()}


_OTHERS: Mapping[Kind, Callable[[Operator, str], Awaitable[Candidates]]] = {
    Kind.TARGET: _targets,
    Kind.LABEL: _labels,
    Kind.LABEL_KEY: _label_keys,
    Kind.TEMPLATE: _templates,
    Kind.SCHEDULE: _schedules,
    Kind.TOKEN: _tokens,
    Kind.RECEIVER: _receivers,
}
_OF_OTHER_ARGUMENTS: Mapping[
    Kind, Callable[[Operator, str, argparse.Namespace], Awaitable[Candidates]]
] = {Kind.PARAMETER: _parameters, Kind.SECRET: _secrets}
