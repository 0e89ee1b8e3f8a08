"""`tui-manager-agent`: runs the agent, and says why it ended."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui_manager_protos.background_log import BackgroundHandler, write_to_stderr
from tui_manager_protos.rules.join_token import JoinToken

from tui_manager_agent.cli.arguments import Arguments, parse, without_token
from tui_manager_agent.cli.identity_report import IdentityQuestion, print_identity
from tui_manager_agent.cli.options import PROGRAM, TOKEN_VARIABLES, WRONG_USAGE
from tui_manager_agent.cli.policy_check import Question, answer
from tui_manager_agent.settings import Settings
from tui_manager_agent.update import trial_record

if TYPE_CHECKING:
    from tui_manager_agent.identity.identity import Identity
    from tui_manager_agent.update.start_new_version import Switch

FAILED = 1
REFUSED = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: list[str] | None = None) -> int:
    """Enrols this host if that is needed and runs the agent until SIGTERM or SIGINT, or answers a
    question of the host's owner.

    Returns 0 when it was asked to stop, 1 when the state folder fails under it, 2 for wrong usage,
    a policy or a state folder that cannot be used, 3 when the manager refuses it for good.

    Args:
        arguments: None: those of the process, which then ends.
    """
    try:
        if state_dir := os.environ.pop(trial_record.VARIABLE, ""):
            return _run_on_trial(Path(state_dir), arguments)
        return _main(arguments, on_trial=False)
    finally:
        if arguments is None:
            gc.freeze()  # so that the interpreter, when it ends, does not look for cycles


def _run_on_trial(state_dir: Path, arguments: list[str] | None) -> int:
    """A version on trial never returns 2 or 3: after these, nobody would start the old one."""

    def stop(number: int, frame: object) -> None:
        trial_record.note_stopped(state_dir)
        raise SystemExit(0)

    for number in _SIGNALS:
        signal.signal(number, stop)  # until the agent has its own
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # see `update/start_new_version.py`
        return FAILED if _main(arguments, on_trial=True) else 0
    except SystemExit as error:
        raise SystemExit(FAILED if error.code else 0) from None


def _main(arguments: list[str] | None, *, on_trial: bool) -> int:
    chosen = parse(arguments)
    os.umask(os.umask(0o077) & 0o077)  # this user keeps all rights to the files that are made
    for variable in TOKEN_VARIABLES:
        os.environ.pop(variable, None)  # no child inherits it
    if isinstance(chosen, Question):
        return answer(chosen)
    if isinstance(chosen, IdentityQuestion):
        return print_identity(chosen)
    logging.basicConfig(
        level=chosen.log_level.upper(),
        format="time=%(asctime)s level=%(levelname)s %(message)s",
        handlers=[BackgroundHandler(write_to_stderr)],
    )
    for chatty in ("grpc", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # asyncio would load OpenSSL, 4 MB that nothing here uses: gRPC has its own TLS.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # the agent logs its own errors
    return _work(chosen, start_again=arguments is None, on_trial=on_trial)


def _work(chosen: Arguments, *, start_again: bool, on_trial: bool) -> int:
    from tui_manager_agent.identity.credentials import DamagedError
    from tui_manager_agent.identity.identity import StateError
    from tui_manager_agent.link.stream_endings import Ending, RefusedByManagerError
    from tui_manager_agent.policy.policy_file import PolicyError
    from tui_manager_agent.update.trial import TrialOverError

    settings = chosen.settings
    try:
        if chosen.join_token is None or _join(chosen, chosen.join_token, start_again):
            _run(settings)
    except TrialOverError as error:
        return _fail(f"This version is not accepted: {error}", FAILED)
    except (StateError, DamagedError, PolicyError) as error:
        if on_trial:
            trial_record.note_problem(settings.state_dir, str(error))
        return _fail(str(error), WRONG_USAGE)
    except RefusedByManagerError as error:
        # For a taken name the manager's detail is a whole sentence, so ours is left out.
        said = str(error).removeprefix(f"{Ending.NAME_TAKEN.value.capitalize()}: ").rstrip(".")
        return _fail(f"{said}. The agent stops, because trying again would not help.", REFUSED)
    except OSError as error:
        return _fail(f"The state folder {settings.state_dir} fails: {error}.", FAILED)
    return 0


def _join(chosen: Arguments, token: JoinToken, start_again: bool) -> bool:
    """False if a signal came first. Does not return if the program starts again."""
    import asyncio

    from tui_manager_agent.identity import token_file
    from tui_manager_agent.identity.identity import Identity
    from tui_manager_agent.link.enrollment import Enrollment
    from tui_manager_agent.policy.policy_file import PolicyFile

    settings = chosen.settings
    PolicyFile(settings.policy).check()  # so that no token is used for an agent that cannot work
    identity = Identity(settings.state_dir)
    try:
        joined = asyncio.run(run_until_signal(Enrollment(settings, identity, token).enroll()))
        if joined and chosen.token_file is not None:
            token_file.remove_used(chosen.token_file, token, settings.state_dir)
    finally:
        identity.close()
    if joined and start_again:
        _start_again()
    return joined


def _start_again() -> None:
    """Runs the same program anew, without the token, which all users could see in the process list.

    This also frees memory, such as what only the enrolment needed.
    """
    command = [sys.executable, *without_token(sys.orig_argv[1:])]
    _flush_log()
    try:
        os.execv(sys.executable, command)
    except OSError as error:
        logging.getLogger(__name__).warning("the program cannot start again: error=%s", error)


def _run(settings: Settings) -> None:
    gc.disable()  # what imports make stays
    import asyncio

    from tui_manager_agent.agent import Agent

    gc.freeze()
    gc.enable()
    agent = Agent(settings)
    if not asyncio.run(run_until_signal(agent.run())):
        agent.stopped()
    elif agent.switch is not None:
        _become(agent.switch, agent.identity)


def _become(what: "Switch", identity: "Identity") -> None:
    """Becomes another version of the agent, or starts this one again if that fails."""
    from tui_manager_agent.update.start_new_version import AskedToStopError, SwitchError, switch

    try:
        switch(what, identity, without_token(sys.argv[1:]))
    except AskedToStopError:
        return
    except SwitchError as error:
        logging.getLogger(__name__).error("the agent stays what it is: error=%s", error)
        _start_again()


async def run_until_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Runs it to its end, or cancels it at SIGTERM or SIGINT. True if no signal came.

    Raises what it raises.
    """
    import asyncio

    working = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    asked_to_stop = False

    def stop() -> None:
        nonlocal asked_to_stop
        asked_to_stop = True
        working.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        await asyncio.wait((working,))
        # A signal that came in the last step of the work is read in the next turn of the loop, and
        # `stop` is called in the one after it.
        for _ in range(2):
            await asyncio.sleep(0)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    if not working.cancelled():
        working.result()
    return not (asked_to_stop or working.cancelled())


def _flush_log() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def _fail(message: str, status: int) -> int:
    _flush_log()
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return status
