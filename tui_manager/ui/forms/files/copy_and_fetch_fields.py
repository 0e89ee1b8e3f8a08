"""The fields of the form for a new task that copy files to hosts or fetch files from them, their
errors, and the step that they ask for. Pure."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import SOURCES_SHOWN, CopySpec, FetchSpec, FileSet

_EXAMPLE_SET = FileSet("0" * 64, 1, 0, 0, 0)
_EXAMPLE_TO = "/DEST"
_MODE = re.compile("0?[0-7]{3,4}")


class TaskKind(StrEnum):
    """What the task of a form does."""

    COMMAND = "command"  # or a script
    COPY = "copy"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class CopyAndFetchTexts:
    """The texts as they are typed.

    Attributes:
        files: of a copy: paths on this machine, quoted as in a shell.
        to: the path on the hosts.
        mode: octal digits; empty: as here.
        recursive, folders: folders with what is in them; of a copy, of a fetch.
        backup: old files are kept beside the new ones.
        paths: of a fetch: paths on the hosts, quoted as in a shell.
        folder: on this machine, in which they are saved; empty: in none yet.
        found: what the files of this machine were read to; None: they were not read yet.
        stored: the files of the task that is copied, which the manager has; None: there are none.
        stored_as: what is in `files` while it stands for these.
    """

    files: str = ""
    to: str = ""
    mode: str = ""
    owner: str = ""
    recursive: bool = False
    backup: bool = False
    paths: str = ""
    folder: str = ""
    folders: bool = False
    found: FileSet | None = None
    stored: FileSet | None = None
    stored_as: str = ""

    @property
    def uses_stored(self) -> bool:
        """Whether it copies what the manager has stored, and not files of this machine."""
        return self.stored is not None and self.files.strip() == self.stored_as

    def copy(self) -> CopySpec:
        """The copy that is asked for. Raises InvalidInputError with the field."""
        sources = split_paths("files", self.files)
        if not sources:
            raise InvalidInputError("files", "Name the files of this machine to copy.")
        if not self.to.strip():
            raise InvalidInputError("to", "Say where they go on the hosts, like /etc/app/.")
        found = self.stored if self.uses_stored else self.found
        if found is None:
            raise InvalidInputError("files", "The files are not read yet.")
        made = CopySpec(
            found,
            self.to.strip(),
            mode=_parse_mode(self.mode.strip()),
            owner=self.owner.strip(),
            backup=self.backup,
            sources=tuple(map(_name, sources[:SOURCES_SHOWN])),
        )
        made.check()
        return made

    def fetch(self) -> FetchSpec:
        """The fetch that is asked for. Raises InvalidInputError with the field."""
        paths = split_paths("paths", self.paths)
        if not paths:
            raise InvalidInputError("paths", "Name the files of the hosts to fetch.")
        made = FetchSpec(paths, recursive=self.folders, to=self.folder.strip())
        try:
            made.check()
        except InvalidInputError as error:
            raise InvalidInputError(
                "folder" if error.field == "to" else error.field, str(error)
            ) from error
        return made

    def problems(self, kind: TaskKind) -> Mapping[str, str]:
        """The errors by field. An empty field has none yet."""
        found: dict[str, str] = {}
        names = {TaskKind.COPY: ("files", "to", "mode", "owner"),
                 TaskKind.FETCH: ("paths", "folder")}.get(kind, ())  # fmt: skip
        for name in names:
            if text := getattr(self, name).strip():
                try:
                    alone = replace(_EXAMPLE, **{name: text})
                    alone.copy() if kind is TaskKind.COPY else alone.fetch()
                except InvalidInputError as error:
                    found.setdefault(error.field, str(error))
        return found

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The paths on this machine as any folder understands them; none if what is stored is
        copied. Raises RuntimeError if there is no such home folder, and InvalidInputError."""
        if self.uses_stored:
            return ()
        return tuple(
            str(Path(path).expanduser().absolute()) for path in split_paths("files", self.files)
        )

    def with_any_files(self) -> "CopyAndFetchTexts":
        """The same as if the files were read, where only their names matter."""
        return replace(self, found=self.found or _EXAMPLE_SET)

    def complete(self) -> "CopyAndFetchTexts":
        """The same with words in place of what is not typed or not read yet."""
        return replace(
            self,
            files=self.files.strip() or "FILE",
            to=self.to.strip() or _EXAMPLE_TO,
            paths=self.paths.strip() or "/PATH",
            folder=self.folder.strip() or "DIR",
            found=self.found or _EXAMPLE_SET,
        )


_EXAMPLE = CopyAndFetchTexts("FILE", _EXAMPLE_TO, paths="/PATH", found=_EXAMPLE_SET)
NO_FILES = CopyAndFetchTexts()


def texts_of(copy: CopySpec | None, fetch: FetchSpec | None) -> CopyAndFetchTexts:
    """What is typed for a step of a task that is there already: the names of its files stand for
    those that the manager has stored."""
    if copy is not None:
        named = shlex.join(copy.sources)
        return CopyAndFetchTexts(
            files=named,
            to=copy.to,
            mode="" if copy.mode is None else f"{copy.mode:04o}",
            owner=copy.owner,
            backup=copy.backup,
            stored=copy.files,
            stored_as=named,
        )
    if fetch is not None:
        return CopyAndFetchTexts(
            paths=shlex.join(fetch.paths), folder=fetch.to, folders=fetch.recursive
        )
    return NO_FILES


def split_paths(field: str, text: str) -> tuple[str, ...]:
    """The paths in a field. Raises InvalidInputError(field) if a quote is not closed."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidInputError(field, f"A quote is not closed: {error}.") from error


def place_note(folder: str, to: str) -> str:
    """Says that a folder may come to two places on hosts; empty: it does not.

    Args:
        folder: the name of the folder if it is the only source.
        to: the path on the hosts as it is typed.
    """
    if not folder or not to or to.endswith("/"):
        return ""
    return f"becomes {to}/{folder} where it is a folder; end it with / for the same place each time"


def _name(path: str) -> str:
    """What hosts call it."""
    return path.rstrip("/").rpartition("/")[2] or path


def _parse_mode(text: str) -> int | None:
    if not text:
        return None
    if not _MODE.fullmatch(text):
        raise InvalidInputError("mode", f"{text[:20]}: A mode is octal, like 0640 or 755.")
    return int(text, 8)
