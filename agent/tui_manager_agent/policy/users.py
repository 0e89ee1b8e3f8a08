"""Users of this host: the agent's own, and those who can run a command."""

import os
import pwd

from tui_manager_protos.lazy_dataclass import dataclass

SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with everything that a process of theirs has.

    Attributes:
        groups: supplementary ones, the main one included.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str

    @property
    def folder(self) -> str:
        """Where their commands run: the home folder, or the root folder if they have none."""
        return self.home if os.path.isdir(self.home) else "/"


def own() -> Account:
    """The agent's user. In a container it may not be in passwd."""
    uid, gid, groups = os.geteuid(), os.getegid(), tuple(os.getgroups())
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, gid, groups, os.environ.get("HOME", "/"), SHELL)
    return Account(entry.pw_name, uid, gid, groups, entry.pw_dir, entry.pw_shell or SHELL)


def find(name: str) -> Account | None:
    """The user of that name, if there is one. May take long if the system asks a directory."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):  # no name holds a NUL
        return None
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    shell = entry.pw_shell or SHELL
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, shell)
