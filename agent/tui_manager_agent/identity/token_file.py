"""A file that holds the join token: read at a start, removed once the host has enrolled with it."""

import logging
import os
import stat
from pathlib import Path

from tui_manager_protos.rules.join_token import JoinToken

from tui_manager_agent.identity import credentials

_LONGEST = 4096  # bytes
_CREDENTIALS = "CREDENTIALS_DIRECTORY"  # the folder of what LoadCredential= names in a systemd unit
_LOG = logging.getLogger(__name__)


def read(path: Path) -> JoinToken | None:
    """The token in the file; None if there is no such file.

    Raises ValueError, with a sentence for the host's owner, if it cannot be read, holds no token,
    or others could have read or written it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from error
    try:
        _check(os.fstat(descriptor), path)
        text = os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
    return JoinToken.parse(text.decode("ascii", "replace"))


def remove_used(path: Path, token: JoinToken, state_dir: Path) -> None:
    """Removes the file if the host has enrolled with this token; systemd's credentials stay."""
    held = credentials.load(state_dir)
    newer = credentials.load_newer(state_dir, held) if held else None
    if not any(one and one.token_hash == token.secret_hash for one in (held, newer)):
        return  # the host uses its old certificate: the token may be needed later
    if _is_credential(path):
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOG.warning("the join token is still in %s, remove it: error=%s", path, error.strerror)
    else:
        _LOG.info("the join token was used, its file is removed: file=%s", path)


def _is_credential(path: Path) -> bool:
    """Whether systemd has put it there, read-only and for this service alone."""
    folder = os.environ.get(_CREDENTIALS)
    return bool(folder) and path.absolute().parent == Path(str(folder)).absolute()


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if _is_credential(path):
        return
    if status.st_uid not in (0, os.geteuid()):
        raise ValueError(f"it belongs to another user: chown it to the agent's, {os.geteuid()}")
    if status.st_mode & 0o077:
        raise ValueError(f"other users can read or write it: chmod 600 {path}")
