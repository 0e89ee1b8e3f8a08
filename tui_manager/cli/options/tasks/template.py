"""The commands of `template` and their options."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json, plain, task_id
from tui_manager.cli.options.tasks.run import (
    EXIT_CODES,
    add_output_options,
    add_target_option,
    add_task_options,
)

_VERSION_HELP = "name of the template, or NAME@VERSION for an older one"


def add_template_commands(template: argparse.ArgumentParser, state: Parser) -> None:
    """`list`, `save`, `show`, `run`, `export` and `delete`."""
    commands = template.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )

    def add(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. {more}".rstrip(),
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(template_action=name)
        return command

    listed = add("list", "list the templates by name")
    listed.add_argument(
        "--text",
        metavar="TEXT",
        default="",
        help="only those with this text in name or description",
    )
    add_json(listed)
    save = add(
        "save",
        "save a task file, or a task, as the next version of a template",
        "Scripts and inputs that the file names are saved with it. Prints name and version.",
    )
    _add_save_arguments(save)
    show = add("show", "show a template with its parameters, steps and versions")
    show.add_argument("template", metavar="NAME[@VERSION]", help=_VERSION_HELP)
    add_json(show)
    run = add(
        "run",
        "run a template",
        "Asks for parameters that have no value. Prints and ends as `run` does, whose options win "
        "over what the template says.",
    )
    _add_run_options(run)
    export = add(
        "export",
        "print a template as a task file",
        "`run --file` runs it, `template save` saves it.",
    )
    export.add_argument("template", metavar="NAME[@VERSION]", help=_VERSION_HELP)
    delete = add(
        "delete",
        "delete a template with all its versions",
        "Tasks that were made from it stay. A template of the same name that is saved later goes "
        "on counting its versions.",
    )
    delete.add_argument("template", metavar="NAME", help="name of the template")


def _add_save_arguments(save: argparse.ArgumentParser) -> None:
    save.add_argument("template", metavar="NAME", help="name of the template")
    save.add_argument(
        "source",
        metavar="FILE.toml|TASK_ID",
        type=_source,
        help="a task file, `-` for stdin, or the number of a task; a file whose name is a "
        "number is ./12",
    )


def _add_run_options(run: argparse.ArgumentParser) -> None:
    run.epilog = EXIT_CODES
    run.add_argument("template", metavar="NAME[@VERSION]", help=_VERSION_HELP)
    add_target_option(run, "a template")
    add_task_options(run)
    add_output_options(run)


def _source(text: str) -> str | int:
    """The name of a file, or the number of a task."""
    word = plain(text)
    return task_id(text) if word.isascii() and word.isdigit() else text
