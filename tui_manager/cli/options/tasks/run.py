"""The options of `run`, and the task that they describe."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager.cli.options.parser import PROGRAM, one_of
from tui_manager.cli.options.script_and_stdin import (
    CONTENT_USAGE,
    add_content_options,
    with_contents,
)
from tui_manager.cli.options.tasks.rollout import ROLLOUT_USAGE, add_rollout_options
from tui_manager.cli.options.values import option_name, parse_pairs, read_value
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.step_and_task_options import (
    ALL_OPTIONS,
    needed_option,
    with_step_options,
    with_task_options,
)
from tui_manager.domain.task_spec.task_spec import (
    DELIVERY_TIMEOUT,
    OFFLINE_DEFAULT,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
)

RUN_FORM = "run TARGET [options] -- COMMAND"
SEE_RUN = f"See `{PROGRAM} run --help`."
TARGET_HELP = (
    "host names web[01-20],db1, globs 'web*', labels env=prod or role!=db, facts fact.os=debian, "
    "groups @web, @online, @offline, @maintenance, @all, or hosts of a task that has ended "
    "task:62:failed; ',' is union, '&' is intersection, a leading '!' excludes"
)
_SECRET_HELP = (
    "a variable whose value is never shown: you are asked for it at the terminal, or it is read "
    "from the file descriptor FD"
)
EXIT_CODES = (
    "exit status: 0 all completed; 1 some did not; 2 wrong usage; 3 no manager answers; "
    "4 the output cannot be written; 130 left with ctrl-c; 141 the output was closed by its reader"
)


def add_run_options(run: argparse.ArgumentParser) -> None:
    """Adds the options of `run`."""
    run.usage = (
        f"{PROGRAM} run (TARGET | --file TASK.toml [--target T])\n"
        "                       [--name N] [--description D] [--param K=V]… [--env K=V]…\n"
        "                       [--secret K[:FD]]… [--user NAME] [--cwd DIR] [--timeout S]\n"
        "                       [--memory-max B] [--tasks-max N] [--cpu-max P%%]\n"
        "                       [--offline fail|wait] [--delivery-timeout S]\n"
        "                       [--include-maintenance] [--state-dir D]\n"
        f"                       {CONTENT_USAGE}\n"
        f"{ROLLOUT_USAGE}"
        "                       [--plan | --json | --gather | --detach | --no-start]\n"
        "                       [-- COMMAND… | -- ARGUMENT…]"
    )
    run.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    run.add_argument(
        "--file",
        dest="task_file",
        metavar="TASK.toml",
        help="run the steps of a task file, or of stdin if it is -, in place of a command; other "
        "options win over those in the file",
    )
    add_target_option(run, "--file")
    add_content_options(run)
    add_task_options(run)
    add_output_options(run)
    _add_command_help(run)


def add_target_option(command: argparse.ArgumentParser, source: str) -> None:
    """Adds the option that gives the target of a task that has one already, from `source`."""
    command.add_argument(
        "--target",
        dest="other_target",
        metavar="T",
        help=f"with {source}: the target, in place of its own",
    )


def add_task_options(command: argparse.ArgumentParser, secret_help: str = _SECRET_HELP) -> None:
    """Adds the options that describe a task; `task_spec` and `with_given_options` read them. One
    that is not given is None, or an empty list.

    Args:
        secret_help: of `--secret`; argparse.SUPPRESS: the help does not show it.
    """
    add_name_options(command)
    _add_variable_options(command)
    add_secret_option(command, secret_help)
    _add_process_options(command)
    _add_limit_options(command)
    add_offline_options(command)
    add_rollout_options(command)


def add_name_options(command: argparse.ArgumentParser) -> None:
    """Adds what the task is called."""
    command.add_argument("--name", metavar="N", help="name of the task")
    command.add_argument("--description", metavar="D", help="description of the task")


def _add_variable_options(run: argparse.ArgumentParser) -> None:
    """Adds what the command gets as environment variables."""
    for option, text in (
        ("param", "a parameter: the command gets it as an environment variable; it is shown with "
         "the task"),
        ("env", "another environment variable"),
    ):  # fmt: skip
        run.add_argument(f"--{option}", metavar="K=V", action="append", default=[], help=text)


def add_secret_option(command: argparse.ArgumentParser, text: str) -> None:
    """Adds the option that gives a secret; `text` is its help."""
    command.add_argument("--secret", metavar="K[:FD]", action="append", default=[], help=text)


def _add_process_options(run: argparse.ArgumentParser) -> None:
    """Adds who runs the command, where, and for how long."""
    run.add_argument(
        "--user",
        metavar="NAME",
        help="user of the host to run as (default: the user of the agent); another user needs an "
        "agent that runs as root and a policy that allows it",
    )
    run.add_argument("--cwd", metavar="DIR", help="folder to run in (default: the user's home)")
    add_timeout_option(run, "time after which the command is killed, 1s to 7d")


def add_timeout_option(command: argparse.ArgumentParser, text: str) -> None:
    """Adds the time that it may take on a host; `text` says what ends then."""
    command.add_argument(
        "--timeout",
        metavar="S",
        help=f"{text}: {DURATION_FORMS} (default {format_duration(TIMEOUT_DEFAULT)})",
    )


def add_offline_options(run: argparse.ArgumentParser) -> None:
    """Adds what happens to hosts that are offline."""
    run.add_argument(
        "--offline",
        type=one_of(Offline),
        choices=tuple(Offline),
        metavar="|".join(Offline),
        help="for a host that is offline: fail at once, or wait until it is online (default "
        f"{OFFLINE_DEFAULT})",
    )
    run.add_argument(
        "--delivery-timeout",
        metavar="S",
        help="with --offline wait: how long a command waits until its host starts it, 1s to 30d "
        f"(default {format_duration(DELIVERY_TIMEOUT)})",
    )
    run.add_argument(
        "--include-maintenance",
        action="store_true",
        default=None,
        help="run on hosts in maintenance too, which are left out otherwise",
    )


def add_output_options(run: argparse.ArgumentParser) -> None:
    """Adds what is printed, and when."""
    run.add_argument(
        "--plan",
        action="store_true",
        help="print on which hosts and in which batches the command would run, and start nothing; "
        "with --json as JSON",
    )
    add_output_modes(run)


def add_output_modes(command: argparse.ArgumentParser) -> None:
    """Adds what a command that runs a task prints, and when."""
    mode = command.add_mutually_exclusive_group()
    for name, text in (
        (
            "json",
            "print one JSON object when the task has ended; it may be cut off if the exit "
            "status is 3, 4 or 130",
        ),
        ("gather", "print identical outputs once, when the task has ended"),
        ("detach", "print the id of the task when it has started, and return"),
        ("no-start", "create the task without starting it, print its id, and return"),
    ):
        mode.add_argument(
            f"--{name}", dest="mode", action="store_const", const=name, default="live", help=text
        )


def _add_command_help(run: argparse.ArgumentParser) -> None:
    """Adds what the help says of the words after `--`."""
    run.add_argument_group(
        "COMMAND…",
        "Shell text for /bin/sh -c, after `--`. Several words are joined with spaces, and the "
        "shell of the host reads them, as with ssh: quote the text once, e.g. "
        "-- 'echo \"$HOME\"; date'. With --script they are its arguments instead, literal.",
    )


def _add_limit_options(run: argparse.ArgumentParser) -> None:
    """Adds limits for all processes of the command together, on each host."""
    for option, form, text in (
        ("memory-max", "B", "memory, at least 1M: 512M, 2G; a command that needs more is killed"),
        ("tasks-max", "N", "processes and threads; starting one more fails in the command"),
        ("cpu-max", "P%", "CPU time, in percent of one core: 50%, 200% for two cores"),
    ):
        run.add_argument(
            f"--{option}",
            metavar=form,
            help=f"limit of {text}; a host whose agent cannot set this limit rejects the "
            "command".replace("%", "%%"),
        )


def task_spec(options: argparse.Namespace) -> TaskSpec:
    """The task that the options describe."""
    if options.target is None:
        raise InvalidInputError("target", f"TARGET is missing: {RUN_FORM}\n{SEE_RUN}")
    if not options.command_words and options.script is None:
        raise InvalidInputError(
            "command",
            f"There is no command; put it after `--`: {RUN_FORM}\n{SEE_RUN}",
        )
    words, parameters = options.command_words, parse_pairs("param", options.param)
    if options.script is None:
        command = CommandSpec(text=" ".join(words), parameters=parameters)
    else:
        command = CommandSpec(text="", arguments=tuple(words), parameters=parameters)
    command = with_contents(command, options)
    return with_given_options(TaskSpec(options.target, (command,)), options)


def with_given_options(spec: TaskSpec, options: argparse.Namespace) -> TaskSpec:
    """The task with the options that are given, in place of its own and of those of its steps."""
    values = given_options(options)
    environment = parse_pairs("env", options.env)
    steps = (
        step if step.transfer else replace(step, environment={**step.environment, **environment})
        for step in spec.commands
    )
    texts = {
        name: getattr(options, name)
        for name in ("name", "description")
        if getattr(options, name) is not None
    }
    spec = replace(spec, commands=tuple(with_step_options(one, values) for one in steps), **texts)
    spec = with_task_options(spec, values)
    for name in values:
        if needed := needed_option(name, spec):
            raise InvalidInputError(
                option_name(name), f"--{option_name(name)} needs --{option_name(needed)}."
            )
    try:
        spec.rollout.check()
    except InvalidInputError as error:
        option = option_name(error.field)
        given = f"--{option} {getattr(options, error.field)}: " if error.field in values else ""
        raise InvalidInputError(option, f"{given}{error}") from error
    return spec


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """The values of the options in the tables of task_options.py that are given. Raises
    InvalidInputError."""
    values = {}
    for name, option in ALL_OPTIONS.items():
        text = getattr(options, name)
        if text is not None:
            read = option.read
            values[name] = text if read is None else read_value(option_name(name), text, read)
    return values


def with_secrets(spec: TaskSpec, secrets: Mapping[str, str]) -> TaskSpec:
    """The same task, whose commands get these secrets too."""
    return replace(spec, commands=tuple(replace(one, secrets=secrets) for one in spec.commands))
