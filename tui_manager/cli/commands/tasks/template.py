"""`tui-manager template`: saves, lists, shows, runs, prints and deletes templates."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tui_manager.cli.commands.files.copied_files import CopiedFiles
from tui_manager.cli.commands.tasks.run import run_task_file
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.read_files import load_task_file
from tui_manager.cli.printing.list_and_show.list_tables import template_table
from tui_manager.cli.printing.list_and_show.template_details import (
    template_detail_shape,
    template_text,
)
from tui_manager.cli.printing.write_text import cleaner_for, note, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import all_templates
from tui_manager.client.read_template import read_template
from tui_manager.domain.errors import NoAnswerError, NotFoundError
from tui_manager.domain.presentation.json_fields import template_shape
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_files.template import (
    Template,
    TemplateDetail,
    TemplateVersion,
    check_template_name,
    split_version,
)
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings

_Reply = TypeVar("_Reply")


def run_template(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `template`, and returns the exit status."""
    match options.template_action:
        case "list":
            _print_list(settings, options)
        case "save":
            _save(settings, options.template, options.source)
        case "show":
            _show(settings, options.template, as_json=options.json)
        case "run":
            return _run(settings, options)
        case "export":
            _export(settings, options.template)
        case _:
            _delete(settings, options.template)
    return 0


def _print_list(settings: Settings, options: argparse.Namespace) -> None:
    templates = asyncio.run(_read_list(settings, options.text))
    if options.json:
        write_json([template_shape(template) for template in templates])
    elif templates:
        write(template_table(templates))
    elif options.text:
        note(f"No template has {options.text!r} in its name or description.")
    else:
        note(f"There is no template yet; `{PROGRAM} template save NAME FILE.toml` saves one.")


async def _read_list(settings: Settings, text: str) -> list[Template]:
    async with connect_operator(settings.state_dir) as operator:
        return await all_templates(operator, text)


def _save(settings: Settings, name: str, source: str | int) -> None:
    check_template_name(name)  # before a large file is read
    with CopiedFiles() as copied:
        if isinstance(source, int):
            version, new = asyncio.run(_send(settings, name, "", source, copied))
        else:
            text = load_task_file(source, copied.read).text
            copied.note_left_out()
            version, new = asyncio.run(_send(settings, name, text, 0, copied))
    saved = TemplateVersion(name, version)
    write(f"{saved}\n")
    if not new:
        note(f"{saved} has the same text, so no version was made")
    if isinstance(source, int):
        asyncio.run(_note_task(settings, saved, source))


async def _note_task(settings: Settings, saved: TemplateVersion, task_id: int) -> None:
    """Prints notes on what a template that was saved from a task has otherwise than expected."""
    async with connect_operator(settings.state_dir) as operator:
        task = (await operator.get_task(task_id)).task
        if "task:" in task.target:
            note(
                f"{saved} has the target of task {task_id}, {task.target}; give it another one "
                "with --target when you run it"
            )
        if task.template is None:
            return
        try:
            await operator.get_template(task.template.name, task.template.version)
        except NotFoundError:
            note(
                f"task {task_id} was made from {task.template}, which is gone: the parameters of "
                f"{saved} are texts, without patterns and help"
            )


async def _send(
    settings: Settings, name: str, text: str, task_id: int, copied: CopiedFiles
) -> tuple[int, bool]:
    """Saves it, and the files that it copies. Returns the version, and whether it is a new one."""
    async with connect_operator(settings.state_dir) as operator:
        await copied.upload(operator)
        before = await _newest(operator, name)
        try:
            version = await operator.save_template(name, text, task_id)
        except NoAnswerError as error:
            raise NoAnswerError(
                f"{error} `{PROGRAM} template list` says whether it was."
            ) from error
    return version, version != before


async def _newest(operator: Operator, name: str) -> int:
    """The newest version of a template; 0: there is none."""
    try:
        return (await operator.get_template(name)).version
    except NotFoundError:
        return 0


def _show(settings: Settings, named: str, *, as_json: bool) -> None:
    detail = get_template(settings, named)
    task_file = read_task_file(detail.text, named)
    if as_json:
        write_json(template_detail_shape(detail, task_file))
    else:
        write(template_text(detail, task_file))


def _run(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a version of a template as `run --file` runs a task file."""
    name, version = split_version(options.template)
    task_file = asyncio.run(_ask(settings, lambda operator: read_template(operator, name, version)))
    return run_task_file(settings, options, task_file)


def _export(settings: Settings, named: str) -> None:
    text = get_template(settings, named).text
    if sys.stdout.isatty():
        clean = cleaner_for(sys.stdout)
        write("".join(f"{clean(line)}\n" for line in text.splitlines()))
        return
    sys.stdout.buffer.write(text.encode())  # a task file is UTF-8, whatever the locale
    sys.stdout.buffer.flush()


def get_template(settings: Settings, named: str) -> TemplateDetail:
    """The version of a template that `NAME` or `NAME@VERSION` means."""
    name, version = split_version(named)
    return asyncio.run(_ask(settings, lambda operator: operator.get_template(name, version)))


async def _ask(settings: Settings, call: Callable[[Operator], Awaitable[_Reply]]) -> _Reply:
    async with connect_operator(settings.state_dir) as operator:
        return await call(operator)


def _delete(settings: Settings, name: str) -> None:
    check_template_name(name)
    asyncio.run(_ask(settings, lambda operator: operator.delete_template(name)))
    write(f"{name}\n")
