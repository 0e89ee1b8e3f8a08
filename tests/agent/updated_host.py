"""A host whose agent comes from a bundle, with everything that can go wrong in an update of it.

Its versions are small: their program runs this Python with the sources of this repository, or
misbehaves. A failpoint is armed as in `tests/faults/inject/points.py`.
"""

import asyncio
import io
import os
import signal
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tui_manager_agent import __version__
from tui_manager_protos.rules.files.agent_bundle import format_update_keys, read_head
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.fake_files import FakeSet
from tests.agent.fake_manager import FakeManager
from tests.support.programs.bundles import new_key, public, small_bundle
from tests.support.programs.command_lines import command_lines
from tests.support.programs.warm_programs import Running, start
from tests.support.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
_PROGRAM = """\
#!{python} -S
import os, sys  # without what `site` imports, which takes a third of the start
if sys.argv[1:] == ["--version"]:  # as the agent prints it, without its imports
    sys.exit(print("tui-manager-agent", {version!r}))
sys.prefix = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path[:0] = {path!r}
if "LD_FAULTS_ARM" in os.environ:
    import sitecustomize  # that of tests/faults, which `site` would import
import tui_manager_agent
tui_manager_agent.__version__ = {version!r}
from tui_manager_agent.cli.main import main
from tests.agent import update_points
if "UPDATE_POINTS" in os.environ:
    update_points.install()
{then}
sys.exit(main())
"""
AS_SERVICE = ("/bin/sh", "-c", 'export SYSTEMD_EXEC_PID=$$; exec "$0" "$@"')  # as systemd does
OLD = f"0.2.0-{'0' * 12}"  # the version that is installed at first
LOOP = "share/run-agent.sh"
_WATCHER = "update.trial_watcher"  # a word of its command line
_LOOP = """\
#!/bin/sh
[ "$1" = --clean ] || exec /bin/sh "$0" --clean "$@"
shift
"$(dirname "$0")/../bin/tui-manager-agent" "$@"
exit $?
"""
# What the program of a version does.
REAL = "pass"
EXITS = "sys.exit(2)"
HANGS = "import signal; signal.pause()"
NEVER_DIALS = "update_points.replace_dialling(update_points.forever)"
PRINTS = "os.system('head -c 100000 /dev/urandom >&2'); os.kill(os.getpid(), 11)"
BREAKS = "update_points.replace_dialling(update_points.broken)"


def program(version: str, then: str = REAL) -> bytes:
    """The program of a version."""
    return _PROGRAM.format(
        python=sys.executable,
        path=[str(REPOSITORY), *sys.path],
        version=version,
        then=then,
    ).encode()


@dataclass(frozen=True)
class Bundle:
    """A bundle as its manager has it."""

    data: bytes
    version: str
    build: str

    @property
    def name(self) -> str:
        return f"{self.version}-{self.build}"

    @classmethod
    def of(
        cls,
        key: Ed25519PrivateKey | None,
        version: str,
        then: str = REAL,
        *,
        program_: bytes | None = None,
        keys: tuple[Ed25519PrivateKey, ...] | None = None,
        **changed: str,
    ) -> "Bundle":
        """Signed by a key, if there is one. It trusts `keys`, or this one."""
        signers = () if key is None else (key,)
        files = {
            "bin/tui-manager-agent": program(version, then) if program_ is None else program_,
            "share/update-keys": format_update_keys(
                map(public, signers if keys is None else keys)
            ).encode(),
        }
        changed = {"arch": os.uname().machine, **changed}
        data = small_bundle(signers, files, version=version, **changed)  # type: ignore[arg-type]
        head = read_head(io.BytesIO(data))
        return cls(data, version, head.manifest.build)


class _Process:
    """The agent that this host has started: a process, which may become other versions."""

    def __init__(self, running: Running) -> None:
        self.pid = running.pid
        self._ending = asyncio.ensure_future(asyncio.to_thread(running.wait))

    async def wait(self) -> int:
        """The exit status, once it has ended."""
        return await asyncio.shield(self._ending)

    @property
    def has_ended(self) -> bool:
        return self._ending.done()


@dataclass
class UpdatedHost:
    """The host: ROOT, the state folder, and its agent, which is started over ROOT/current.

    Attributes:
        restarts: an agent that has ended is started again, as a service manager does it.
        within, patience: seconds of a trial, and for others to start the agent again.
        kill_after: seconds after a trial for the agent to end by itself.
        has_loop: `run-agent.sh` starts the agent; this one ends with the agent.
        is_failed: what the `systemctl` of this host says of the agent's unit; None: the agent is
            not started as a service.
    """

    folder: Path
    manager: FakeManager
    key: Ed25519PrivateKey = field(default_factory=new_key)
    restarts: bool = True
    within: float = 300.0
    patience: float = 300.0
    kill_after: float = 1.0
    options: tuple[str, ...] = ()
    is_failed: bool | None = None
    has_loop: bool = False
    starts: int = 0
    ended: list[int] = field(default_factory=list)
    _looping: "asyncio.Task[None] | None" = None
    _process: _Process | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def points(self) -> Path:
        return self.folder / "points"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def current(self) -> str:
        return os.path.basename(os.readlink(self.root / "current"))

    @property
    def versions(self) -> set[str]:
        return set(os.listdir(self.root / "versions"))

    @property
    def trial(self) -> Path:
        return self.state / "update.trial"

    def install(self) -> None:
        """Unpacks a first version by hand."""
        self.put(OLD, program(OLD.partition("-")[0]))
        (self.root / "current").symlink_to(f"versions/{OLD}")
        (self.root / "update-keys").write_text(f"{public(self.key)}\n")

    def put(self, name: str, code: bytes) -> None:
        """The folder of a version."""
        for path, content in (("bin/tui-manager-agent", code), (LOOP, _LOOP.encode())):
            file = self.root / "versions" / name / path
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
            file.chmod(0o755)

    def arm(self, point: str, action: str = "kill", count: int = 1) -> None:
        """Whoever reaches a failpoint dies, or gets an error with this number."""
        draft = self.folder / "draft"
        draft.write_text(f"{point} {count} {action} {uuid.uuid4()}")
        draft.rename(self.points)

    @property
    def was_hit(self) -> bool:
        return (self.folder / "points.hit").exists()

    async def start(self) -> None:
        """Starts the agent, and again after each end if it `restarts`."""
        self._looping = asyncio.create_task(self._run())
        await self.manager.wait_for(lambda: self.manager.hellos)

    async def _run(self) -> None:
        while True:
            await self.start_once()
            process = self._process
            assert process is not None
            self.ended.append(await process.wait())
            if not self.restarts:
                return

    async def start_once(self) -> None:
        self.starts += 1
        program = self.root / "current" / (LOOP if self.has_loop else "bin/tui-manager-agent")
        words = ["run", "--insecure", f"--manager={self.manager.address}"]
        words += [f"--state-dir={self.state}", "--log-level=debug", *self.options]
        prefix = () if self._is_this_version and not self.has_loop else ("env",)
        with (self.folder / "log").open("ab") as log:
            running = start(
                "tui-manager-agent",
                words,
                self.environment,
                stderr=log,
                prefix=prefix if self.is_failed is None else AS_SERVICE,
                file=program,
            )
        self._process = _Process(running)

    @property
    def _is_this_version(self) -> bool:
        """What starts is the version that this repository has."""
        return self.current == OLD and OLD.startswith(f"{__version__}-")

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("INVOCATION_ID", "SYSTEMD_EXEC_PID")
        }
        if self.is_failed is not None:
            kept["PATH"] = f"{self._fake_systemctl()}:{kept['PATH']}"
        return {
            **kept,
            "UPDATE_POINTS": str(self.points),
            "UPDATE_WITHIN": str(self.within),
            "UPDATE_PATIENCE": str(self.patience),
            "UPDATE_KILL_AFTER": str(self.kill_after),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }

    def _fake_systemctl(self) -> Path:
        """The folder of a program that notes how it is called."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "systemctl"
        status = 0 if self.is_failed else 1
        path.write_text(
            f'#!/bin/sh\necho "$*" >>{self.folder}/asked\n[ "$1" != is-failed ] || exit {status}\n'
        )
        path.chmod(0o755)
        return folder

    @property
    def asked(self) -> list[str]:
        """How `systemctl` was called."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def pid(self) -> int:
        """Of the agent that was started last."""
        assert self._process is not None
        return self._process.pid

    def update(self, bundle: Bundle, **more: object) -> str:
        """Sends the update; the id of the execution."""
        execution_id = str(more.pop("execution_id", uuid.uuid4()))
        files = FakeSet.of({"tui-manager-agent.bundle": bundle.data})
        self.manager.files.add(execution_id, files)
        names = {"version": bundle.version, "build": bundle.build}
        system = {"system": "linux", "arch": os.uname().machine}
        update = wire.UpdateAgent(files=files.message, **names, **system)
        return self.manager.run("", execution_id=execution_id, update=update, **more)

    async def result(self, execution_id: str) -> wire.Result:
        """The result; if there is none in time, what the agents have said."""
        try:
            return await self.manager.result(execution_id)
        except AssertionError as error:
            raise AssertionError(f"{error}\nlog:\n{self.log[-6000:]}") from None

    async def wait_until(self, what: str, condition: Callable[[], object]) -> None:
        async def look() -> tuple[object, str]:
            seen = condition()
            return seen, "" if seen else f"{what} did not happen; log:\n{self.log[-6000:]}"

        await wait_until(look, lambda seen: seen[0])

    async def settled(self) -> None:
        """Returns when the trial is over for good: no record, no watcher."""
        await self.wait_until("the end of the trial", lambda: not self.trial.exists())
        await self.wait_until("the end of the watcher", lambda: not self.watchers())

    def processes(self) -> dict[int, str]:
        """The agents and watchers of this host, with their command lines."""
        found = {}
        for pid, words in command_lines():
            line = " ".join(words)
            if str(self.state) in line:
                found[pid] = line
        if self._process is not None and not self._process.has_ended:  # see `warm_programs.py`
            found.setdefault(self._process.pid, "tui-manager-agent")
        return found

    def watchers(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if _WATCHER in words]

    def agents(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if _WATCHER not in words]

    async def close(self) -> None:
        self.restarts = False
        if self._looping is not None:
            self._looping.cancel()
            await asyncio.wait((self._looping,))
        while found := self.processes():
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self._process is not None:
                await self._process.wait()
            await asyncio.sleep(0.01)
