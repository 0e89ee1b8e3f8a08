"""Whether nobody but root and one user can change what a path leads to.

A user who can write a folder can replace everything in it. So each part of the path is checked, and
each folder that contains a symbolic link of the path.
"""

import grp
import os
import pwd
import stat
from pathlib import Path

_LINKS_LIMIT = 40  # as many as the kernel follows


class UntrustedPathError(Exception):
    """Another user can change what a path leads to. The text names the part and what to do."""


def trusted_path(path: Path, *, user: int | None = None) -> Path:
    """The same path without symbolic links. Parts at its end need not exist.

    Every part must belong to root or to `user`, and nobody else may write it. There are two
    exceptions. A folder that everybody may write is accepted if it is sticky, as /tmp is: only the
    owner of a file there can replace it. A folder that the user's own group may write is accepted
    if the group has no other members.

    Args:
        user: a uid; None: the effective uid.

    Raises:
        UntrustedPathError: another user could change it.
        OSError: a part cannot be read, or the links form a circle.
    """
    user = os.geteuid() if user is None else user
    pending = list(reversed(path.absolute().parts))
    reached = Path(pending.pop())
    _check(reached, reached.stat(), user)
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            reached = reached.parent
            continue
        here = reached / part
        try:
            status = here.lstat()
        except FileNotFoundError:
            return here.joinpath(*reversed(pending))
        _check(here, status, user)
        if not stat.S_ISLNK(status.st_mode):
            reached = here
            continue
        links += 1
        if links > _LINKS_LIMIT:
            raise OSError(f"{path} leads through more than {_LINKS_LIMIT} symbolic links")
        target = Path(os.readlink(here))
        pending += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        reached = Path(target.anchor) if target.is_absolute() else reached
    return reached


def _check(part: Path, status: os.stat_result, user: int) -> None:
    """Raises UntrustedPathError."""
    if status.st_uid not in (0, user):
        raise UntrustedPathError(
            f"{part} belongs to {_name(status.st_uid)}, who could replace what is there; if you "
            f"are sure of what is there, give it to {_name(user)}: chown {user} {part}"
        )
    if stat.S_ISLNK(status.st_mode):
        return  # the mode of a link has no meaning
    folder = stat.S_ISDIR(status.st_mode)
    others = bool(status.st_mode & stat.S_IWOTH)
    group = bool(status.st_mode & stat.S_IWGRP)
    if folder and not others and _is_own_group(status.st_gid, user):
        return
    if (others or group) and not (folder and status.st_mode & stat.S_ISVTX):
        who = "anybody" if others else f"the group {_group_name(status.st_gid)}"
        what = "o-w" if others and not group else "go-w" if others else "g-w"
        raise UntrustedPathError(
            f"{part} can be written by {who}; take that away: chmod {what} {part}"
        )


def _is_own_group(group: int, user: int) -> bool:
    """Whether a group is a user's own: it has the user's name, and nobody else in it."""
    try:
        found, owner = grp.getgrgid(group), pwd.getpwuid(user)
    except KeyError:
        return False
    own = owner.pw_gid == group and found.gr_name == owner.pw_name
    return own and set(found.gr_mem) <= {owner.pw_name}


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"the user with number {user}"


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
