"""Finds the files of a fetch on this host: walks the folders, hashes the files, writes the
manifest.

Links to files are followed. In a folder, links to folders, devices, fifos and sockets are left
out, and so is the agent's state folder. If a file cannot be read, nothing is fetched, and the
operator is told which files.
"""

import errno
import os
import pwd
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TypeVar

from tui_manager_protos.rules.files.file_manifest import ManifestError

from tui_manager_agent.files.fetch.fetch_refusals import check_given_path
from tui_manager_agent.files.fetch.found_files import FoundFiles
from tui_manager_agent.files.fetch.open_to_read import (
    OpenedFile,
    OtherKindError,
    OwnFileError,
    kind_of,
    list_folder,
)
from tui_manager_agent.files.hashing import add_zeros, new_sha256
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.journal.transfer_records import FetchOrder
from tui_manager_agent.policy.file_rules import FileRules, show_path
from tui_manager_agent.policy.policy import RefusedError

_PROBLEMS = 3  # are named
_KEPT_LIMIT = 64 << 20  # bytes of files that have no size
_OWN = "state folder of the agent"
_PLURALS = {
    "link to a folder": "links to folders",
    "link that leads nowhere": "links that lead nowhere",
}
_Result = TypeVar("_Result")


class FindFiles:
    """One walk over the paths of a fetch.

    Args:
        count: is called with the bytes and the files that were read since the last call.
    """

    def __init__(
        self,
        order: FetchOrder,
        found: FoundFiles,
        rules: FileRules,
        own: ProtectedFiles,
        stop: StopSignal,
        count: Callable[[int, int], None],
    ) -> None:
        self._found = found
        self._rules = rules
        self._own = own
        self._stop = stop
        self._count = count
        self._is_recursive = order.recursive
        self._given = {_path(text) for text in order.paths}
        self._added: set[bytes] = set()  # of those given
        self._left_out: Counter[str] = Counter()
        self._problems: dict[bytes, str] = {}

    def run(self) -> None:
        """Finds all, and finishes the set.

        Raises TransferError, RefusedError, StoppedError, OSError for the execution's own folder.
        """
        for path in sorted(self._given):
            if path not in self._added:
                self._add_given(path)
        if self._problems:
            raise TransferError(self._describe_problems())
        self._found.finish(_describe_left_out(self._left_out))

    def _add_given(self, path: bytes) -> None:
        status = self._try(path, lambda: os.stat(path))
        if status is None:
            return
        kind = kind_of(status)
        if kind == "file":
            self._add_file(path, is_given=True)
        elif kind == "folder" and self._is_recursive:
            self._walk(path)
        elif kind == "folder":
            self._note(path, "it is a folder. Fetch it with --recursive")
        else:
            self._note(path, f"it is a {kind}. Only files and folders are fetched")

    # ------------------------------------------------------------------------------------ folders

    def _walk(self, top: bytes) -> None:
        """Depth first, without recursion, so that no depth is too much."""
        pending = [self._enter(top, is_given=True)]
        while pending:
            path = next(pending[-1], None)
            if path is None:
                pending.pop()
            elif self._add_child(path):
                pending.append(self._enter(path, is_given=False))

    def _enter(self, path: bytes, *, is_given: bool) -> Iterator[bytes]:
        """Adds a folder, and returns what is in it."""
        listed = self._try(
            path,
            lambda: list_folder(path, self._rules, self._own, may_be_link=is_given),
            is_given=is_given,
        )
        if listed is None:
            return iter(())
        mode, names = listed
        if path != b"/":
            self._add(path, lambda: self._found.add_folder(path[1:], mode))
        beginning = path.rstrip(b"/") + b"/"
        return (beginning + name for name in names)

    def _add_child(self, path: bytes) -> bool:
        """Adds a file of a folder, or leaves out what is none. True: it is a folder."""
        self._stop.check()
        status = self._try(path, lambda: os.lstat(path), is_given=False)
        if status is None:
            return False
        is_link = stat.S_ISLNK(status.st_mode)
        kind = self._kind_of_target(path) if is_link else kind_of(status)
        if kind == "folder" and is_link:
            kind = "link to a folder"
        if kind == "file":
            self._add_file(path, is_given=False)
        elif kind and kind != "folder" and path not in self._given:
            self._left_out[kind] += 1
        return kind == "folder"

    def _kind_of_target(self, path: bytes) -> str:
        try:
            return kind_of(os.stat(path))
        except PermissionError as error:
            self._note(path, str(error.strerror))
            return ""
        except OSError:  # nothing is there, or links lead in a circle
            return "link that leads nowhere"

    # -------------------------------------------------------------------------------------- files

    def _add_file(self, path: bytes, *, is_given: bool) -> None:
        file = self._try(path, lambda: OpenedFile(path, self._rules, self._own), is_given=is_given)
        if file is None:
            return
        with closing(file):
            if self._problems:  # nothing is fetched: only whether it could be read is of interest
                return
            read = self._hash(path, file) if file.size else self._keep(path, file)
        if read is not None:
            size, sha256, kept = read
            self._add(path, lambda: self._found.add_file(path[1:], file.mode, size, sha256, kept))
            self._count(0, 1)

    def _hash(self, path: bytes, file: OpenedFile) -> tuple[int, bytes, None] | None:
        """Size and hash of a file as it is now. One that grows meanwhile ends where it ended when
        it was opened; one that shrinks, where it ends now."""
        hashed, size = new_sha256(), 0
        while size < file.size:
            self._stop.check()
            piece = self._try(path, partial(file.read, size, file.size - size))
            if piece is None:
                return None
            if not piece:
                break
            if isinstance(piece, int):
                add_zeros(hashed, piece, self._stop.check)
                length = piece
            else:
                hashed.update(piece)
                length = len(piece)
            size += length
            self._count(length, 0)
        return size, hashed.digest(), None

    def _keep(self, path: bytes, file: OpenedFile) -> tuple[int, bytes, int | None] | None:
        """Does the same for a file without a size. If it can be read all the same, as files in
        /proc, its bytes would be different the next time. So they are kept."""
        hashed, begin = new_sha256(), self._found.kept_size
        size = 0
        while True:
            self._stop.check()
            piece = self._try(path, file.read_on)
            if piece is None:
                return None
            if not piece:
                return size, hashed.digest(), begin if size else None
            if self._found.kept_size + len(piece) > _KEPT_LIMIT:
                limit = f"{_KEPT_LIMIT >> 20} MiB"
                self._note(path, f"it has no size, and of such files at most {limit} are fetched")
                return None
            hashed.update(piece)
            self._found.keep(piece)
            size += len(piece)
            self._count(len(piece), 0)

    def _add(self, path: bytes, add: Callable[[], None]) -> None:
        if path in self._given:
            self._added.add(path)
        try:
            add()
        except ManifestError as error:
            self._note(path, str(error))

    # ----------------------------------------------------------------------------------- problems

    def _try(
        self, path: bytes, read: Callable[[], _Result], *, is_given: bool = True
    ) -> _Result | None:
        """What `read` returns; None if that cannot be had. Then the problem is noted, except for
        what is not given and is only left out or gone."""
        try:
            return read()
        except (FileNotFoundError, NotADirectoryError) as error:
            if is_given:
                self._note(path, str(error.strerror))
        except OwnFileError:
            if is_given:
                self._note(path, "it belongs to the state folder of the agent, which is never read")
            else:
                self._left_out[_OWN] = 1
        except OtherKindError as error:
            if is_given:
                self._note(path, f"it is a {error} now")
            else:
                self._left_out[str(error)] += 1
        except OSError as error:
            self._note(path, str(error.strerror))
        except RefusedError:
            if path in self._given:
                self._refuse(path)
            raise
        return None

    def _note(self, path: bytes, problem: str) -> None:
        """Raises TransferError when there are too many to name, RefusedError if the policy does not
        let anybody know what is at this path."""
        try:
            self._rules.require_read(os.path.realpath(path), is_folder=None)
        except RefusedError:
            self._refuse(path)
            raise
        self._problems[path] = f"{show_path(path)} cannot be fetched: {problem}"
        if len(self._problems) > _PROBLEMS:
            raise TransferError(self._describe_problems())

    def _refuse(self, path: bytes) -> None:
        real = os.path.realpath(path)
        check_given_path(path, real, self._rules, is_recursive=self._is_recursive)

    def _describe_problems(self) -> str:
        named = "; ".join(list(self._problems.values())[:_PROBLEMS])
        more = "; and there are more" if len(self._problems) > _PROBLEMS else ""
        denied = os.strerror(errno.EACCES)
        who = f" The agent runs as {_own_name()}." if denied in named else ""
        return f"{named}{more}. Nothing was fetched.{who}"


def _path(text: str) -> bytes:
    """The path without empty parts and `.`.

    Raises TransferError if it is not absolute, or has `..`, which leads to different places before
    and after links are followed.
    """
    parts = [part for part in os.fsencode(text).split(b"/") if part not in (b"", b".")]
    if not text.startswith("/") or b".." in parts or "\0" in text:
        shown = show_path(text)
        raise TransferError(
            f"{shown} cannot be fetched: a path must begin with / and have no '..'."
        )
    return b"/" + b"/".join(parts)


def _describe_left_out(left_out: Counter[str]) -> str:
    """A sentence; empty if nothing was left out."""
    words = [
        f"the {kind}" if kind == _OWN else f"{count} {kind if count == 1 else _plural(kind)}"
        for kind, count in sorted(left_out.items())
    ]
    return f"left out: {', '.join(words)}" if words else ""


def _plural(kind: str) -> str:
    return _PLURALS.get(kind, f"{kind}s")


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
