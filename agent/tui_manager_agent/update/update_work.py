"""The work of an update until the agent can become the new version: the bundle is pulled, checked
and unpacked, and the new program is tried. Until then, nothing that is in use is changed."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from select import POLLIN, poll

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    read_entries,
)

from tui_manager_agent import installation
from tui_manager_agent.files.copy.copy_work import pull_manifest
from tui_manager_agent.files.copy.piece_requests import PieceRequests
from tui_manager_agent.files.copy.write_files import MANIFEST
from tui_manager_agent.files.file_problems import describe
from tui_manager_agent.files.hashing import hash_file
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.identity import child_process
from tui_manager_agent.installation import Installation
from tui_manager_agent.journal.transfer_records import Transferred, UpdateOrder
from tui_manager_agent.policy.policy import RefusedError, UpdateRequest
from tui_manager_agent.policy.policy_file import PolicyFile
from tui_manager_agent.supervisor import record
from tui_manager_agent.update import trial_record
from tui_manager_agent.update.versions import Versions

BUNDLE_MOST = 640 << 20  # bytes
MANIFEST_MOST = 64 << 10  # bytes of the list of files, which has one
TRY_WITHIN = 60.0  # seconds for the new program to say its version
_UNPACK_WITHIN = 1800.0  # seconds; a slow disk takes long
_HEAD = 128 << 10  # bytes of a bundle in which its signatures are
_ROOM = 16 << 20  # bytes that must stay free beside an unpacked version
_BUNDLE = "bundle"  # in the folder of the execution
_PROGRAM = "tui_manager_agent.update.bundle_program"
_SAID = 4096  # bytes of what the new program says that are read
_SHOWN = 200  # characters
_LOOK_EVERY = 200  # ms


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version that the agent can become.

    Attributes:
        new: its name.
        lock: a descriptor; while it is open, nobody else updates from this folder.
        done: what the result says of the bundle, once the new version was accepted.
    """

    versions: Versions
    new: str
    lock: int
    done: Transferred


class UpdateWork:
    """See `TransferWork`.

    Args:
        folder: of the execution.

    Attributes:
        prepared: what `run` has prepared; None: this version runs already.
    """

    def __init__(
        self,
        order: UpdateOrder,
        execution_id: str,
        folder: Path,
        pull: PieceRequests,
        policy: PolicyFile,
        here: Installation,
        state_dir: Path,
        stop: StopSignal,
    ) -> None:
        self._order = order
        self._id = execution_id
        self._folder = folder
        self._pull = pull
        self._policy = policy
        self._here = here
        self._state_dir = state_dir
        self._stop = stop
        self._versions = Versions(here.root or Path("/nonexistent"), execution_id)
        self._name = f"{order.version}-{order.build}"
        self._lock = -1
        self._bytes = self._received = 0
        self.prepared: Prepared | None = None

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def files(self) -> int:
        return int(self.prepared is not None)

    def run(self) -> Transferred:
        order, here = self._order, self._here
        pull_manifest(order.files, self._folder, self._pull, self._stop)
        entry = self._entry()
        if (order.version, order.build) == (here.version, here.build):
            runs = installation.with_build(here.version, here.build)
            return self._transferred(entry, unchanged=1, detail=f"{runs} runs already")
        if self._versions.current() != here.name:
            raise TransferError(
                f"{self._versions.root / installation.CURRENT} does not name the version that this "
                f"agent runs, {here.name}. Restart the agent, then run it again."
            )
        self._pull_bundle(entry)
        try:
            self._unpack()
        except OSError as error:
            path = os.fsencode(error.filename or self._versions.root)
            raise TransferError(describe(path, error)) from error
        done = self._transferred(entry)
        self.prepared = Prepared(self._versions, self._name, self._lock, done)
        return done

    def discard(self) -> None:
        self.prepared = None
        if self._here.root is not None and self._name != self._here.name:
            if self._lock >= 0:
                self._versions.discard(self._name)
            self._versions.discard_own(self._name)
        trial_record.release(self._state_dir)
        self._unlock()

    def _transferred(self, entry: Entry, *, unchanged: int = 0, detail: str = "") -> Transferred:
        return Transferred(
            sha256=entry.sha256,
            manifest_sha256=self._order.files.sha256,
            bytes=entry.size,
            files=1,
            unchanged_files=unchanged,
            received_bytes=self._received,
            detail=detail,
        )

    # ------------------------------------------------------------------------------- the bundle

    def _entry(self) -> Entry:
        """The one file of the set. Raises TransferError."""
        with (self._folder / MANIFEST).open("rb") as file:
            try:
                entry, *more = read_entries(file)
            except (ManifestError, ValueError):
                raise _wrong_files() from None
        if more or entry.kind is not EntryKind.FILE or not 0 < entry.size <= BUNDLE_MOST:
            raise _wrong_files()
        return entry

    def _pull_bundle(self, entry: Entry) -> None:
        """Gets the bundle, and checks its signatures as soon as they are here. Goes on with what an
        earlier agent has got. Raises as `TransferWork.run`."""
        path = self._folder / _BUNDLE
        with open(path, "ab", buffering=0, opener=record.open_private) as file:
            if file.tell() > entry.size:
                file.truncate(0)
            had = self._bytes = file.seek(0, os.SEEK_END)
            self._check_room(entry.size - had, self._folder)
            self._pull_to(min(_HEAD, entry.size), file.fileno())
            self._check_bundle(path)
            self._pull_to(entry.size, file.fileno())
        if self._is_whole(path, entry):
            return
        path.unlink()
        if had:  # of an earlier agent: the host may have crashed under it
            self._bytes = 0
            self._pull_bundle(entry)
        else:
            raise TransferError("The manager has sent another bundle than it had announced.")

    def _pull_to(self, end: int, descriptor: int) -> None:
        self._pull.want(self._bytes, max(0, end - self._bytes))
        while self._bytes < end:
            piece = self._pull.read()
            data = bytes(piece) if isinstance(piece, int) else piece
            record.write_all(descriptor, data)
            self._bytes += len(data)
            self._received += len(data)

    def _is_whole(self, path: Path, entry: Entry) -> bool:
        with path.open("rb") as file:
            hashed = hash_file(file.fileno(), entry.size, self._stop.check)
        return hashed.digest() == entry.sha256

    def _check_bundle(self, path: Path) -> None:
        """Raises TransferError, and RefusedError if no key has signed it that may."""
        keys = self._policy.update_keys(UpdateRequest(self._order.version))
        has_policy = keys is not None
        if keys is None:
            keys = self._versions.update_keys()
        order = {
            "bundle": str(path),
            "trusted": " ".join(keys),
            "version": self._order.version,
            "build": self._order.build,
        }
        answer = self._ask("check", order)
        if "untrusted" in answer:
            if has_policy:
                raise self._policy.refuse_bundle(answer["untrusted"])
            where = self._versions.root / installation.UPDATE_KEYS
            remedy = f"Sign it with a key that is in {where} on the host."
            raise RefusedError("rejected", f"{answer['untrusted']} {remedy}")
        self._check_room(int(answer["unpacked"]) + _ROOM, self._versions.root)

    def _check_room(self, size: int, folder: Path) -> None:
        """Raises TransferError unless the disk has so many bytes of room."""
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
        if free < size:
            raise TransferError(
                f"The disk of {folder} has {free >> 20} MiB of room, and {(size >> 20) + 1} MiB "
                "are needed. Make room, then run it again."
            )

    # --------------------------------------------------------------------------- the new version

    def _unpack(self) -> None:
        """Raises TransferError, StoppedError, OSError."""
        versions, name = self._versions, self._name
        self._lock = versions.lock(self._stop)
        versions.discard_own(name)
        unpacked = versions.unpacking(name)
        self._ask(
            "unpack",
            {"bundle": str(self._folder / _BUNDLE), "folder": str(unpacked)},
            within=_UNPACK_WITHIN,
        )
        self._try(unpacked / installation.PROGRAM)
        self._stop.check()
        versions.place(name)
        versions.prepare(self._here.name, name)
        trial_record.reserve(self._state_dir)

    def _try(self, program: Path) -> None:
        """Raises TransferError unless the new program starts and says its version."""
        try:
            said, status = run_briefly((str(program), "--version"), self._stop)
        except OSError as error:
            raise TransferError(describe(os.fsencode(program), error, "started")) from error
        words = f"tui-manager-agent {self._order.version}"
        if status or said.strip() != words:
            shown = said.strip().partition("\n")[0][:_SHOWN]
            raise TransferError(
                f"The new version does not start on this host: its --version "
                f"{_describe_end(status)}, and said {shown!r}."
            )

    def _ask(
        self, verb: str, order: dict[str, str], *, within: float = child_process.ANSWER_WITHIN
    ) -> dict[str, str]:
        """Asks the child program. Raises TransferError, StoppedError, OSError."""
        try:
            return child_process.ask_and_block(
                _PROGRAM, verb, order=order, within=within, on_start=self._stop.call_when_set
            )
        except child_process.ProblemError as error:
            raise TransferError(str(error)) from error
        except child_process.ChildError as error:
            self._stop.check()
            raise TransferError(f"The bundle could not be used: {error}.") from error

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def run_briefly(command: Sequence[str], stop: StopSignal) -> tuple[str, int | None]:
    """Runs a program that ends soon, whatever it does. Returns the beginning of what it says, and
    its status, None if it had to be killed. Raises StoppedError, OSError."""
    process = subprocess.Popen(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said = _read_briefly(process, stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0 if said is None else 1)
        return (said or b"").decode("utf-8", "replace"), process.poll()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def _read_briefly(process: "subprocess.Popen[bytes]", stop: StopSignal) -> bytes | None:
    """What a program says until it closes its end; None if it says too much or takes too long."""
    assert process.stdout is not None
    give_up_at = time.monotonic() + TRY_WITHIN
    waiting = poll()
    waiting.register(process.stdout, POLLIN)
    said = b""
    while time.monotonic() < give_up_at:
        stop.check()
        if waiting.poll(_LOOK_EVERY):
            data = os.read(process.stdout.fileno(), _SAID)
            if not data:
                return said
            said += data
            if len(said) > _SAID:
                return None
    return None


def _describe_end(status: int | None) -> str:
    if status is None:
        return "did not end"
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _wrong_files() -> TransferError:
    return TransferError(
        f"The manager has sent what is no bundle: one file of at most {BUNDLE_MOST >> 20} MiB."
    )
