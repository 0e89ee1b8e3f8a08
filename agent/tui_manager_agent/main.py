"""`tui-manager-agent`: the command line of the agent."""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from tui_manager_agent import __version__
from tui_manager_agent.names import LABELS_MAX, check_label, check_name
from tui_manager_agent.settings import Settings

PROGRAM = "tui-manager-agent"
FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
_ENVIRONMENT = "TUI_MANAGER_AGENT_"
_SPOOL_LIMIT = 1 << 30  # bytes
_CAPACITY = 5
_LOG_LEVELS = ("debug", "info", "warning", "error")
_EXIT_CODES = (
    "exit status: 0 ended by SIGTERM or SIGINT; 1 the state folder failed under it; 2 wrong usage, "
    "or a state folder that cannot be had; 3 the manager refuses this agent for good"
)
_Value = TypeVar("_Value")


class _Parser(argparse.ArgumentParser):
    """Says in two lines what is wrong, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{PROGRAM}: {message}\nSee `{PROGRAM} run --help`.\n")


def main(arguments: list[str] | None = None) -> int:
    """Runs the agent until SIGTERM or SIGINT.

    Returns 0 when it was asked to stop, 1 when the state folder fails under it, 2 for wrong usage
    or a state folder that cannot be had, 3 when the manager refuses it for good.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    _take_environment(parser, chosen)
    if not chosen.manager:
        parser.error("say which manager to dial: --manager HOST:PORT")
    if not (chosen.insecure and _is_loopback(chosen.manager)):
        parser.error(
            "this agent has no encryption yet: it needs --insecure and a manager on this machine "
            "(localhost, 127.x.x.x or [::1])"
        )
    labels = dict(chosen.label)
    if len(labels) > LABELS_MAX:
        parser.error(f"a host has at most {LABELS_MAX} labels, not {len(labels)}")
    logging.basicConfig(
        level=chosen.log_level.upper(),
        format="time=%(asctime)s level=%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("grpc", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    settings = Settings(
        manager=chosen.manager,
        state_dir=_state_dir(chosen.state_dir),
        name=chosen.name,
        labels=labels,
        capacity=chosen.capacity,
        spool_limit=chosen.spool_limit,
    )
    return _run(settings)


def _run(settings: Settings) -> int:
    # asyncio would load OpenSSL, 4 MB that nothing here uses: gRPC has its own TLS.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # the agent says itself what it meets
    import asyncio

    from tui_manager_agent.agent import Agent
    from tui_manager_agent.identity import StateError
    from tui_manager_agent.reconnect import Ending, RefusedByManagerError

    try:
        agent = Agent(settings)
    except StateError as error:
        return _fail(str(error), WRONG_USAGE)
    try:
        asyncio.run(agent.run_until(signal.SIGTERM, signal.SIGINT))
    except RefusedByManagerError as error:
        # What the manager says of a taken name is a whole sentence, which ours would only repeat.
        said = str(error).removeprefix(f"{Ending.NAME_TAKEN.value.capitalize()}: ").rstrip(".")
        return _fail(f"{said}. The agent stops, because trying again would not help.", REFUSED)
    except OSError as error:
        return _fail(f"The state folder {settings.state_dir} fails: {error}.", FAILED)
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return status


def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        description="Runs what its tui-manager says on this host.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    run = commands.add_parser(
        "run",
        help="dial the manager and work for it until SIGTERM",
        description="Dials the manager and works for it until SIGTERM. An option that is not given "
        "is taken from the variable that its line names.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    run.add_argument(
        "--manager",
        metavar="HOST:PORT",
        type=_address,
        help=f"the manager to dial ({_ENVIRONMENT}MANAGER)",
    )
    run.add_argument(
        "--name",
        type=_name,
        help="what this host is called at the manager; its hostname unless said "
        f"({_ENVIRONMENT}NAME)",
    )
    run.add_argument(
        "--label",
        metavar="K=V",
        type=_label,
        action="append",
        default=[],
        help="a label of this host; may be given more than once, and adds to those of "
        f"{_ENVIRONMENT}LABELS=K=V,K=V",
    )
    run.add_argument(
        "--state-dir",
        metavar="D",
        type=Path,
        help="where journal and output lie until the manager has them; unless said, a folder "
        f"{PROGRAM} among the user's own state ({_ENVIRONMENT}STATE_DIR)",
    )
    run.add_argument(
        "--capacity",
        metavar="N",
        type=_capacity,
        help="commands that run at once, 1 to 1000; more wait "
        f"(default: {_CAPACITY}; {_ENVIRONMENT}CAPACITY)",
    )
    run.add_argument(
        "--spool-limit",
        metavar="MIB",
        type=_mebibytes,
        help="output of ended commands kept until the manager has it; past it the oldest output is "
        "dropped and shown as a gap, results stay "
        f"(default: {_SPOOL_LIMIT >> 20}; {_ENVIRONMENT}SPOOL_LIMIT)",
    )
    run.add_argument(
        "--insecure",
        action="store_true",
        help="no encryption; for a manager on this machine only",
    )
    run.add_argument(
        "--log-level",
        metavar="|".join(_LOG_LEVELS),
        type=_log_level,
        help=f"what is written to stderr (default: info; {_ENVIRONMENT}LOG_LEVEL)",
    )
    return parser


def _take_environment(parser: _Parser, chosen: argparse.Namespace) -> None:
    """Fills in what the command line left open; a variable with a wrong value is a wrong usage."""

    def take(name: str, read: Callable[[str], _Value], fallback: _Value) -> _Value:
        variable = _ENVIRONMENT + name
        if not (text := os.environ.get(variable)):
            return fallback
        try:
            return read(text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")

    if chosen.manager is None:
        chosen.manager = take("MANAGER", _address, "")
    if chosen.name is None:
        chosen.name = take("NAME", _name, "")
    if chosen.state_dir is None:
        chosen.state_dir = take("STATE_DIR", Path, Path())
    if chosen.capacity is None:
        chosen.capacity = take("CAPACITY", _capacity, _CAPACITY)
    if chosen.spool_limit is None:
        chosen.spool_limit = take("SPOOL_LIMIT", _mebibytes, _SPOOL_LIMIT)
    if chosen.log_level is None:
        chosen.log_level = take("LOG_LEVEL", _log_level, "info")
    none: tuple[tuple[str, str], ...] = ()
    chosen.label = [*take("LABELS", _labels, none), *chosen.label]


def _state_dir(chosen: Path) -> Path:
    if chosen != Path():
        return chosen.absolute()
    from platformdirs import user_state_path  # 1.4 MB, for those who need it

    return user_state_path("tui-manager-agent")


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


def _name(text: str) -> str:
    """Empty: its hostname."""
    try:
        if text:
            check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not K=V")
    try:
        check_label(key, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return key, value


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(_label(part) for part in text.split(",") if part)


def _log_level(text: str) -> str:
    if text not in _LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(_LOG_LEVELS)}")
    return text


def _capacity(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def _mebibytes(text: str) -> int:
    """Bytes."""
    if not text.isdigit() or not 0 < int(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of MiB from 1 to {1 << 20}")
    return int(text) << 20


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0]
    try:
        return host in ("localhost", "[::1]") or socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        return False
