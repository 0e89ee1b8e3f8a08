"""The processes of this machine, as tests look for what they have started. They look again and
again until they see it, and psutil takes three times as long."""

import os
from collections.abc import Iterator, Sequence


def command_lines() -> Iterator[tuple[int, Sequence[str]]]:
    """The id and the words of each process that has not ended."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (words := _read(entry, "cmdline")):
            yield int(entry), words


def environment(pid: int) -> Sequence[str]:
    """NAME=VALUE for each variable that a process was started with; none if it has ended."""
    return _read(pid, "environ")


def _read(pid: int | str, name: str) -> Sequence[str]:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            data = file.readall()
    except OSError:  # it has ended, or belongs to another user
        return ()
    return os.fsdecode(data).removesuffix("\0").split("\0") if data else ()
