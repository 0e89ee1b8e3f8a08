"""Finds the socket of a manager, and checks that a trusted user listens on it."""

import asyncio
import socket
import struct
from pathlib import Path

from tui_manager.domain.errors import NoAnswerError, UnreachableError
from tui_manager.operator.socket.unix_socket import find_socket, trusted_users
from tui_manager.state_files import has_database

_CONNECT_TIMEOUT = 2.0  # seconds
_CREDENTIALS = struct.Struct("3i")  # pid, uid and gid of a peer


async def find_manager(state_dir: Path) -> Path:
    """The socket of the manager that runs on `state_dir`.

    Raises:
        UnreachableError: none runs there, or it is another user's.
    """
    try:
        path = find_socket(state_dir)
        if path is None:
            raise _no_manager(state_dir)
        await _probe(path, state_dir)
    except PermissionError as error:
        raise UnreachableError(
            f"The manager on {state_dir} belongs to another user; run this as that user."
        ) from error
    return path


async def _probe(path: Path, state_dir: Path) -> None:
    """Connects once, to learn whether and which user listens. gRPC would report this only after its
    backoff, and a socket of another user must not get our secrets."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await asyncio.get_running_loop().sock_connect(probe, str(path))
            owners = {_owner(path), *_peer(probe)}
        except PermissionError:
            raise
        except TimeoutError as error:  # its queue of connections is full
            raise NoAnswerError(
                f"The manager on {state_dir} takes no connection; it may be stopped or overloaded."
            ) from error
        except OSError as error:  # no file, or no listener
            raise _no_manager(state_dir) from error
    if owners - trusted_users(state_dir):
        raise UnreachableError(f"The socket {path} belongs to another user and is not trusted.")


def _owner(path: Path) -> int:
    return path.stat().st_uid


def _peer(probe: socket.socket) -> tuple[int, ...]:
    """The user who listens, if the system can tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ()
    credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(credentials)[1:2]


def _no_manager(state_dir: Path) -> UnreachableError:
    """Advises to start a manager only if there is a database: a folder without one may have been
    moved away from a running manager, and a second manager would begin with an empty database."""
    if not has_database(state_dir):
        return UnreachableError(
            f"No manager runs on {state_dir}, and there is no database in it. If the folder was "
            "moved, put it back, or name it with --state-dir. `tui-manager serve` makes a new, "
            "empty database."
        )
    import shlex  # here, because a manager runs for most commands

    return UnreachableError(
        f"No manager runs on {state_dir}. Start one with: "
        f"tui-manager serve --state-dir {shlex.quote(str(state_dir))}"
    )
