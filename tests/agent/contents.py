"""Orders that bring a script along, or something to read from stdin."""

from collections.abc import Sequence
from pathlib import Path

from tui_manager_agent.journal.order_and_result import Script
from tui_manager_agent.supervisor import shebang

from tests.agent.supervised import Supervised

SHA256 = "ab" * 32  # no supervisor looks at it


def scripted(
    root: Path, script: bytes, arguments: Sequence[str] = (), /, **order: object
) -> Supervised:
    """A script under its supervisor. `copy` is where it is copied to, for another user; `stdin` is
    what it reads."""
    copy, stdin = order.pop("copy", ""), order.pop("stdin", None)
    interpreter, argument = shebang.parse(script)
    made = Script(
        size=len(script),
        sha256=SHA256,
        interpreter=interpreter,
        interpreter_argument=argument,
        arguments=tuple(arguments),
        copy=str(copy),
    )
    files = {"script": script}
    entries = made.entries() | order
    if isinstance(stdin, bytes):
        entries["stdin_size"] = len(stdin)
        files["stdin"] = stdin
    return Supervised(root, "", files=files, **entries)


def with_stdin(root: Path, command: str, stdin: bytes, **order: object) -> Supervised:
    """A command under its supervisor that can read this."""
    entries = {"command_with_stdin": command, "stdin_size": len(stdin), **order}
    return Supervised(root, command, files={"stdin": stdin}, **entries)
