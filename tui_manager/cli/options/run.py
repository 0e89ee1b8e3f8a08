"""The options of `run`, and the task that they describe."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.rollout import ROLLOUT_USAGE, add_rollout_options, rollout_spec
from tui_manager.cli.options.values import (
    parse_pairs,
    read_count,
    read_duration,
    read_percent,
    read_size,
)
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.resource_limits import ResourceLimits
from tui_manager.domain.task_spec import (
    DELIVERY_TIMEOUT,
    OFFLINE_DEFAULT,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
)

RUN_FORM = "run TARGET [options] -- COMMAND"
TARGET_HELP = (
    "host names web[01-20],db1, globs 'web*', labels env=prod or role!=db, facts fact.os=debian, "
    "groups @web, @online, @offline, @maintenance, @all, or hosts of a task that has ended "
    "task:62:failed; ',' is union, '&' is intersection, a leading '!' excludes"
)
EXIT_CODES = (
    "exit status: 0 all completed; 1 some did not; 2 wrong usage; 3 no manager answers; "
    "4 the output cannot be written; 130 left with ctrl-c; 141 the output was closed by its reader"
)


def add_run_options(run: argparse.ArgumentParser) -> None:
    """Adds the options of `run`."""
    run.usage = (
        f"{PROGRAM} run TARGET [--name N] [--description D] [--param K=V]… [--env K=V]…\n"
        "                       [--secret K[:FD]]… [--user NAME] [--cwd DIR] [--timeout S]\n"
        "                       [--memory-max B] [--tasks-max N] [--cpu-max P%%]\n"
        "                       [--offline fail|wait] [--delivery-timeout S]\n"
        "                       [--include-maintenance] [--state-dir D]\n"
        f"{ROLLOUT_USAGE}"
        "                       [--plan | --json | --gather | --detach | --no-start]\n"
        "                       -- COMMAND…"
    )
    run.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    add_task_options(run)
    _add_output_options(run)
    _add_command_help(run)


def add_task_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that describe a task; `task_spec` reads them."""
    command.add_argument("--name", metavar="N", default="", help="name of the task")
    command.add_argument("--description", metavar="D", default="", help="description of the task")
    _add_variable_options(command)
    _add_process_options(command)
    _add_limit_options(command)
    _add_offline_options(command)
    add_rollout_options(command)


def _add_variable_options(run: argparse.ArgumentParser) -> None:
    """Adds what the command gets as environment variables."""
    for option, text in (
        ("param", "a parameter: the command gets it as an environment variable; it is shown with "
         "the task"),
        ("env", "another environment variable"),
    ):  # fmt: skip
        run.add_argument(f"--{option}", metavar="K=V", action="append", default=[], help=text)
    add_secret_option(
        run,
        "a variable whose value is never shown: you are asked for it at the terminal, or it is "
        "read from the file descriptor FD",
    )


def add_secret_option(command: argparse.ArgumentParser, text: str) -> None:
    """Adds the option that gives a secret; `text` is its help."""
    command.add_argument("--secret", metavar="K[:FD]", action="append", default=[], help=text)


def _add_process_options(run: argparse.ArgumentParser) -> None:
    """Adds who runs the command, where, and for how long."""
    run.add_argument(
        "--user",
        metavar="NAME",
        type=_user,
        help="user of the host to run as (default: the user of the agent); another user needs an "
        "agent that runs as root and a policy that allows it",
    )
    run.add_argument(
        "--cwd", metavar="DIR", default="", help="folder to run in (default: the user's home)"
    )
    run.add_argument(
        "--timeout",
        metavar="S",
        default=format_duration(TIMEOUT_DEFAULT),
        help=f"time after which the command is killed, 1s to 7d: {DURATION_FORMS} "
        "(default %(default)s)",
    )


def _add_offline_options(run: argparse.ArgumentParser) -> None:
    """Adds what happens to hosts that are offline."""
    run.add_argument(
        "--offline",
        type=Offline,
        choices=tuple(Offline),
        metavar="|".join(Offline),
        default=OFFLINE_DEFAULT,
        help="for a host that is offline: fail at once, or wait until it is online (default "
        "%(default)s)",
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
        help="run on hosts in maintenance too, which are left out otherwise",
    )


def _add_output_options(run: argparse.ArgumentParser) -> None:
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
        ("json", "print one JSON object when the task has ended"),
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
        "-- 'echo \"$HOME\"; date'.",
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


def _user(text: str) -> str:
    """Refuses an empty name: an unset variable of a script must not select the agent's user, who
    may be root."""
    if not text:
        raise argparse.ArgumentTypeError(
            "the name is empty; leave --user out to run as the user of the agent"
        )
    return text


def task_spec(options: argparse.Namespace) -> TaskSpec:
    """The task that the options describe."""
    if not options.command_words:
        raise InvalidInputError(
            "command",
            f"There is no command; put it after `--`: {RUN_FORM}\nSee `{PROGRAM} run --help`.",
        )
    if options.plan and options.mode not in ("live", "json"):
        raise InvalidInputError("plan", f"--plan starts nothing; leave --{options.mode} out.")
    command = CommandSpec(
        text=" ".join(options.command_words),
        timeout=read_duration("timeout", options.timeout),
        parameters=parse_pairs("param", options.param),
        environment=parse_pairs("env", options.env),
        cwd=options.cwd,
        run_as_user=options.user or "",
        limits=_limits(options),
    )
    return TaskSpec(
        target=options.target,
        commands=(command,),
        name=options.name,
        description=options.description,
        offline=options.offline,
        delivery_timeout=_delivery_timeout(options),
        include_maintenance=options.include_maintenance,
        rollout=rollout_spec(options),
    )


def _limits(options: argparse.Namespace) -> ResourceLimits:
    memory, tasks, cpu = options.memory_max, options.tasks_max, options.cpu_max
    return ResourceLimits(
        memory_max=0 if memory is None else read_size("memory-max", memory),
        tasks_max=0 if tasks is None else read_count("tasks-max", tasks),
        cpu_max=0 if cpu is None else read_percent("cpu-max", cpu),
    )


def with_secrets(spec: TaskSpec, secrets: Mapping[str, str]) -> TaskSpec:
    """The same task, whose commands get these secrets too."""
    return replace(spec, commands=tuple(replace(one, secrets=secrets) for one in spec.commands))


def _delivery_timeout(options: argparse.Namespace) -> timedelta:
    if options.delivery_timeout is None:
        return DELIVERY_TIMEOUT
    if options.offline is not Offline.WAIT:
        raise InvalidInputError("delivery-timeout", "--delivery-timeout needs --offline wait.")
    return read_duration("delivery-timeout", options.delivery_timeout)
