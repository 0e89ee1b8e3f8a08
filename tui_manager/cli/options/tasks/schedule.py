"""The commands of `schedule` and their options. What the options describe is put together in
`schedule_spec.py`."""

import argparse

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager.cli.options.parser import PROGRAM, Parser, add_json, one_of, row_limit
from tui_manager.cli.options.script_and_stdin import CONTENT_USAGE, add_content_options
from tui_manager.cli.options.tasks.run import TARGET_HELP, add_target_option, add_task_options
from tui_manager.cli.options.values import option_name
from tui_manager.domain.schedules.schedule import MISFIRE_DEFAULT, Overlap

RUNS_SHOWN = 20
_TASK_USAGE = (
    "                       (--template T[@VERSION] [--param K=V]… [--target T] |\n"
    "                        --file TASK.toml [--param K=V]… [--target T] |\n"
    "                        TARGET [options of run])\n"
)


def add_schedule_commands(schedule: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `schedule`, each with its options."""
    commands = schedule.add_subparsers(
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
        command.set_defaults(schedule_action=name)
        return command

    _add_description(
        add("add", "make a schedule: a task that starts by the clock", "Prints its name."),
        new=True,
    )
    add_json(add("list", "list the schedules, each with its next due time"))
    show = _named(add("show", "show a schedule, its next due times and what became of the last"))
    show.add_argument(
        "--limit",
        metavar="N",
        type=row_limit,
        default=RUNS_SHOWN,
        help="print only the newest N due times (default %(default)s)",
    )
    add_json(show)
    _add_description(
        add("edit", "change a schedule; what is not given stays", "Its history stays too."),
        new=False,
    )
    _named(add("pause", "start no task of a schedule until it is resumed"))
    _named(add("resume", "end the pause of a schedule"))
    run = _named(add("run", "start the task of a schedule now, and print the id of the task"))
    run.add_argument(
        "--follow",
        action="store_true",
        help="print the output of the task as `task follow` does, until the task ends",
    )
    _named(add("delete", "delete a schedule with its history; its tasks stay"))


def _named(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("schedule", metavar="NAME", help="the schedule's name")
    return command


def _add_description(command: argparse.ArgumentParser, *, new: bool) -> None:
    """Adds what describes a schedule: when it is due, and its task."""
    when = "--cron EXPR --zone ZONE" if new else "[--cron EXPR] [--zone ZONE]"
    command.usage = (
        f"{PROGRAM} schedule {'add' if new else 'edit'}{_TASK_USAGE}"
        f"                       {when} [--overlap skip|wait] [--misfire S]\n"
        f"                       {CONTENT_USAGE}\n"
        "                       [--state-dir D] [-- COMMAND… | -- ARGUMENT…]"
    )
    _named(command)
    command.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    _add_times(command.add_argument_group("when it is due"), new=new)
    _add_sources(command.add_argument_group("the task"))
    add_target_option(command, "--template or --file")
    add_content_options(command)
    add_task_options(command, secret_help=argparse.SUPPRESS)  # is refused, with a reason


def given_task_options(options: argparse.Namespace) -> list[str]:
    """The options of the task that were given, but for parameters: `timeout`."""
    tasks = Parser(add_help=False)
    add_task_options(tasks)
    names = vars(tasks.parse_args([]))
    return [option_name(name) for name in names if name != "param" and getattr(options, name)]


def _add_times(group: argparse._ArgumentGroup, *, new: bool) -> None:
    group.add_argument(
        "--cron",
        metavar="EXPR",
        required=new,
        help="minute, hour, day, month and weekday, such as '30 2 * * 1-5', or @daily",
    )
    group.add_argument(
        "--zone", metavar="ZONE", required=new, help="its time zone, such as Europe/Berlin or UTC"
    )
    group.add_argument(
        "--overlap",
        type=one_of(Overlap),
        choices=tuple(Overlap),
        metavar="|".join(Overlap),
        help="if the task of an earlier due time has not ended: skip this one, or wait for the end "
        f"(default {Overlap.SKIP})",
    )
    group.add_argument(
        "--misfire",
        metavar="S",
        help="skip a due time that is missed by more, because the manager was stopped: "
        f"{DURATION_FORMS} (default {format_duration(MISFIRE_DEFAULT)})",
    )


def _add_sources(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--template",
        dest="of_template",
        metavar="T[@VERSION]",
        help="a template; without a version the newest when it is due",
    )
    group.add_argument(
        "--file",
        dest="task_file",
        metavar="TASK.toml",
        help="a task file; the manager stores what is in it now, with its scripts",
    )
