"""Makes programs and libraries of this machine run from any folder of another machine.

The libraries that they need are put beside them, except the C library and its loader, which are
those of the host. The Python finds them by a path that is relative to itself (DT_RPATH). Its
extensions inherit this path, whatever LD_LIBRARY_PATH says.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.agent_bundle.problems import CannotBuildError, missing_tool
from tui_manager.agent_bundle.source_files import PYTHON, SourceFile

LIBRARIES = "lib"
RUN_PATH = "$ORIGIN/../lib"  # from the folder of the Python
_MAGIC = b"\x7fELF"
_OF_GLIBC = re.compile(
    r"(ld-linux.*|libBrokenLocale|libanl|libc|libdl|libm|libmvec|libnsl|libnss_.*|libpthread"
    r"|libresolv|librt|libthread_db|libutil)\.so\.[0-9]+"
)
# Of compilers. They work with programs that are older than they are, and hosts have them.
_RUN_TIME = {"libgcc_s.so.1", "libstdc++.so.6"}
_VERSION = re.compile(r"GLIBC_([0-9]+)\.([0-9]+)(\.[0-9]+)?")
_FOUND = re.compile(r"\s*(\S+) => (\S.*) \(0x[0-9a-f]+\)")
_MISSING = re.compile(r"\s*(\S+) => not found")


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What a program or library says of itself.

    Attributes:
        needed: names of the libraries that it needs itself.
        run_path: where it looks for them (DT_RPATH or DT_RUNPATH); empty: nowhere of its own.
        glibc: the least version that has all symbols that it needs.
        loaded: bytes from the begin of the file that are needed to run it; the rest is for
            debuggers and linkers.
    """

    needed: tuple[str, ...]
    run_path: str
    glibc: tuple[int, int]
    loaded: int


def is_elf(path: Path) -> bool:
    """Whether a file is a program or a library. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def is_of_glibc(name: str) -> bool:
    """Whether a library belongs to the C library, which is that of the host."""
    return _OF_GLIBC.fullmatch(name) is not None


def elf_facts(path: Path) -> ElfFacts:
    """Reads a program or library. Raises OSError, CannotBuildError."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.dynamic import DynamicSegment
        from elftools.elf.elffile import ELFFile
        from elftools.elf.gnuversions import GNUVerNeedSection
    except ImportError as error:
        raise missing_tool("pyelftools") from error
    needed: list[str | None] = []
    run_path, glibc = "", (0, 0)
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            for segment in elf.iter_segments():
                if isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        needed += [getattr(tag, "needed", None)]
                        run_path = getattr(tag, "runpath", getattr(tag, "rpath", run_path))
            for section in elf.iter_sections():
                if isinstance(section, GNUVerNeedSection):
                    for _, versions in section.iter_versions():
                        glibc = max(glibc, *(_glibc(version.name) for version in versions))
            ends = (item["p_offset"] + item["p_filesz"] for item in elf.iter_segments())
            loaded = max(elf.header["e_phoff"], *ends)
    except ELFError as error:
        raise CannotBuildError(f"{path} cannot be read: {error}.") from error
    return ElfFacts(tuple(filter(None, needed)), run_path, glibc, loaded)


def _glibc(name: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def needed_libraries(files: Iterable[SourceFile]) -> list[SourceFile]:
    """The libraries outside of these files that they need, and those that these need.

    A Python that needs nothing of this machine, so that it also runs on older ones, shall not need
    it because of the run time of C++: then this is left to the host.

    Raises:
        CannotBuildError: one is missing here. OSError.
    """
    files = list(files)
    inside = {Path(file.path).name for file in files}
    found: dict[str, SourceFile] = {}
    for file in files:
        for name, source in _loaded_with(file.source):
            if not is_of_glibc(name) and name not in inside:
                found[name] = SourceFile(f"{LIBRARIES}/{name}", source.resolve())
    return [] if set(found) <= _RUN_TIME else sorted(found.values())


def _loaded_with(path: Path) -> Iterator[tuple[str, Path]]:
    """Name and place of each library that the loader of this machine loads with a file."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(["ldd", path], capture_output=True, text=True, env=environment)
    except OSError as error:
        raise CannotBuildError(
            f"ldd, which says what a library needs, cannot be run: {error.strerror}."
        ) from error
    if done.returncode and "not a dynamic executable" in done.stdout + done.stderr:
        return
    if done.returncode:
        raise CannotBuildError(f"ldd {path}: {done.stderr.strip() or done.returncode}")
    for line in done.stdout.splitlines():
        if missing := _MISSING.fullmatch(line):
            raise CannotBuildError(f"{path} needs {missing[1]}, which is not on this machine.")
        if found := _FOUND.fullmatch(line):
            yield found[1], Path(found[2])


def make_relocatable(path: Path, facts: ElfFacts, name: str) -> None:
    """Lets a copied program or library find what it needs from its new place, and drops what only
    debuggers need.

    Args:
        name: its path in the bundle.

    Raises:
        CannotBuildError: patchelf is missing or fails. OSError.
    """
    if name == PYTHON:
        _patch("--force-rpath", "--set-rpath", RUN_PATH, path=path)
    elif facts.run_path.startswith("$ORIGIN"):  # DT_RUNPATH would hide the path of the Python
        _patch("--force-rpath", "--set-rpath", facts.run_path, path=path)
    else:
        if facts.run_path:
            _patch("--remove-rpath", path=path)
        _cut(path, facts.loaded)


def _cut(path: Path, loaded: int) -> None:
    """Cuts off the sections that are not loaded, and the table of all sections."""
    with path.open("r+b") as file:
        is_64 = file.read(5)[4] == 2
        table, counts = (0x28, 0x3C) if is_64 else (0x20, 0x30)  # offsets in the header
        file.seek(table)
        file.write(bytes(8 if is_64 else 4))  # e_shoff
        file.seek(counts)
        file.write(bytes(4))  # e_shnum, e_shstrndx
        file.truncate(loaded)


def _patch(*arguments: str, path: Path) -> None:
    beside = Path(sys.executable).with_name("patchelf")
    program = str(beside) if beside.exists() else shutil.which("patchelf")
    if program is None:
        raise missing_tool("patchelf")
    done = subprocess.run([program, *arguments, path], capture_output=True, text=True)
    if done.returncode:
        raise CannotBuildError(f"patchelf fails on {path.name}: {done.stderr.strip()}")
