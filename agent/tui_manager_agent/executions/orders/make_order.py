"""A request of the manager as the order that a supervisor carries out, or why it is refused."""

import importlib
import uuid
from collections.abc import Callable
from pathlib import Path

from tui_manager_protos.rules import command_defaults
from tui_manager_protos.rules.host_variables import is_host_variable
from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.convert_messages import to_nanoseconds
from tui_manager_agent.executions.orders.command_environment import command_environment
from tui_manager_agent.executions.orders.make_transfer_order import make_transfer_order
from tui_manager_agent.journal.order_and_result import Order, RunAs, Script
from tui_manager_agent.policy import users
from tui_manager_agent.policy.policy import RefusedError, nanoseconds_of
from tui_manager_agent.policy.users import Account
from tui_manager_agent.supervisor import clock, record, shebang
from tui_manager_agent.supervisor.processes import cgroup_limits

TIMEOUT = nanoseconds_of(command_defaults.TIMEOUT)
KILL_GRACE = nanoseconds_of(command_defaults.KILL_GRACE)
CONTENT_LENGTH = 1024 * 1024  # bytes of a script, and of what a command reads from stdin
FEATURES = ("script", "stdin", "files")  # that Hello lists
_SHOWN = 80  # characters of a name from the manager
# Python's own SHA-256, of 3.12 and later, and of 3.11. hashlib loads OpenSSL, which agents avoid.
_SHA256_MODULES = ("_sha2", "_sha256", "hashlib")


def is_execution_id(text: str) -> bool:
    """Whether a text is a plain UUID. Nothing else is an id, because ids name folders."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def make_order(
    run: wire.RunCommand, *, fifo: Path, boot_id: str, copy_path: Callable[[str], str]
) -> Order:
    """The order for a supervisor. Looking up a user may take long. Raises RefusedError.

    Args:
        copy_path: where an execution's script belongs that another user is to read.
    """
    _check(run)
    _check_contents(run)
    own = users.own()
    user = _find_user(run.run_as_user, own)
    is_own = user is own
    transfer = make_transfer_order(run)
    start_before = to_nanoseconds(run.start_before) if run.HasField("start_before") else None
    return Order(
        command=run.command,
        user=user.name,
        folder=run.cwd,
        cwd=run.cwd or user.folder,
        variables=tuple(
            name for name, value in run.environment.items() if not is_host_variable(name, value)
        ),
        timeout=to_nanoseconds(run.timeout) if run.HasField("timeout") else TIMEOUT,
        kill_grace=to_nanoseconds(run.kill_grace) if run.HasField("kill_grace") else KILL_GRACE,
        output_limit=run.output_limit or command_defaults.OUTPUT_LIMIT,
        priority=run.priority,
        fifo=fifo,
        boot_id=boot_id,
        limits={name: value for name in cgroup_limits.NEEDS if (value := getattr(run, name))},
        start_before=0 if start_before is None else clock.now() + start_before,
        run_as=None if is_own else RunAs(uid=user.uid, gid=user.gid, groups=user.groups),
        environment={} if transfer else command_environment(run, user, is_own=is_own),
        script=_script(run, "" if is_own else copy_path(run.execution_id)),
        stdin_size=len(run.stdin) if run.HasField("stdin") else None,
        transfer=transfer,
    )


def files_of(run: wire.RunCommand) -> dict[str, bytes]:
    """The files that are stored beside the order, by name."""
    names = (record.SCRIPT, record.STDIN)
    return {name: getattr(run, name) for name in names if run.HasField(name)}  # type: ignore[arg-type]


def _check(run: wire.RunCommand) -> None:
    if run.pty:
        raise RefusedError("rejected", "this agent does not offer a terminal (pty)")
    for name in run.environment:
        if not name or "=" in name:
            raise RefusedError("spawn_failed", f"{name!r} cannot name an environment variable")
    texts = (run.command, run.cwd, *run.arguments, *run.environment, *run.environment.values())
    if any("\0" in text for text in texts):
        problem = "a NUL byte cannot be part of a command, an argument, a folder or the environment"
        raise RefusedError("spawn_failed", problem)


def _check_contents(run: wire.RunCommand) -> None:
    if run.HasField("script") and run.command:
        raise RefusedError("rejected", "the request has both a command and a script")
    if run.arguments and not run.HasField("script"):
        raise RefusedError("rejected", "the request has arguments, and no script that takes them")
    for name, content in files_of(run).items():
        if len(content) > CONTENT_LENGTH:
            problem = f"the {name} has {len(content)} bytes; at most {CONTENT_LENGTH} are allowed"
            raise RefusedError("rejected", problem)


def sha256_of(data: bytes) -> str:
    """64 hex digits."""
    for name in _SHA256_MODULES:
        try:
            return str(importlib.import_module(name).sha256(data).hexdigest())
        except ImportError:
            continue
    raise ImportError("this Python has no SHA-256")


def _script(run: wire.RunCommand, copy: str) -> Script | None:
    if not run.HasField("script"):
        return None
    try:
        interpreter, argument = shebang.parse(run.script)
    except shebang.ShebangError as error:
        raise RefusedError("rejected", str(error)) from None
    return Script(
        size=len(run.script),
        sha256=sha256_of(run.script),
        interpreter=interpreter,
        interpreter_argument=argument,
        arguments=tuple(run.arguments),
        copy=copy,
    )


def _find_user(name: str, own: Account) -> Account:
    if name in ("", own.name):
        return own
    shown = name[:_SHOWN]
    if own.uid != 0:
        problem = f"this agent is not root: it runs commands as {own.name} only, not as {shown}"
        raise RefusedError("rejected", problem)
    user = users.find(name)
    if user is None:
        raise RefusedError("rejected", f"there is no user {shown} on this host")
    return user
