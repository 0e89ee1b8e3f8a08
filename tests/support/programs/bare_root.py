"""A folder that is a root file system with nothing but a C library, a shell and a few tools: no
Python, no libstdc++, no OpenSSL."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_GLIBC = ("libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")
TOOLS = ("sh", "tar", "gzip", "env", "readlink", "cat", "id", "ln", "mkdir")


def make_bare_root(root: Path) -> None:
    """Copies the tools of this machine, and the libraries that they need, into a new root."""
    for folder in ("proc", "dev", "tmp", "etc", "root", "opt"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    for tool in TOOLS:
        program = shutil.which(tool)
        assert program is not None
        _copy(Path(program).resolve(), root / "bin" / tool)
        for library in map(Path, _libraries(program)):
            _copy(library.resolve(), root / library.relative_to("/"))
            others = _GLIBC if library.name == "libc.so.6" else ()
            for other in map(library.with_name, others):
                if other.exists():
                    _copy(other.resolve(), root / other.relative_to("/"))


def _libraries(program: str) -> Iterator[str]:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if found := re.fullmatch(r"\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)", line):
            yield found[1]


def _copy(source: Path, copied: Path) -> None:
    copied.parent.mkdir(parents=True, exist_ok=True)
    if not copied.exists():
        shutil.copy(source, copied)


def inside(root: Path, *command: str) -> Sequence[str]:
    """The words that run a command in the root, with /proc and /dev of this machine.

    What is mounted belongs to the command alone, and is gone with it. The command gets the words'
    own pid.
    """
    mount = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, str(root), *command)


def can_make_bare_root() -> bool:
    """Whether this user may change the root, and mount."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return not subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode
