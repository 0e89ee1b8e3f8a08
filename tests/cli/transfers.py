"""A manager whose hosts copy and fetch by a script."""

from collections.abc import Awaitable, Callable

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tests.operator.test_download_fetched_files import Host
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

Capture = pytest.CaptureFixture[str]
Script = Callable[[FakeOperator], Awaitable[None]]
HOSTS = ("web01", "web02", "web03")


class Manager:
    """The manager of a command, whose hosts act by a script."""

    def __init__(self, connect_to: Connect) -> None:
        self._connect_to = connect_to
        self.made: list[FakeOperator] = []
        self.prepare: Callable[[FakeOperator], None] = lambda _operator: None
        self.acts(complete)

    def acts(self, script: Script) -> None:
        """What happens once a task has started."""
        shared = scripted(self.made, script, *HOSTS)
        self._connect_to(lambda: shared)

    @property
    def operator(self) -> FakeOperator:
        return self.made[-1]

    @property
    def spec(self) -> TaskSpec:
        return self.operator.tasks[1].spec

    @property
    def step(self) -> CommandSpec:
        return self.spec.commands[0]


async def complete(operator: FakeOperator) -> None:
    """All hosts of the task have what is copied; web02 had it before."""
    (step,) = operator.tasks[1].spec.commands
    files = step.copy.files if step.copy else None
    rows = operator.tasks[1].rows
    for host in (name for name in HOSTS if operator.execution(1, name) in rows):
        number = files.files if files else 1
        same = number if host == "web02" else 0
        size = files.bytes if files else 5
        operator.end_on(host, transfer=Transfer(size, number, same, 5, "ab" * 32))


def fetched(operator: FakeOperator, host: str, sent: Host, detail: str = "") -> None:
    """`host` has sent these files."""
    files: FileSet = sent.files
    operator.sets |= sent.manager.sets
    transfer = Transfer(files.bytes, files.files, 0, files.size, files.sha256, files)
    operator.end_on(host, transfer=transfer, detail=detail)


def logs(text: bytes) -> Host:
    host = Host()
    host.file(b"var/log/app", text)
    return host


async def send_logs(operator: FakeOperator) -> None:
    for host in HOSTS:
        fetched(operator, host, logs(host.encode()))
