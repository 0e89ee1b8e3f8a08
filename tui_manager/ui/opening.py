"""What a screen asks the app to open."""

from dataclasses import dataclass

from textual.message import Message


@dataclass
class OpenTask(Message):
    """The screen of a task."""

    task_id: int


@dataclass
class OpenHost(Message):
    """A host, on the screen of all hosts."""

    host_id: str


@dataclass
class OpenHostOutput(Message):
    """The output of a host, on the dashboard."""

    host_id: str
