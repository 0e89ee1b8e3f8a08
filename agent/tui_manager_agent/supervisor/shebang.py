"""The first line of a script, which names the program that runs it, as Linux reads it. A file of
its own, because orders and `policy check` both read it.

The agent runs that program itself, with the path of the script: the kernel runs no file from a file
system that is mounted `noexec`.
"""

from __future__ import annotations

LONGEST_LINE = 255  # bytes; the kernel looks at no more
_BLANKS = b" \t"


class ShebangError(Exception):
    """The first line names no program; the text is for the operator."""


def parse(script: bytes) -> tuple[str, str]:
    """The program, and its one argument; that is empty if there is none. Raises ShebangError."""
    line, _, _ = script[: LONGEST_LINE + 1].partition(b"\n")
    if not line.startswith(b"#!"):
        raise ShebangError("the script must begin with #! and the program that runs it: #!/bin/sh")
    if len(line) > LONGEST_LINE:
        raise ShebangError(f"the first line of the script is longer than {LONGEST_LINE} bytes")
    if b"\r" in line:
        raise ShebangError(
            "the first line of the script has a carriage return: save it with line ends of Unix"
        )
    words = line[2:].strip(_BLANKS)
    program = words.partition(b" ")[0].partition(b"\t")[0]
    if not program or b"\0" in line:
        raise ShebangError("the first line of the script names no program behind #!")
    return _to_text(program), _to_text(words[len(program) :].strip(_BLANKS))


def _to_text(data: bytes) -> str:
    """As the records of orders have it."""
    return data.decode("utf-8", "surrogateescape")
