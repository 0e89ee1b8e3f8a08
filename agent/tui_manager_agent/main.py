"""`tui-manager-agent`: the command line of the agent."""

import argparse
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from tui_manager_agent import __version__
from tui_manager_agent.settings import Settings

WRONG_USAGE = 2
REFUSED = 3
_ENVIRONMENT = "TUI_MANAGER_AGENT_"


def main(arguments: list[str] | None = None) -> int:
    """Runs the agent until SIGTERM or SIGINT.

    Returns 0 when it was asked to stop, 1 when the state folder fails under it, 2 for wrong usage
    or a state folder that cannot be had, 3 when the manager refuses it for good.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.manager:
        parser.error("say which manager to dial: --manager HOST:PORT")
    if not (chosen.insecure and _is_loopback(chosen.manager)):
        parser.error(
            "this agent has no encryption yet: it needs --insecure and a manager on this machine "
            "(localhost, 127.x.x.x or [::1])"
        )
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
        labels=dict(chosen.label),
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
    from tui_manager_agent.reconnect import RefusedByManagerError

    try:
        agent = Agent(settings)
    except StateError as error:
        return _fail(str(error), WRONG_USAGE)
    try:
        asyncio.run(agent.run_until(signal.SIGTERM, signal.SIGINT))
    except RefusedByManagerError as error:
        return _fail(f"{error}. The agent stops, because trying again would not help.", REFUSED)
    except OSError as error:
        return _fail(f"The state folder {settings.state_dir} fails: {error}.", 1)
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"tui-manager-agent: {message}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tui-manager-agent", description="Runs what its tui-manager says on this host."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="dial the manager and work for it until SIGTERM")
    run.add_argument(
        "--manager",
        metavar="HOST:PORT",
        type=_address,
        default=_default("MANAGER", ""),
        help="the manager to dial",
    )
    run.add_argument(
        "--name",
        default=_default("NAME", ""),
        help="what this host is called at the manager; its hostname unless said",
    )
    run.add_argument(
        "--label",
        metavar="K=V",
        type=_label,
        action="append",
        default=[_label(text) for text in _default("LABELS", "").split(",") if text],
        help="a label of this host; may be given more than once",
    )
    run.add_argument(
        "--state-dir",
        metavar="D",
        type=Path,
        default=_default("STATE_DIR", ""),
        help="where journal and output lie until the manager has them; unless said, a folder "
        "tui-manager-agent among the user's own state",
    )
    run.add_argument(
        "--capacity",
        metavar="N",
        type=_capacity,
        default=_default("CAPACITY", "5"),
        help="commands that run at once; more wait (default: %(default)s)",
    )
    run.add_argument(
        "--spool-limit",
        metavar="MIB",
        type=_mebibytes,
        default=_default("SPOOL_LIMIT", "1024"),
        help="output of ended commands kept until the manager has it; past it the oldest output is "
        "dropped and shown as a gap, results stay (default: %(default)s)",
    )
    run.add_argument(
        "--insecure",
        action="store_true",
        help="no encryption; for a manager on this machine only",
    )
    run.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=_default("LOG_LEVEL", "info"),
        help="what is written to stderr (default: %(default)s)",
    )
    return parser


def _state_dir(chosen: Path) -> Path:
    if chosen != Path():
        return chosen.absolute()
    from platformdirs import user_state_path  # 1.4 MB, for those who need it

    return user_state_path("tui-manager-agent")


def _default(name: str, fallback: str) -> str:
    return os.environ.get(_ENVIRONMENT + name, fallback)


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not K=V")
    return key, value


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
