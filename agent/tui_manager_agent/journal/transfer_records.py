"""What a copy, a fetch or an update is to do, and what it has done, as values; on disk they are
entries of the records of an order and of a result.

Their names differ from those of a command's entries. So an older agent notices that it cannot read
such an order, and ends it.
"""

from collections.abc import Mapping

from tui_manager_protos.lazy_dataclass import dataclass

_PATH = "fetch_path:"  # prefix of the paths of a fetch, counted from 0
_COPY, _FETCH, _UPDATE = "copy_to", "fetch", "update_version"  # by these an order is known


@dataclass(frozen=True, slots=True)
class FileSet:
    """Which files, by their manifest.

    Attributes:
        sha256: of the manifest, 32 bytes.
        manifest_size: bytes.
        size: bytes of the data.
        files: without folders.
        bytes: of all files; equal ones count each time.
    """

    sha256: bytes
    manifest_size: int
    size: int
    files: int
    bytes: int


def _entries_of_files(kind: str, files: FileSet) -> dict[str, object]:
    """The part of an order's record that names its files."""
    return {
        f"{kind}_manifest": files.sha256.hex(),
        f"{kind}_manifest_size": files.manifest_size,
        f"{kind}_size": files.size,
        f"{kind}_files": files.files,
        f"{kind}_bytes": files.bytes,
    }


def _decode_files(kind: str, entries: Mapping[str, str]) -> FileSet:
    """Raises KeyError, ValueError."""
    return FileSet(
        bytes.fromhex(entries[f"{kind}_manifest"]),
        int(entries[f"{kind}_manifest_size"]),
        int(entries[f"{kind}_size"]),
        int(entries[f"{kind}_files"]),
        int(entries[f"{kind}_bytes"]),
    )


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """Files that are to be written on this host.

    Attributes:
        to: absolute.
        mode: of all files; None: as in the manifest.
        owner: USER or USER:GROUP; empty: see `files/`.
        backup: the old file stays beside the new one.
    """

    files: FileSet
    to: str
    mode: int | None = None
    owner: str = ""
    backup: bool = False

    def entries(self) -> dict[str, object]:
        """Its part of the order's record."""
        entries: dict[str, object] = {
            _COPY: self.to,
            **_entries_of_files("copy", self.files),
            "copy_owner": self.owner,
            "copy_backup": int(self.backup),
        }
        if self.mode is not None:
            entries["copy_mode"] = self.mode
        return entries

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "CopyOrder":
        """Raises KeyError, ValueError."""
        return cls(
            _decode_files("copy", entries),
            entries[_COPY],
            mode=int(entries["copy_mode"]) if "copy_mode" in entries else None,
            owner=entries["copy_owner"],
            backup=entries["copy_backup"] == "1",
        )


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """Files of this host that are to be sent to the manager.

    Attributes:
        paths: absolute.
        recursive: folders with what is in them.
    """

    paths: tuple[str, ...]
    recursive: bool = False

    def entries(self) -> dict[str, object]:
        """Its part of the order's record."""
        paths = {f"{_PATH}{number}": path for number, path in enumerate(self.paths)}
        return {_FETCH: len(self.paths), "fetch_recursive": int(self.recursive), **paths}

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "FetchOrder":
        """Raises KeyError, ValueError."""
        paths = [entries[f"{_PATH}{number}"] for number in range(int(entries[_FETCH]))]
        return cls(tuple(paths), recursive=entries["fetch_recursive"] == "1")


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """Another version of the agent, which is to take the place of the one that runs.

    Attributes:
        files: one file, the bundle.
        version, build, system, arch: of the bundle, as the manager says.
    """

    files: FileSet
    version: str
    build: str
    system: str
    arch: str

    def entries(self) -> dict[str, object]:
        """Its part of the order's record."""
        return {
            _UPDATE: self.version,
            "update_build": self.build,
            "update_system": self.system,
            "update_arch": self.arch,
            **_entries_of_files("update", self.files),
        }

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "UpdateOrder":
        """Raises KeyError, ValueError."""
        return cls(
            _decode_files("update", entries),
            entries[_UPDATE],
            *(entries[f"update_{name}"] for name in ("build", "system", "arch")),
        )


TransferOrder = CopyOrder | FetchOrder | UpdateOrder


def decode_transfer(entries: Mapping[str, str]) -> TransferOrder | None:
    """The transfer that an order is about; None if it is about a command.

    Raises KeyError, ValueError.
    """
    if _COPY in entries:
        return CopyOrder.decode(entries)
    if _UPDATE in entries:
        return UpdateOrder.decode(entries)
    return FetchOrder.decode(entries) if _FETCH in entries else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What a copy, a fetch or an update that completed has done.

    Attributes:
        sha256: of the file if it is one file, else of the manifest; 32 bytes.
        manifest_sha256: 32 bytes.
        bytes: of all its files.
        files: without folders.
        unchanged_files: of a copy: that were there already, with their mode and owner; of an
            update: 1 if this version runs already.
        received_bytes: of a copy or an update: that the manager had to send, zeros included.
        detail: what the operator should know beside, such as files that were left out. It is not
            in these entries, but the result's own.
    """

    sha256: bytes
    manifest_sha256: bytes
    bytes: int
    files: int
    unchanged_files: int
    received_bytes: int
    detail: str = ""

    def entries(self) -> dict[str, object]:
        """Its part of the result's record."""
        return {
            "transfer_bytes": self.bytes,
            "transfer_files": self.files,
            "transfer_unchanged_files": self.unchanged_files,
            "transfer_received_bytes": self.received_bytes,
            "transfer_sha256": self.sha256.hex(),
            "transfer_manifest": self.manifest_sha256.hex(),
        }

    @classmethod
    def decode(cls, entries: Mapping[str, str]) -> "Transferred | None":
        """None if the result is of a command. Raises KeyError, ValueError."""
        if "transfer_bytes" not in entries:
            return None
        return cls(
            sha256=bytes.fromhex(entries["transfer_sha256"]),
            manifest_sha256=bytes.fromhex(entries["transfer_manifest"]),
            bytes=int(entries["transfer_bytes"]),
            files=int(entries["transfer_files"]),
            unchanged_files=int(entries["transfer_unchanged_files"]),
            received_bytes=int(entries["transfer_received_bytes"]),
        )
