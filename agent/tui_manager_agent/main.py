"""`tui-manager-agent`: runs the agent, and says why it ended."""

import logging
import os
import signal
import sys

from tui_manager_agent.arguments import PROGRAM, WRONG_USAGE, parse
from tui_manager_agent.settings import Settings

FAILED = 1
REFUSED = 3


def main(arguments: list[str] | None = None) -> int:
    """Runs the agent until SIGTERM or SIGINT.

    Returns 0 when it was asked to stop, 1 when the state folder fails under it, 2 for wrong usage
    or a state folder that cannot be had, 3 when the manager refuses it for good.
    """
    chosen = parse(arguments)
    logging.basicConfig(
        level=chosen.log_level.upper(),
        format="time=%(asctime)s level=%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("grpc", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return _run(chosen.settings)


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
