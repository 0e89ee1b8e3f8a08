"""`tui-manager-agent`: runs the agent, and says why it ended."""

import logging
import os
import signal
import sys

from tui_manager_protos.background_log import BackgroundHandler, write_to_stderr
from tui_manager_protos.rules.join_token import JoinToken

from tui_manager_agent.cli.arguments import (
    PROGRAM,
    TOKEN_VARIABLES,
    WRONG_USAGE,
    Arguments,
    parse,
    without_token,
)
from tui_manager_agent.cli.policy_options import Question
from tui_manager_agent.settings import Settings

FAILED = 1
REFUSED = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: list[str] | None = None) -> int:
    """Enrols this host if that is needed and runs the agent until SIGTERM or SIGINT, or answers a
    question of the host's owner.

    Returns 0 when it was asked to stop, 1 when the state folder fails under it, 2 for wrong usage,
    a policy that cannot be used or a state folder that cannot be had, 3 when the manager refuses it
    for good.
    """
    chosen = parse(arguments)
    os.umask(os.umask(0o077) & 0o077)  # none takes this user's own rights to what is made here
    for variable in TOKEN_VARIABLES:
        os.environ.pop(variable, None)  # no child inherits it
    if isinstance(chosen, Question):
        from tui_manager_agent.cli.policy_check import answer

        return answer(chosen)
    logging.basicConfig(
        level=chosen.log_level.upper(),
        format="time=%(asctime)s level=%(levelname)s %(message)s",
        handlers=[BackgroundHandler(write_to_stderr)],
    )
    for chatty in ("grpc", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # asyncio would load OpenSSL, 4 MB that nothing here uses: gRPC has its own TLS.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # the agent says itself what it meets
    return _work(chosen, start_again=arguments is None)


def _work(chosen: Arguments, *, start_again: bool) -> int:
    from tui_manager_agent.identity.credentials import DamagedError
    from tui_manager_agent.identity.identity import StateError
    from tui_manager_agent.link.reconnect import Ending, RefusedByManagerError
    from tui_manager_agent.policy.policy_file import PolicyError

    settings = chosen.settings
    try:
        if chosen.join_token is None or _join(chosen, chosen.join_token, start_again):
            _run(settings)
    except (StateError, DamagedError, PolicyError) as error:
        return _fail(str(error), WRONG_USAGE)
    except RefusedByManagerError as error:
        # What the manager says of a taken name is a whole sentence, which ours would only repeat.
        said = str(error).removeprefix(f"{Ending.NAME_TAKEN.value.capitalize()}: ").rstrip(".")
        return _fail(f"{said}. The agent stops, because trying again would not help.", REFUSED)
    except OSError as error:
        return _fail(f"The state folder {settings.state_dir} fails: {error}.", FAILED)
    return 0


def _join(chosen: Arguments, token: JoinToken, start_again: bool) -> bool:
    """False when a signal came first. Does not return when the program starts again."""
    import asyncio

    from tui_manager_agent.cli.stopping import run_until
    from tui_manager_agent.identity import token_file
    from tui_manager_agent.identity.identity import Identity
    from tui_manager_agent.link.joining import Joining
    from tui_manager_agent.policy.policy_file import PolicyFile

    settings = chosen.settings
    PolicyFile(settings.policy).check()  # a token is not spent on an agent that cannot work then
    identity = Identity(settings.state_dir)
    try:
        joined = asyncio.run(run_until(Joining(settings, identity, token).join(), *_SIGNALS))
        if joined and chosen.token_file is not None:
            token_file.remove_used(chosen.token_file, token, settings.state_dir)
    finally:
        identity.close()
    if joined and start_again:
        _start_again()
    return joined


def _start_again() -> None:
    """The same program without the token, which all users of this host see in the process list.

    What only the enrolment needed in memory is gone as well.
    """
    command = [sys.executable, *without_token(sys.orig_argv[1:])]
    _flush_log()
    try:
        os.execv(sys.executable, command)
    except OSError as error:
        logging.getLogger(__name__).warning("the token stays in the process list: error=%s", error)


def _run(settings: Settings) -> None:
    import asyncio

    from tui_manager_agent.agent import Agent
    from tui_manager_agent.cli.stopping import run_until

    asyncio.run(run_until(Agent(settings).run(), *_SIGNALS))


def _flush_log() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def _fail(message: str, status: int) -> int:
    _flush_log()
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return status
