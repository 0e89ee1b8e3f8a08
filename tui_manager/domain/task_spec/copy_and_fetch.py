"""Files on their way to or from hosts: what is stored of them, the steps that copy and fetch, and
what became of them on a host."""

import re
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.text_and_variables import check_text

MODE_MAX = 0o7777
PATH_LENGTH = 4095  # bytes: Linux takes 4,096 with the NUL (PATH_MAX)
PATHS_MAX = 1000  # of one fetch
SOURCES_SHOWN = 20  # of one copy
MANIFEST_LENGTH = 1 << 30  # bytes: about ten million files
_SHA256 = r"[0-9a-f]{64}"
_OWNER_PART = r"(?!-)[^\s:/\0-\x1f\x7f-\x9f\ud800-\udfff]{1,128}"
_OWNER = f"{_OWNER_PART}(:{_OWNER_PART})?"
_BUILD = r"[0-9a-f]{12}"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_SHOWN = 80  # characters of a wrong value in an error


class FileSetPart(StrEnum):
    """One of the two things that a file set consists of."""

    MANIFEST = "manifest"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files that a manager stores, or is to store: a manifest and the data.

    Attributes:
        sha256: of the manifest, 64 hex digits. It names the set, as the manifest has the hash of
            each file.
        manifest_size: bytes.
        size: bytes of the data: the distinct files one after another.
        files: how many, without folders.
        bytes: of all files; equal ones count each time.
    """

    sha256: str
    manifest_size: int
    size: int
    files: int
    bytes: int

    @property
    def sizes(self) -> dict[FileSetPart, int]:
        """Bytes of each part, the manifest first."""
        return {FileSetPart.MANIFEST: self.manifest_size, FileSetPart.DATA: self.size}

    def check(self) -> None:
        """Raises InvalidInputError("files") for what no set can be."""
        if not re.fullmatch(_SHA256, self.sha256):
            raise InvalidInputError(
                "files", f"{self.sha256[:_SHOWN]!r} is not a SHA-256: it has 64 hex digits."
            )
        if not 0 < self.manifest_size <= MANIFEST_LENGTH:
            raise InvalidInputError(
                "files",
                f"A manifest has from 1 to {MANIFEST_LENGTH} bytes; {self.manifest_size} is not.",
            )
        if not 0 <= self.size <= self.bytes or self.files < 0:
            raise InvalidInputError("files", "The sizes of the files contradict each other.")


@dataclass(frozen=True, slots=True)
class CopySpec:
    """A step that writes files on its hosts.

    Attributes:
        files: which the manager must have stored before the task is created.
        to: absolute. If it is a folder of the host, or ends in `/`, it takes the files under their
            names; else it is the name of the only one.
        mode: permission bits of the files; None: as at the source.
        owner: USER or USER:GROUP; empty: an existing file keeps its owner.
        backup: the old file stays beside the new one under another name.
        sources: what was copied, to be shown.
    """

    files: FileSet
    to: str
    mode: int | None = None
    owner: str = ""
    backup: bool = False
    sources: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it does: `copy app.conf, keys and 3 more to /etc/app/`."""
        return f"copy {_some(self.sources) or 'files'} to {self.to}"

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        self.files.check()
        check_host_path("to", self.to)
        if self.mode is not None and not 0 <= self.mode <= MODE_MAX:
            raise InvalidInputError("mode", f"A mode is from 0 to 7777; {self.mode:o} is not.")
        if self.owner and not re.fullmatch(_OWNER, self.owner):
            raise InvalidInputError(
                "owner",
                f"{self.owner[:_SHOWN]!r} is not an owner: USER or USER:GROUP, without spaces.",
            )
        if len(self.sources) > SOURCES_SHOWN:
            raise InvalidInputError("files", f"At most {SOURCES_SHOWN} sources are shown.")
        for source in self.sources:
            check_text("files", source)


@dataclass(frozen=True, slots=True)
class FetchSpec:
    """A step that reads files of its hosts.

    Attributes:
        paths: absolute.
        recursive: folders with what is in them.
        to: the folder of the operator for which it was made, to be shown; may be empty.
    """

    paths: tuple[str, ...]
    recursive: bool = False
    to: str = ""

    @property
    def title(self) -> str:
        """What it does: `fetch /var/log/syslog`."""
        return f"fetch {_some(self.paths)}"

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        if not 0 < len(self.paths) <= PATHS_MAX:
            raise InvalidInputError(
                "paths", f"A fetch has from 1 to {PATHS_MAX} paths, not {len(self.paths)}."
            )
        for path in self.paths:
            check_host_path("paths", path)
        check_text("to", self.to)


@dataclass(frozen=True, slots=True)
class UpdateSpec:
    """A step that replaces the agents of its hosts by another version.

    Attributes:
        files: a single file, the bundle, which the manager must have stored before the task is
            created.
        version, build, system, arch: as the manifest of the bundle says.
    """

    files: FileSet
    version: str
    build: str
    system: str
    arch: str

    @property
    def title(self) -> str:
        """What it does: `update the agent to 0.3.0 (build 0123456789ab)`."""
        return f"update the agent to {self.named}"

    @property
    def named(self) -> str:
        """`0.3.0 (build 0123456789ab)`."""
        return with_build(self.version, self.build)

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        self.files.check()
        if self.files.files != 1:
            raise InvalidInputError("files", "An update has a single file, the bundle.")
        if not re.fullmatch(_BUILD, self.build):
            raise InvalidInputError("build", f"{self.build[:_SHOWN]!r} is not a build.")
        for name in ("version", "system", "arch"):
            if not re.fullmatch(_WORD, value := getattr(self, name)):
                raise InvalidInputError(name, f"{value[:_SHOWN]!r} is no {name}.")


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a copy, a fetch or an update did on a host; while it runs, what it has done until now.

    Attributes:
        bytes: of all its files; while it runs: of those that are done, and of a part of the next.
        files: without folders.
        unchanged_files: of a copy: the host had them.
        received_bytes: that had to be sent for it.
        sha256: of the file if it is one file, else of the manifest; empty: it has not completed.
        stored: of a fetch: what it brings, once the host has found it; None: of a copy.
    """

    bytes: int
    files: int
    unchanged_files: int = 0
    received_bytes: int = 0
    sha256: str = ""
    stored: FileSet | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the host had all files of a copy."""
        return bool(self.sha256) and 0 < self.files == self.unchanged_files


def check_host_path(name: str, path: str) -> None:
    """Raises InvalidInputError(name) unless a host can have this path."""
    check_text(name, path)
    if not path.startswith("/"):
        raise InvalidInputError(
            name, f"{path[:_SHOWN]!r} does not begin with '/': a path on a host is absolute."
        )
    if len(path.encode()) > PATH_LENGTH:
        raise InvalidInputError(name, f"A path has at most {PATH_LENGTH} bytes.")
    if ".." in path.split("/"):
        raise InvalidInputError(name, f"{path[:_SHOWN]!r} has '..' in it; write where it leads.")


def with_build(version: str, build: str) -> str:
    """How people read an agent everywhere: `0.3.0 (build 0123456789ab)`; without a build, the
    version."""
    return f"{version} (build {build})" if build else version


def _some(names: tuple[str, ...]) -> str:
    """The first two of them."""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
