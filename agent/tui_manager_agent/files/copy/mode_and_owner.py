"""Which mode and owner the files of a copy get."""

import grp
import os
import pwd
import stat
from contextlib import suppress

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import Entry

from tui_manager_agent.files.transfer_work import TransferError

_PERMISSIONS = 0o777  # a mode of the source gives no set-user-ID, set-group-ID or sticky bit
_KEEP = -1  # as os.chown has it


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the operator asks for.

    Attributes:
        mode: of files; None: that of the source.
        uid, gid: -1: an existing file keeps its own if the agent is root, else the agent's.
    """

    mode: int | None = None
    uid: int = _KEEP
    gid: int = _KEEP

    def file_mode(self, entry: Entry) -> int:
        return entry.mode & _PERMISSIONS if self.mode is None else self.mode

    def folder_mode(self, entry: Entry) -> int:
        """The mode of new folders. Users who may read the files may also enter their folder."""
        if self.mode is None:
            return entry.mode & _PERMISSIONS
        mode = self.mode & _PERMISSIONS
        return mode | (mode & 0o444) >> 2

    def fit(self, status: os.stat_result, entry: Entry) -> bool:
        """Whether a file has this mode and owner already."""
        return (
            stat.S_IMODE(status.st_mode) == self.file_mode(entry)
            and self.uid in (_KEEP, status.st_uid)
            and self.gid in (_KEEP, status.st_gid)
        )

    def keeps_owner(self, status: os.stat_result) -> bool:
        """Whether a file belongs to the same user afterwards."""
        return self.uid in (_KEEP, status.st_uid)

    def uids(self, old: os.stat_result | None = None) -> set[int]:
        """The users who may own a file that the copy has begun, and that takes the place of
        `old`."""
        if self.uid != _KEEP:
            return {os.geteuid(), self.uid}
        return {os.geteuid(), old.st_uid if old and not os.geteuid() else os.geteuid()}

    def apply(self, descriptor: int, entry: Entry, old: os.stat_result | None) -> None:
        """Gives them to a file that takes the place of `old`. Raises OSError."""
        now = os.fstat(descriptor)
        uid, gid = self.uid, self.gid
        if old is not None and not os.geteuid():
            uid = old.st_uid if uid == _KEEP else uid
            gid = old.st_gid if gid == _KEEP else gid
        elif old is not None and gid == _KEEP and old.st_gid != now.st_gid:
            with suppress(PermissionError):  # the agent's user is not in that group
                os.fchown(descriptor, _KEEP, old.st_gid)
        if uid not in (_KEEP, now.st_uid) or gid not in (_KEEP, now.st_gid):
            os.fchown(descriptor, uid, gid)  # before the mode: it takes set-user-ID away
        os.fchmod(descriptor, self.file_mode(entry))


def parse_attributes(mode: int | None, owner: str) -> Attributes:
    """`owner`: USER, USER:GROUP or `USER:` for the user's main group; names or numbers.

    Raises TransferError: this host has no such user or group.
    """
    if not owner:
        return Attributes(mode)
    user, colon, group = owner.partition(":")
    uid = _number(user)
    gid = _KEEP
    try:
        if uid is None:
            uid = pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        raise TransferError(
            f"This host has no user {user[:80]!r}, who is to own the files."
        ) from None
    try:
        if group:
            number = _number(group)
            gid = grp.getgrnam(group).gr_gid if number is None else number
        elif colon:
            gid = pwd.getpwuid(uid).pw_gid
    except (KeyError, ValueError):
        missing = f"group {group[:80]!r}" if group else f"main group for the user {user[:80]!r}"
        raise TransferError(f"This host has no {missing}, which is to own the files.") from None
    return Attributes(mode, uid, gid)


def _number(text: str) -> int | None:
    """The number of a user or group that is given by it; None for a name. Raises TransferError."""
    if not (text.isascii() and text.isdigit()):
        return None
    number = int(text[:20])
    if number >= 0xFFFF_FFFF:
        raise TransferError(f"{text[:20]} is no number of a user or group.")
    return number
