"""Makes a bundle. The same files always make the same bytes."""

import glob
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO, cast

import psutil
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.agent_bundle import (
    BUILD_LENGTH,
    FORMAT,
    MANIFEST,
    PROGRAM,
    BundleError,
    Manifest,
    encode_manifest,
    format_update_keys,
    write_bundle,
)
from tui_manager_protos.rules.files.plain_tar import END, Member, TarError, header, padding

from tui_manager.agent_bundle.entry_files import PROGRAM_ENTRY, START_AGENT
from tui_manager.agent_bundle.problems import CannotBuildError, NotWrittenError
from tui_manager.agent_bundle.shared_libraries import (
    elf_facts,
    is_elf,
    make_relocatable,
    needed_libraries,
)
from tui_manager.agent_bundle.signing_key import SigningKey
from tui_manager.agent_bundle.source_files import LIBRARY, PYTHON, Sources, find_sources

_ENTRY = "bin/tui-manager-agent"
_PIECE = 256 * 1024  # bytes
_COMPRESSION = 6  # 9 takes three times as long for a file that is 1% smaller
_COMPILE = """
import compileall, py_compile, sys
ok = compileall.compile_dir(
    sys.argv[1], quiet=1, force=True, stripdir=sys.argv[1], maxlevels=50,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
sys.exit(not ok)
"""
_IMPORT_ALL = """
import importlib, pkgutil, tui_manager_agent, tui_manager_protos
for package in (tui_manager_agent, tui_manager_protos):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is known once the contents are written."""

    sha256: str
    size: int
    unpacked: int


def build_bundle(file: Path, key: SigningKey, trust: Sequence[str] = ()) -> Manifest:
    """Makes a bundle of the Python and of the agent that are installed here.

    It appears under its name whole, or not at all.

    Args:
        file: where it is written; an existing file is replaced.
        key: signs it.
        trust: public keys, as text, by which later updates may be signed too.

    Raises:
        CannotBuildError: this machine or its installation does not allow it.
        NotWrittenError: the file or a temporary one cannot be written.
    """
    _check_machine()
    if file.is_dir() or not file.parent.is_dir():
        raise NotWrittenError(f"{file} is a folder, or its folder does not exist.")
    sources = find_sources()
    keys = tuple(dict.fromkeys((key.public, *trust)))
    try:
        with tempfile.TemporaryDirectory(prefix="tui-manager-bundle-") as made:
            folder = Path(made, "files")
            glibc = _stage(sources, folder, keys)
            about = _about(sources, glibc)
            _write_text(folder / MANIFEST, json.dumps(about, indent=1) + "\n")
            _try_out(folder, sources.version)
            packed = Path(made, "contents")
            with packed.open("w+b") as contents:
                written = _pack(folder, contents)
                manifest = _manifest(about, written)
                contents.seek(0)
                _write(file, manifest, key, contents)
    except OSError as error:
        raise _not_written(file, error) from error
    except (BundleError, TarError) as error:
        raise CannotBuildError(f"What is installed here cannot be a bundle: {error}.") from error
    return manifest


def _check_machine() -> None:
    libc, _ = platform.libc_ver()
    if sys.platform != "linux" or libc != "glibc" or sys.implementation.name != "cpython":
        raise CannotBuildError(
            "Bundles can be made on Linux with glibc and CPython only. Make it on such a machine."
        )


def _stage(sources: Sources, folder: Path, keys: Sequence[str]) -> tuple[int, int]:
    """Puts all files into a folder as a host will have them. Returns the least glibc for them."""
    programs = [file for file in sources.files if is_elf(file.source)]
    libraries = needed_libraries(programs)
    executable = {file.path for file in sources.files if file.is_program}
    for file in (*sources.files, *libraries):
        _copy(file.source, folder / file.path)
    glibc = (0, 0)
    for file in (*programs, *libraries):
        copied = folder / file.path
        facts = elf_facts(copied)
        glibc = max(glibc, facts.glibc)
        make_relocatable(copied, facts, file.path)
    _write_text(folder / _ENTRY, PROGRAM_ENTRY)
    _write_text(folder / "lib/start_agent.py", START_AGENT)
    _write_text(folder / "share/update-keys", format_update_keys(keys))
    for path in (*executable, _ENTRY):
        (folder / path).chmod(0o755)
    _run_python(_COMPILE, str(folder / LIBRARY), problem="The files of Python cannot be compiled")
    return glibc


def _copy(source: Path, copied: Path) -> None:
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, copied)
    copied.chmod(0o644)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _about(sources: Sources, glibc: tuple[int, int]) -> dict[str, object]:
    """The manifest in the contents; the other one has their hash and size too."""
    return {
        "format": FORMAT,
        "program": PROGRAM,
        "version": sources.version,
        "system": sys.platform,
        "arch": platform.machine(),
        "libc": f"glibc {glibc[0]}.{glibc[1]}",
        "python": platform.python_version(),
        "distributions": dict(sources.distributions),
    }


def _manifest(about: dict[str, object], written: _Contents) -> Manifest:
    values = {name: str(about[name]) for name in ("version", "system", "arch", "libc", "python")}
    return Manifest(
        **values,
        build=written.sha256[:BUILD_LENGTH],
        sha256=written.sha256,
        size=written.size,
        unpacked=written.unpacked,
    )


def _run_python(program: str, *arguments: str, problem: str, python: str = sys.executable) -> None:
    """Runs a program of Python whose sets always have the same order."""
    environment = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-S", "-s", "-P", "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or [str(done.returncode)]
        raise CannotBuildError(f"{problem}: {said[0]}")


def _try_out(folder: Path, version: str) -> None:
    """Starts the agent, and imports all of it. Raises CannotBuildError."""
    _run_python(_IMPORT_ALL, problem="What was made does not run", python=str(folder / PYTHON))
    done = subprocess.run([folder / _ENTRY, "--version"], env={}, capture_output=True, text=True)
    if done.returncode or version not in done.stdout:
        raise CannotBuildError(f"What was made does not run: {done.stderr.strip()}")


def _pack(folder: Path, contents: BufferedRandom) -> _Contents:
    """Writes the folder as `agent.tar.gz`."""
    unpacked = 0
    with gzip.GzipFile("", "wb", _COMPRESSION, contents, mtime=0) as packed:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
            unpacked += _add(path, path.relative_to(folder).as_posix(), cast("BinaryIO", packed))
        packed.write(END)
    contents.flush()
    contents.seek(0)
    sha256 = hashlib.file_digest(contents, "sha256").hexdigest()
    return _Contents(sha256, contents.tell(), unpacked)


def _add(path: Path, name: str, packed: BinaryIO) -> int:
    """Returns the bytes of the file."""
    if path.is_dir():
        packed.write(header(Member(name, is_folder=True)))
        return 0
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        packed.write(header(Member(name, found.st_size, bool(found.st_mode & 0o100))))
        shutil.copyfileobj(file, packed, _PIECE)
    packed.write(bytes(padding(found.st_size)))
    return found.st_size


def _write(file: Path, manifest: Manifest, key: SigningKey, contents: BinaryIO) -> None:
    """Makes the bundle under another name and renames it."""
    manifest_bytes = encode_manifest(manifest)
    _remove_partial(file)
    draft = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with draft.open("wb") as made:
            write_bundle(made, manifest_bytes, [key.sign(manifest_bytes)], contents)
            made.flush()
            os.fsync(made.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _remove_partial(file: Path) -> None:
    """Removes what a process has left that was killed while it wrote the same file."""
    for path in file.parent.glob(f".{glob.escape(file.name)}.*.partial"):
        pid = path.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            path.unlink(missing_ok=True)


def _not_written(file: Path, error: OSError) -> NotWrittenError:
    """The error that names the file, or the folder for temporary files."""
    temporary = tempfile.gettempdir()
    where = str(error.filename2 or error.filename or file)
    problem = f"The bundle {file} cannot be made: {error.strerror}"
    if not where.startswith(f"{temporary}/tui-manager-bundle-"):
        return NotWrittenError(f"{problem} ({where}).")
    return NotWrittenError(
        f"{problem} in {temporary}. A bundle needs 150 MB there while it is made, and programs "
        "must be allowed to run there; TMPDIR names another folder."
    )
