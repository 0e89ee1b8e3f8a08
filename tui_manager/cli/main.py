"""The program `tui-manager`: runs the command of the arguments, turns errors into an exit status,
whose numbers are in `exit_status.py`."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from tui_manager.cli.exit_status import (
    INTERRUPTED,
    NOT_COMPLETED,
    OUTPUT_CLOSED,
    UNREACHABLE,
    UNWRITABLE,
    WRONG_USAGE,
)
from tui_manager.cli.load_settings import Configuration, load
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.standard_streams import OutputError, standard_streams
from tui_manager.client.state_folder import config_path
from tui_manager.domain.errors import (
    ManagerError,
    ScreenFailedError,
    StorageError,
    UnreachableError,
)
from tui_manager.garbage_collection import rare_collections
from tui_manager.settings import Settings

_GIVEN = ("state_dir", "listen", "enroll_listen", "metrics", "insecure")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    os.umask(os.umask(0o077) & 0o077)  # the owner keeps all rights to new files
    with standard_streams():
        try:
            return _run_and_flush(sys.argv[1:] if arguments is None else arguments)
        except UnreachableError as error:
            return _print_error(error, UNREACHABLE)
        except (StorageError, ScreenFailedError) as error:
            return _print_error(error, NOT_COMPLETED)
        except OutputError as error:
            return _print_error(error, UNWRITABLE)
        except ManagerError as error:
            return _print_error(error, WRONG_USAGE)
        except BrokenPipeError:
            return OUTPUT_CLOSED
        except KeyboardInterrupt:
            return INTERRUPTED


def program() -> int:
    """Runs the command line of the process, whose last act this is."""
    code = main()
    gc.freeze()  # so that the interpreter, when it ends, does not look for cycles among all objects
    return code


def _run_and_flush(arguments: Sequence[str]) -> int:
    try:
        code = _run(arguments)
    except SystemExit as ended:  # argparse has printed the help or the version
        code = int(ended.code or 0)
    sys.stdout.flush()
    return code


def _run(arguments: Sequence[str]) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # otherwise gRPC's C core writes to our stderr
    # A shell asks, while somebody types.
    if list(arguments[:2]) == ["completion", "--answer"] and len(arguments) == 3:
        from tui_manager.cli.completion.answer_shell import answer

        return answer(arguments[2])
    options = parse(arguments)
    if options.action == "completion":  # a wrong setting must not break the start of a shell
        from tui_manager.cli.commands.completion import run_completion

        return run_completion(options.shell)
    given = {name: getattr(options, name) for name in _GIVEN if hasattr(options, name)}
    return _dispatch(options, load(given, os.environ, config_path()))


def _dispatch(options: argparse.Namespace, config: Configuration) -> int:
    """Runs the command. Imports only what it needs, because the program must start fast."""
    settings = config.settings
    match options.action:
        case "dashboard":
            from tui_manager.cli.commands.dashboard import run_dashboard

            return run_dashboard(settings)
        case "serve":
            from tui_manager.cli.commands.serve import run_serve

            return run_serve(settings)
        case "demo":
            from tui_manager.cli.commands.demo import run_demo

            return run_demo(options.agents, settings)
        case "config":
            from tui_manager.cli.commands.config import run_config

            return run_config(config, as_json=options.json)
        case "check":
            from tui_manager.cli.commands.manager.check_and_backup import run_check

            return run_check(settings, options.file, as_json=options.json)
        case "backup":
            from tui_manager.cli.commands.manager.check_and_backup import run_backup

            return run_backup(settings, options.file, force=options.force)
        case "database" if options.database_action == "forget-keys":
            from tui_manager.cli.commands.manager.forget_keys import run_forget_keys

            return run_forget_keys(settings)
        case "database":
            from tui_manager.cli.commands.manager.migrate_database import run_migrate_database

            return run_migrate_database(settings, options.source, as_json=options.json)
        case "agent":
            return _run_agent(settings, options)
        case _:
            return _ask_manager(settings, options)


def _ask_manager(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command that needs a running manager."""
    # asyncio imports ssl, which takes longer than what most commands do, and none of them uses it.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    with rare_collections():
        return _run_asking(settings, options)


def _run_asking(settings: Settings, options: argparse.Namespace) -> int:
    match options.action:
        case "run" | "copy" | "fetch":
            return _run_task(settings, options)
        case "hosts":
            from tui_manager.cli.commands.hosts.hosts import run_hosts

            return run_hosts(settings, options)
        case "token":
            from tui_manager.cli.commands.hosts.token import run_token

            return run_token(settings, options)
        case "audit":
            from tui_manager.cli.commands.manager.audit import run_audit

            return run_audit(settings, options)
        case "managers":
            from tui_manager.cli.commands.manager.managers import run_managers

            return run_managers(settings, as_json=options.json)
        case "notifications":
            from tui_manager.cli.commands.manager.notifications import run_notifications

            return run_notifications(settings, options)
        case "clock":
            from tui_manager.cli.commands.manager.clock import run_clock

            return run_clock(settings)
        case "template":
            from tui_manager.cli.commands.tasks.template import run_template

            return run_template(settings, options)
        case "schedule":
            from tui_manager.cli.commands.tasks.schedule import run_schedule

            return run_schedule(settings, options)
        case _:
            return _tell_of_task(settings, options)


def _run_agent(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command about the agents themselves."""
    match options.agent_action:
        case "update":
            from tui_manager.cli.commands.hosts.agent_update import run_update

            return run_update(settings, options)
        case "install" | "uninstall":
            from tui_manager.cli.commands.hosts.agent_install import run_install, run_uninstall

            run = run_install if options.agent_action == "install" else run_uninstall
            return run(settings, options)
        case _:
            from tui_manager.cli.commands.hosts.agent_bundle import run_bundle

            return run_bundle(options)


def _run_task(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command that makes a task of what stands on the command line."""
    if options.action == "run":
        from tui_manager.cli.commands.tasks.run import run_command

        return run_command(settings, options)
    from tui_manager.cli.commands.files.transfer import run_copy, run_fetch

    return (run_copy if options.action == "copy" else run_fetch)(settings, options)


def _tell_of_task(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command about tasks that are there."""
    match options.action:
        case "task":
            from tui_manager.cli.commands.tasks.task import run_task

            return run_task(settings, options)
        case "export":
            from tui_manager.cli.commands.tasks.export import run_export

            return run_export(settings, options)
        case _:
            from tui_manager.cli.commands.tasks.output import run_output

            return run_output(settings, options)


def _print_error(error: ManagerError, code: int) -> int:
    from tui_manager.domain.text.safe_text import safe_text

    with suppress(OSError):  # stderr itself may be the stream that cannot be written
        sys.stderr.write(f"{PROGRAM}: {safe_text(str(error))}\n")
    return code
