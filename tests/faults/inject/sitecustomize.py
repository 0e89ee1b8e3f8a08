"""Loaded by every Python that a fault test starts: failpoints, clocks that are wrong, short pauses.

Each part of a program is changed just after it was imported, so that what a program imports, and
when, stays as it is. Nothing here is part of the product.
"""

import datetime
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

sys.path.append(os.path.dirname(__file__))
_SHIFT = float(os.environ.get("FAULTS_SHIFT", "0"))  # seconds
_SHIFT_FILE = os.environ.get("FAULTS_SHIFT_FILE", "")  # holds more of them, now or later
POINTS = importlib.import_module("points").Points(os.environ.get("LD_FAULTS_ARM", ""))

_for_children: dict[str, str] = {}  # variables


class _Pointed(sqlite3.Connection):
    """A failpoint before each statement, and one on either side of a commit."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            POINTS.reach("statement")
            return super().execute(sql, *args)
        POINTS.reach("before.commit")
        cursor = super().execute(sql, *args)
        POINTS.reach("after.commit")
        return cursor

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        POINTS.reach("statement")
        return super().executemany(sql, *args)


class _Sqlite:
    """The module, but for the class of the writing connection."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, database: str, **options: Any) -> sqlite3.Connection:
        factory = _Pointed if "mode=rwc" in database else sqlite3.Connection
        return sqlite3.connect(database, factory=factory, **options)


class _ReachingStream:
    """A stream with a failpoint on either side of each message that is written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def write(self, message: Any) -> None:
        kinds = [message.WhichOneof("message")]
        if kinds == ["batch"]:
            kinds = [item.WhichOneof("message") for item in message.batch.messages]
        for kind in kinds:
            POINTS.reach(f"before.send_{kind}")
        await self._stream.write(message)
        for kind in kinds:
            POINTS.reach(f"after.send_{kind}")


def _with_failpoints(write: Callable[..., Any], position: int) -> Callable[..., Any]:
    async def write_with_failpoints(*args: Any) -> Any:
        return await write(*args[:position], _ReachingStream(args[position]), *args[position + 1 :])

    return write_with_failpoints


def _connection(module: Any) -> None:
    module.sqlite3 = _Sqlite()


def _units_of_work(module: Any) -> None:
    class Pointed(module.PostgresqlTransaction):  # type: ignore[misc]
        def execute(self, sql: str, *args: Any) -> Any:
            POINTS.reach("statement")
            return super().execute(sql, *args)

        def executemany(self, sql: str, *args: Any) -> Any:
            POINTS.reach("statement")
            return super().executemany(sql, *args)

    begin = module.begin

    def begin_pointed(*args: Any) -> Any:
        tx = begin(*args)
        tx.__class__ = Pointed
        return tx

    module.PostgresqlTransaction = Pointed
    module.begin = begin_pointed


def _counted_commits(module: Any) -> None:
    commits = module.CountedCommits
    commits.commit = POINTS.around("commit", commits.commit)


def _server(module: Any) -> None:
    service = module.CommandService
    module._write_next = _with_failpoints(module._write_next, 1)
    service._handle_message = POINTS.around_async("take_report", service._handle_message)


def _session(module: Any) -> None:
    session = module.Session
    session.queue_command = POINTS.around("hand_over", session.queue_command)
    session.queue_acknowledged = POINTS.around("acknowledge", session.queue_acknowledged)


def _link(module: Any) -> None:
    link = module.Link
    link._write = _with_failpoints(link._write, 1)
    handle = link._handle

    async def pointed(self: Any, kind: str, message: Any) -> Any:
        return await POINTS.around_async(f"handle_{kind}", handle)(self, kind, message)

    link._handle = pointed


def _spool(module: Any) -> None:
    spool = module.ExecutionFolder
    names = ("accept", "write_content", "mark_starting", "write_result", "request_cancel", "remove")
    for name in names:
        setattr(spool, name, POINTS.around(name, getattr(spool, name)))


def _acknowledged(module: Any) -> None:
    acknowledged = module.Acknowledged
    acknowledged.append = POINTS.around("append", acknowledged.append)


def _supervisors(module: Any) -> None:
    supervisors = module.Supervisors
    supervisors.start_supervisor = POINTS.around_async(
        "start_supervisor", supervisors.start_supervisor
    )


def _fork_server(module: Any) -> None:
    launch = module.launch
    _for_children["LD_FAULTS_PACKAGES"] = launch.__file__.rsplit("/", 3)[0]
    os.environ.update(_for_children)
    launch.__file__ = os.path.join(os.path.dirname(__file__), "launch.py")


def _incoming(module: Any) -> None:
    incoming = module.FileSetReceiver
    incoming.write = POINTS.around_async("store_piece", incoming.write)
    incoming.finish = POINTS.around_async("store_set", incoming.finish)


def _partial_file(module: Any) -> None:
    partial = module.PartialFile
    points = {"open": "open", "add": "add", "open_to_sync": "sync", "rename": "rename"}
    for name, point in points.items():
        setattr(partial, name, POINTS.around(f"{point}_partial", getattr(partial, name)))


def _write_progress(module: Any) -> None:
    progress = module.WriteProgress
    progress.write = POINTS.around("note_progress", progress.write)


def _versions(module: Any) -> None:
    versions = module.Versions
    for name, point in {"place": "place", "prepare": "prepare", "accept": "accept"}.items():
        setattr(versions, name, POINTS.around(f"{point}_version", getattr(versions, name)))


def _trial_record(module: Any) -> None:
    written = module.TrialRecord
    written.write = POINTS.around("write_trial", written.write)
    module.remove = POINTS.around("remove_trial", module.remove)


def _reconnect(module: Any) -> None:
    module.FIRST_PAUSE, module.LONGEST_PAUSE = 0.1, 0.5


def _identity(module: Any) -> None:
    machine_id = module.machine_id
    module.machine_id = lambda: os.environ.get("FAULTS_MACHINE_ID") or machine_id()


def _cgroup_support(module: Any) -> None:
    find = module.find_cgroup_root

    def find_cgroup_root(agent: str) -> Any:
        """None with this variable: agents find no cgroups on their hosts."""
        return None if os.environ.get("FAULTS_NO_CGROUPS") else find(agent)

    module.find_cgroup_root = find_cgroup_root


_CHANGES: dict[str, Callable[[Any], None]] = {
    "tui_manager.storage.engine.postgresql.writing.counted_commits": _counted_commits,
    "tui_manager.storage.engine.postgresql.writing.units_of_work": _units_of_work,
    "tui_manager.storage.engine.sqlite.connection": _connection,
    "tui_manager.service.files.receive_file_set": _incoming,
    "tui_manager.transport.sessions.command_port": _server,
    "tui_manager.transport.sessions.session": _session,
    "tui_manager_agent.executions.orders.cgroup_support": _cgroup_support,
    "tui_manager_agent.files.copy.partial_file": _partial_file,
    "tui_manager_agent.files.copy.write_progress": _write_progress,
    "tui_manager_agent.identity.identity": _identity,
    "tui_manager_agent.link.link": _link,
    "tui_manager_agent.journal.execution_folder": _spool,
    "tui_manager_agent.journal.acknowledged": _acknowledged,
    "tui_manager_agent.executions.fork_server_client": _fork_server,
    "tui_manager_agent.executions.supervisors": _supervisors,
    "tui_manager_agent.link.reconnect": _reconnect,
    "tui_manager_agent.update.trial_record": _trial_record,
    "tui_manager_agent.update.versions": _versions,
}


class _Changing(importlib.abc.MetaPathFinder):
    """Finds the modules that are changed, and changes them once they are loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _CHANGES:
            return None
        change = _CHANGES.pop(name)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def _seconds() -> float:
    try:
        with open(_SHIFT_FILE) as file:
            return _SHIFT + float(file.read())
    except (OSError, ValueError):
        return _SHIFT


class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return super().now(tz) + datetime.timedelta(seconds=_seconds())

    @classmethod
    def utcnow(cls) -> Any:
        return super().utcnow() + datetime.timedelta(seconds=_seconds())


def _shift() -> None:
    wall, wall_ns = time.time, time.time_ns
    time.time = lambda: wall() + _seconds()
    time.time_ns = lambda: wall_ns() + int(_seconds() * 1e9)
    datetime.datetime = _Shifted  # type: ignore[misc]


def after_fork() -> None:
    """For a program that was forked, with an environment of its own, from one that has imported
    it."""
    POINTS.path = os.environ["LD_FAULTS_ARM"]
    os.environ.update(_for_children)


if POINTS.path:
    sys.meta_path.insert(0, _Changing())
if _SHIFT or _SHIFT_FILE:
    _shift()
