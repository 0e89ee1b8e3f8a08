"""The options of `copy`, `fetch` and `task files`, and the tasks that the first two describe."""

import argparse
from collections.abc import Sequence
from typing import Any

from tui_manager.cli.options.parser import PROGRAM, is_name
from tui_manager.cli.options.tasks.rollout import ROLLOUT_USAGE, add_rollout_options
from tui_manager.cli.options.tasks.run import (
    TARGET_HELP,
    add_name_options,
    add_offline_options,
    add_output_options,
    add_timeout_option,
    with_given_options,
)
from tui_manager.cli.options.values import read_value
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet
from tui_manager.domain.task_spec.step_and_task_options import COPY_OPTIONS
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

COPY_FORM = "copy TARGET FILE… DEST"
FETCH_FORM = "fetch TARGET PATH… DIR"
_STDIN = "-"
# Options of `run` that are for commands only: nobody gives them.
OF_COMMANDS: dict[str, Any] = {
    **dict.fromkeys(("user", "cwd", "memory_max", "tasks_max", "cpu_max")),
    **{name: [] for name in ("param", "env", "secret")},
}
TASK_USAGE = (
    "                       [--name N] [--description D] [--timeout S]\n"
    "                       [--offline fail|wait] [--delivery-timeout S]\n"
    "                       [--include-maintenance] [--state-dir D]\n"
    f"{ROLLOUT_USAGE}"
    "                       [--plan | --json | --gather | --detach | --no-start]\n"
)
# Stands in a task until its files are read.
NO_FILES = FileSet("0" * 64, 1, 0, 0, 0)


def add_copy_options(copy: argparse.ArgumentParser) -> None:
    """Adds the options of `copy`."""
    copy.usage = (
        f"{PROGRAM} copy TARGET FILE… DEST\n"
        "                       [--mode M] [--owner U[:G]] [--recursive] [--backup]\n"
        f"{TASK_USAGE}"
    )
    _add_names(
        copy,
        "TARGET FILE… DEST",
        "files of this machine, and an absolute path on the hosts: if it is a folder or ends in /, "
        "it takes the files under their names, else it is the name of the only one",
    )
    copy.add_argument(
        "--mode",
        dest="file_mode",  # `mode` is that of the output
        metavar="M",
        help="permissions of the files in octal, such as 0644 (default: as here, without setuid)",
    )
    copy.add_argument(
        "--owner",
        metavar="U[:G]",
        help="user, and group, that own the files; needs an agent that runs as root (default: a "
        "file that is there keeps its owner, a new one belongs to the agent's user)",
    )
    _add_recursive(copy, "copy folders, with what is in them")
    copy.add_argument(
        "--backup",
        action="store_true",
        default=None,
        help="keep each file that is replaced, as NAME.backup-TIME beside it",
    )
    _add_task_options(copy)


def add_fetch_options(fetch: argparse.ArgumentParser) -> None:
    """Adds the options of `fetch`."""
    fetch.usage = (
        f"{PROGRAM} fetch TARGET PATH… DIR\n                       [--recursive]\n{TASK_USAGE}"
    )
    _add_names(
        fetch,
        "TARGET PATH… DIR",
        "absolute paths on the hosts, and a folder of this machine, which gets HOST/PATH for each "
        "host; it is made if its own folder is there",
    )
    _add_recursive(fetch, "fetch folders, with what is in them")
    _add_task_options(fetch)


def add_task_files_options(files: argparse.ArgumentParser) -> None:
    """Adds the options of `task files`, besides the number of the task."""
    files.add_argument(
        "folder", metavar="DIR", help="a folder of this machine, which gets HOST/PATH for each host"
    )
    files.add_argument(
        "--host",
        dest="hosts",
        metavar="NAME",
        action="append",
        default=[],
        help="only of this host; may be repeated",
    )


def _add_names(command: argparse.ArgumentParser, form: str, text: str) -> None:
    command.add_argument("names", metavar=form, nargs="+", help=f"TARGET: {TARGET_HELP}. {text}")
    command.set_defaults(**OF_COMMANDS)


def _add_recursive(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--recursive", action="store_true", help=text)


def _add_task_options(command: argparse.ArgumentParser) -> None:
    add_name_options(command)
    add_timeout_option(command, "time after which it ends on a host, 1s to 7d")
    add_offline_options(command)
    add_rollout_options(command)
    add_output_options(command)


def take_names(options: argparse.Namespace, unknown: Sequence[str]) -> list[str]:
    """Adds to the names of `copy` and `fetch` those that stand after an option, which argparse does
    not find; returns what is left."""
    names = [word for word in unknown if is_name(word) or not word.startswith("-") or word == "-"]
    options.names = [*options.names, *names]
    return [word for word in unknown if word not in names]


def copy_task(options: argparse.Namespace) -> TaskSpec:
    """The task that `copy` describes, with NO_FILES."""
    target, sources, to = _split(options, COPY_FORM, "FILE or DEST")
    if _STDIN in sources:
        raise InvalidInputError(
            "files", "- is no file, and a copy takes none from stdin; write it to a file first."
        )
    given = {"mode": options.file_mode, "owner": options.owner, "backup": options.backup}
    values = {
        option.field: value if option.read is None else read_value(name, value, option.read)
        for name, option in COPY_OPTIONS.items()
        if (value := given[name]) is not None
    }
    return _task(target, options, copy=CopySpec(NO_FILES, to, **values))


def sources_of(options: argparse.Namespace) -> list[str]:
    """The files that `copy` names."""
    return list(options.names[1:-1])


def fetch_task(options: argparse.Namespace) -> TaskSpec:
    """The task that `fetch` describes, with DIR as typed."""
    target, paths, folder = _split(options, FETCH_FORM, "PATH or DIR")
    return _task(target, options, fetch=FetchSpec(tuple(paths), options.recursive, folder))


def _split(options: argparse.Namespace, form: str, missing: str) -> tuple[str, Sequence[str], str]:
    """TARGET, what stands between, and the last name."""
    names = options.names
    if len(names) < 3:
        action = options.action
        raise InvalidInputError(
            "arguments", f"{missing} is missing: {form}\nSee `{PROGRAM} {action} --help`."
        )
    if not names[-1]:
        raise InvalidInputError("to", f"The last name is empty: {form}")
    return names[0], names[1:-1], names[-1]


def _task(
    target: str,
    options: argparse.Namespace,
    copy: CopySpec | None = None,
    fetch: FetchSpec | None = None,
) -> TaskSpec:
    step = CommandSpec("", copy=copy, fetch=fetch)
    spec = with_given_options(TaskSpec(target, (step,)), options)
    spec.check()
    return spec
