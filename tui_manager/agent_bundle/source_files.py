"""Which files of this machine go into a bundle: of the Python that runs this program, and of the
distribution of the agent with all that it requires."""

import importlib.metadata
import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tui_manager.agent_bundle.problems import CannotBuildError, missing_tool

AGENT = "tui-manager-agent"
LIBRARY = f"{sys.platlibdir}/python{sys.version_info.major}.{sys.version_info.minor}"
EXTENSIONS = f"{LIBRARY}/lib-dynload"
PYTHON = "bin/python3"

# Parts of the standard library that nothing in a bundle imports.
_UNUSED_NAMES = (
    "__phello__ _bz2 _crypt _ctypes_test _curses _curses_panel _dbm _elementtree _gdbm "
    "_lsprof _lzma _pyio _sqlite3 _testbuffer _testcapi _testclinic _testimportmultiple "
    "_testinternalcapi _testmultiphase _tkinter _uuid _xxsubinterpreters _xxtestfuzz aifc "
    "antigravity asynchat asyncore audioop bdb bz2 cProfile cgi cgitb chunk cmath "
    "configparser crypt curses dbm dist-packages distutils doctest ensurepip ftplib html http "
    "idlelib imaplib lib-dynload lib2to3 lzma mailbox mailcap modulefinder netrc nis nntplib "
    "optparse ossaudiodev pdb pickletools pipes poplib profile pstats pyclbr pydoc pydoc_data "
    "pyexpat readline rlcompleter site-packages sitecustomize smtpd smtplib sndhdr "
    "socketserver spwd sqlite3 sunau tabnanny telnetlib test this tkinter trace turtle "
    "turtledemo unittest usercustomize uu venv wave webbrowser wsgiref xdrlib xml xmlrpc "
    "xxlimited xxlimited_35 xxsubtype zipapp"
)
_UNUSED = frozenset(_UNUSED_NAMES.split())
_UNUSED_DISTRIBUTIONS = frozenset(("pycparser",))  # cffi needs it to build, not to run
_NOT_RUN = (".c", ".h", ".pxd", ".pxi", ".pyc", ".pyi", ".pyx", ".proto", ".md", "~")
_LICENSE = re.compile(r"(licen[cs]e|copying|notice)[^/]*", re.IGNORECASE)
_OURS = {"tui-manager-agent": "tui_manager_agent", "tui-manager-protos": "tui_manager_protos"}
_SHARE = "share/"  # of the agent's package: what keeps it running


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """A file of this machine.

    Attributes:
        path: in the bundle.
    """

    path: str
    source: Path
    is_program: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """All that a bundle is made of.

    Attributes:
        distributions: name and version of each.
    """

    files: tuple[SourceFile, ...]
    distributions: tuple[tuple[str, str], ...]

    @property
    def version(self) -> str:
        """Of the agent."""
        return dict(self.distributions)[AGENT]


def find_sources() -> Sources:
    """What this program is installed with. Raises CannotBuildError."""
    found = [*_python_files()]
    distributions = _distributions()
    for distribution in distributions:
        found += _distribution_files(distribution)
    return Sources(
        tuple(sorted({file.path: file for file in found}.values())),
        tuple(sorted((_name(item), item.version) for item in distributions)),
    )


def _python_files() -> Iterator[SourceFile]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix, "bin", f"python{version}").resolve()
    library = Path(sysconfig.get_path("stdlib"))
    if not program.is_file() or not (library / "os.py").is_file():
        raise CannotBuildError(f"There is no Python with its library in {sys.base_prefix}.")
    yield SourceFile(PYTHON, program, is_program=True)
    for path in _files_below(library, _UNUSED):
        if path.suffix == ".py":
            yield SourceFile(f"{LIBRARY}/{path.relative_to(library)}", path)
    for path in sorted((library / "lib-dynload").glob("*.so")):
        if path.name.partition(".")[0] not in _UNUSED:
            yield SourceFile(f"{EXTENSIONS}/{path.name}", path)
    license_file = library / "LICENSE.txt"
    if license_file.exists():
        yield SourceFile(f"share/licenses/python-{version}/LICENSE.txt", license_file)


def _files_below(folder: Path, unused: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All files but those that are hidden, tests, made by Python, or of an unused part on top."""
    for top, folders, names in os.walk(folder):
        is_top = Path(top) == folder
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith((".", "__pycache__", "config-"))
            and name not in ("test", "tests")
            and not (is_top and name in unused)
        ]
        for name in sorted(names):
            if not name.startswith(".") and not (is_top and name.partition(".")[0] in unused):
                yield Path(top, name)


def _distributions() -> list[importlib.metadata.Distribution]:
    """The agent and all that it requires here, directly or not. Raises CannotBuildError."""
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        raise missing_tool("packaging") from error
    found: dict[str, importlib.metadata.Distribution] = {}
    wanted = [AGENT]
    while wanted:
        name = _normal(wanted.pop())
        if name in found or name in _UNUSED_DISTRIBUTIONS:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise CannotBuildError(
                f"The package {name} is not installed here. Install tui-manager[bundle]."
            ) from error
        for line in found[name].requires or ():
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                wanted.append(required.name)
    return [found[name] for name in sorted(found)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _name(distribution: importlib.metadata.Distribution) -> str:
    return _normal(distribution.metadata["Name"])


def _distribution_files(distribution: importlib.metadata.Distribution) -> Iterator[SourceFile]:
    """Raises CannotBuildError."""
    name = _name(distribution)
    if name in _OURS:  # also where it is an editable installation, which lists no files
        yield from _own_files(_OURS[name])
        return
    if distribution.files is None:
        raise CannotBuildError(
            f"It is not known which files belong to the package {name}. Install tui-manager with "
            "pip, pipx or uv."
        )
    for file in distribution.files:
        source = Path(str(file.locate()))
        parts = file.parts
        if ".." in parts or "__pycache__" in parts or file.is_absolute():
            continue
        if parts[0].endswith((".dist-info", ".egg-info")):
            if _LICENSE.fullmatch(file.name):
                inside = f"share/licenses/{name}-{distribution.version}/{file.name}"
                yield SourceFile(inside, source)
        elif not file.name.endswith(_NOT_RUN) and "tests" not in parts:
            yield SourceFile(f"{LIBRARY}/{file.as_posix()}", source)


def _own_files(package: str) -> Iterator[SourceFile]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CannotBuildError(f"The package {package} cannot be imported here.")
    folder = Path(spec.submodule_search_locations[0])
    for path in _files_below(folder):
        inside = path.relative_to(folder).as_posix()
        if inside.startswith(_SHARE):
            yield SourceFile(inside, path, path.suffix == ".sh")
        elif not inside.endswith(_NOT_RUN):
            yield SourceFile(f"{LIBRARY}/{package}/{inside}", path)
