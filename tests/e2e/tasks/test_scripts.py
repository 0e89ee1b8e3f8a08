"""Scripts and stdin from a file of the operator to real hosts."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.processes import Done, Machine

MIB = 1 << 20
BINARY = hashlib.shake_256(b"tui-manager").digest(MIB)
SCRIPT = b"""#!/bin/sh
printf '<%s>' "$@"
printf ' %s %s ' "$COLOUR" "$TUI_MANAGER_HOST"
sha256sum | cut -d ' ' -f 1
"""


@pytest.fixture
def file(busy: Machine) -> Path:
    path = busy.folder / "work.sh"
    path.write_bytes(SCRIPT)
    return path


def hosts(done: Done) -> list[dict[str, Any]]:
    """What `run --json` says of each host."""
    found: list[dict[str, Any]] = json.loads(done.out)["hosts"]
    return found


def test_a_script_runs_on_all_hosts_with_its_arguments_and_its_stdin(
    busy: Machine, file: Path
) -> None:
    words = ["--script", str(file), "--stdin", "-", "--param", "COLOUR=blue"]
    done = busy.run("run", "@all", "--json", *words, "--", "a b", "", "$HOME;*", stdin=BINARY)
    assert done.code == 0, done
    digest = hashlib.sha256(BINARY).hexdigest()
    assert [(row["host"], row["stdout"]) for row in hosts(done)] == [
        (name, f"<a b><><$HOME;*> blue {name} {digest}\n") for name in ("h1", "h2")
    ]


def test_a_script_of_one_mib_arrives_whole(busy: Machine, file: Path) -> None:
    file.write_bytes(b'#!/bin/sh\nsha256sum <"$0"\nexit\n'.ljust(MIB, b"\xff"))
    done = busy.run("run", "@all", "--json", "--script", str(file))
    assert done.code == 0, done
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert [row["stdout"] for row in hosts(done)] == [f"{digest}  -\n"] * 2
    assert digest in busy.run("task", "show", str(json.loads(done.out)["task_id"])).out.decode()


def test_stdin_comes_back_byte_for_byte(busy: Machine) -> None:
    given = busy.folder / "given"
    given.write_bytes(BINARY)
    done = busy.run("run", "h1", "--json", "--stdin", str(given), "--", "cat")
    assert done.code == 0, done
    task_id = str(json.loads(done.out)["task_id"])
    assert busy.run("output", task_id, "--host", "h1").out == BINARY


@pytest.mark.parametrize("command", ["true", "head -c 1 >/dev/null", "exec <&-; echo on"])
def test_a_command_that_does_not_read_its_stdin_completes(busy: Machine, command: str) -> None:
    done = busy.run("run", "@all", "--json", "--stdin", "-", "--", command, stdin=BINARY)
    assert done.code == 0, done
    assert {row["status"] for row in hosts(done)} == {"completed"}


def test_without_stdin_there_is_nothing_to_read(busy: Machine, file: Path) -> None:
    file.write_bytes(b"#!/bin/sh\nwc -c\n")
    done = busy.run("run", "h1", "--json", "--script", str(file), stdin=b"not for the hosts")
    assert [row["stdout"].strip() for row in hosts(done)] == ["0"]


def test_any_program_can_run_a_script(busy: Machine, file: Path) -> None:
    file.write_bytes(b"#!/usr/bin/env -S python3 -u\nimport sys\nprint(sys.argv[1:])\n")
    done = busy.run("run", "h1", "--json", "--script", str(file), "--", "-x", "ü")
    assert [row["stdout"] for row in hosts(done)] == ["['-x', 'ü']\n"]


def test_a_program_that_a_host_does_not_have(busy: Machine, file: Path) -> None:
    file.write_bytes(b"#!/opt/none/perl\n")
    done = busy.run("run", "h1", "--json", "--script", str(file))
    assert done.code == 1, done
    (row,) = hosts(done)
    assert (row["status"], row["reason"]) == ("failed", "spawn_failed")
    assert "/opt/none/perl" in row["detail"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (SCRIPT.ljust(MIB + 1, b"#"), "more than 1048576 bytes"),
        (SCRIPT.replace(b"\n", b"\r\n"), "carriage return"),
        (SCRIPT.partition(b"\n")[2], "#!/bin/sh"),
    ],
    ids=["too long", "line ends of Windows", "no shebang"],
)
def test_what_no_host_can_run_makes_no_task(
    busy: Machine, file: Path, script: bytes, why: str
) -> None:
    before = busy.json("task", "list")
    file.write_bytes(script)
    done = busy.run("run", "@all", "--script", str(file))
    assert (done.code, done.out) == (2, b"")
    assert why in done.err
    assert busy.json("task", "list") == before


def test_a_rerun_runs_the_script_as_it_was(busy: Machine, file: Path) -> None:
    file.write_bytes(b'#!/bin/sh\ncat\n[ "$TUI_MANAGER_HOST" = h1 ]\n')
    done = busy.run("run", "@all", "--json", "--script", str(file), "--stdin", "-", stdin=b"old")
    assert done.code == 1, done
    file.write_bytes(b"#!/bin/sh\necho new\n")
    again = busy.run("task", "rerun", str(json.loads(done.out)["task_id"]), "--json")
    assert [(row["host"], row["stdout"]) for row in hosts(again)] == [("h2", "old")]
