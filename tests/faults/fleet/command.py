"""The command of every fault test: leaves a trace on its host, and prints bytes that are known.

What it prints follows from its execution id and its environment alone, so that the checker knows
every byte, and output that came to the wrong execution is seen.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec

TRACE = "trace"  # file in the host's TMPDIR: lines `begin ID UPTIME` and `end ID UPTIME`
GO = "go"  # file there, which lets a command end that is held
_PAD = "x" * 80
_STDIN = "".join(f"in {i:06d}\n" for i in range(12_000)).encode()  # more than a pipe holds
_ARGUMENTS = ("two words", "-n", "")
# The shell's own words (of a child that was killed, say) go nowhere: they are not known beforehand.
_TEXT = """
exec 3>&2 2>/dev/null
trace() {
  read -r up idle < /proc/uptime
  echo "$1 $TUI_MANAGER_EXECUTION_ID $up" >> "$TMPDIR/trace"
}
trace begin
[ -z "$BRINGS" ] || { cat; printf '%s\\n' "$@"; }
i=0
while [ "$i" -lt "$COUNT" ]; do
  printf '%s out %06d %s\\n' "$TUI_MANAGER_EXECUTION_ID" "$i" "$PAD"
  case $i in *0) printf '%s err %06d\\n' "$TUI_MANAGER_EXECUTION_ID" "$i" >&3;; esac
  case $i in 0 | *[02468]0) [ "$STEP" = 0 ] || sleep "$STEP";; esac
  i=$((i + 1))
done
while [ -n "$HELD" ] && [ ! -e "$TMPDIR/go" ]; do sleep "$STEP"; done
trace end
case " ${FAILS_ON:-$TUI_MANAGER_HOST} " in *" $TUI_MANAGER_HOST "*) exit "$CODE";; esac
"""


def command(
    lines: int,
    code: int = 0,
    step: float = 0.1,
    held: bool = False,
    fails_on: Collection[str] = (),
    brings: bool = False,
) -> CommandSpec:
    """A command that prints so many lines, `step` seconds each twenty, and exits with `code`; if it
    is held, not before GO is in its host's TMPDIR.

    Args:
        fails_on: the names of hosts that exit with `code`, the others with 0; empty: all do.
        brings: it is a script, which first prints all that it reads from stdin, and its arguments.
    """
    environment = {"COUNT": str(lines), "CODE": str(code), "STEP": f"{step:g}", "PAD": _PAD}
    if held:
        environment["HELD"] = "yes"
    if fails_on:
        environment["FAILS_ON"] = " ".join(fails_on)
    if not brings:
        return CommandSpec(_TEXT, environment=environment)
    return CommandSpec(
        "",
        environment=environment | {"BRINGS": "yes"},
        script=content_of(b"#!/bin/sh\n" + _TEXT.encode()),
        arguments=_ARGUMENTS,
        stdin=content_of(_STDIN),
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What a command prints and exits with when nothing ends it."""

    stdout: bytes
    stderr: bytes
    code: int


def expected(execution_id: str, environment: str, host: str) -> Expected:
    """What the command does on a host, from its row of the database (`environment` is JSON)."""
    given: Mapping[str, str] = json.loads(environment)
    lines = int(given["COUNT"])
    out = "".join(f"{execution_id} out {i:06d} {given['PAD']}\n" for i in range(lines))
    brought = _STDIN + "".join(f"{argument}\n" for argument in _ARGUMENTS).encode()
    err = "".join(f"{execution_id} err {i:06d}\n" for i in range(0, lines, 10))
    fails = host in given.get("FAILS_ON", host).split()
    stdout = brought + out.encode() if "BRINGS" in given else out.encode()
    return Expected(stdout, err.encode(), int(given["CODE"]) if fails else 0)


@dataclass(frozen=True, slots=True)
class Trace:
    """What really happened on the hosts.

    Attributes:
        begun, ended: how often each execution began, and came to its end.
        begun_at, ended_at: when it did so last, in seconds since the machine was started.
    """

    begun: Mapping[str, int]
    ended: Mapping[str, int]
    begun_at: Mapping[str, float]
    ended_at: Mapping[str, float]


def read_traces(folders: list[Path]) -> Trace:
    """The traces of all hosts together."""
    counts: dict[str, dict[str, int]] = {"begin": {}, "end": {}}
    times: dict[str, dict[str, float]] = {"begin": {}, "end": {}}
    for folder in folders:
        path = folder / TRACE
        for line in path.read_text().splitlines() if path.exists() else ():
            word, execution_id, uptime = line.split()
            times[word][execution_id] = float(uptime)
            counts[word][execution_id] = counts[word].get(execution_id, 0) + 1
    return Trace(counts["begin"], counts["end"], times["begin"], times["end"])
