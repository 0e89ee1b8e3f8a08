"""A request of the manager for a copy, a fetch or an update as its order, or why it is refused."""

from tui_manager_protos.v1 import agent_pb2 as wire

from tui_manager_agent.executions.transfers.file_messages import from_file_set
from tui_manager_agent.journal.transfer_records import (
    CopyOrder,
    FetchOrder,
    FileSet,
    TransferOrder,
    UpdateOrder,
)
from tui_manager_agent.policy.file_rules import show_path
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.update import update_work

_MODE_MOST = 0o7777
_MANIFEST_MOST = 1 << 30  # bytes; 100,000 files take about 15 MB
_SHA256 = 32  # bytes
_NAME = 80  # characters of a system and a processor


def make_transfer_order(run: wire.RunCommand) -> TransferOrder | None:
    """None if the request is for a command or a script. Raises RefusedError."""
    kinds = [kind for kind in ("copy", "fetch", "update") if run.HasField(kind)]
    if not kinds:
        return None
    runs = run.command or run.HasField("script") or run.HasField("stdin")
    if len(kinds) > 1 or runs:
        raise RefusedError("rejected", "the request has files and something to run as well")
    if run.run_as_user:
        problem = "the agent itself copies and fetches files, and not another user"
        raise RefusedError("rejected", f"{problem}: leave out {run.run_as_user[:80]}")
    if kinds == ["update"]:
        return _update(run.update)
    return _copy(run.copy) if kinds == ["copy"] else _fetch(run.fetch)


def _copy(copy: wire.CopyFiles) -> CopyOrder:
    _check_path(copy.to)
    files = _files(copy.files, _MANIFEST_MOST)
    if copy.mode > _MODE_MOST:
        raise RefusedError("rejected", f"{copy.mode:o} is no mode of a file")
    if "\0" in copy.owner:
        raise RefusedError("rejected", "a NUL byte cannot be part of an owner")
    mode = copy.mode if copy.HasField("mode") else None
    return CopyOrder(files, copy.to, mode=mode, owner=copy.owner, backup=copy.backup)


def _files(message: wire.FileSet, manifest_most: int) -> FileSet:
    files = from_file_set(message)
    if len(files.sha256) != _SHA256 or files.manifest_size > manifest_most:
        what = f"{files.manifest_size} bytes with the hash {files.sha256.hex()[:80]!r}"
        raise RefusedError("rejected", f"the agent takes no list of files of {what}")
    return files


def _update(update: wire.UpdateAgent) -> UpdateOrder:
    from tui_manager_protos.rules.files import agent_bundle  # here, because few agents need it

    try:
        agent_bundle.check_name(update.version, update.build)  # they name folders
    except agent_bundle.BundleError as error:
        raise RefusedError("rejected", str(error)) from error
    return UpdateOrder(
        _files(update.files, update_work.MANIFEST_MOST),
        update.version,
        update.build,
        *(name.replace("\0", "")[:_NAME] for name in (update.system, update.arch)),
    )


def _fetch(fetch: wire.FetchFiles) -> FetchOrder:
    if not fetch.paths:
        raise RefusedError("rejected", "the request names no file to fetch")
    for path in fetch.paths:
        _check_path(path)
    return FetchOrder(tuple(fetch.paths), recursive=fetch.recursive)


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        problem = f"{show_path(path)!r} is not absolute: a path on a host begins with /"
        raise RefusedError("rejected", problem)
    if "\0" in path:
        raise RefusedError("rejected", "a NUL byte cannot be part of a path")
