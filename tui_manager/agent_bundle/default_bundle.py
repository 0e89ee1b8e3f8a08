"""The bundle of what is installed here, which is made once and kept."""

import hashlib
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tui_manager.agent_bundle import build_bundle, entry_files
from tui_manager.agent_bundle.opened_bundle import Bundle, open_bundle
from tui_manager.agent_bundle.problems import NotWrittenError
from tui_manager.agent_bundle.signing_key import SigningKey
from tui_manager.agent_bundle.source_files import Sources, find_sources
from tui_manager.domain.errors import InvalidInputError

_KEPT = 3  # files, for programs that still read an older one
_SUFFIX = ".bundle"


def default_bundle(
    cache_folder: Path, key: SigningKey, on_make: Callable[[], None] | None = None
) -> Bundle:
    """The bundle of what is installed here, signed with a key.

    It is made if the folder has none, which takes half a minute.

    Args:
        cache_folder: where bundles are kept; it is made.
        on_make: is called before a bundle is made.

    Raises:
        CannotBuildError: a bundle cannot be made here.
        NotWrittenError: the folder cannot be written.
    """
    sources = find_sources()
    path = cache_folder / f"agent-{sources.version}-{_fingerprint(sources, key)}{_SUFFIX}"
    try:
        cache_folder.mkdir(parents=True, exist_ok=True)
        with suppress(InvalidInputError):  # there is none, or it is damaged
            bundle = open_bundle(path, key.public)
            path.touch()
            return bundle
        if on_make is not None:
            on_make()
        build_bundle.build_bundle(path, key)
        _remove_old(cache_folder)
    except OSError as error:
        raise NotWrittenError(f"{cache_folder} cannot be written: {error.strerror}.") from error
    return open_bundle(path, key.public)


def _fingerprint(sources: Sources, key: SigningKey) -> str:
    """Another one if a file, a version or the key is another one."""
    made_of = [key.public, platform.python_version(), repr(sources.distributions)]
    made_of += [entry_files.PROGRAM_ENTRY, entry_files.START_AGENT]
    for file in sources.files:
        found = file.source.stat()
        made_of.append(f"{file.path} {found.st_size} {found.st_mtime_ns} {file.is_program}")
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def _remove_old(folder: Path) -> None:
    kept = sorted(folder.glob(f"agent-*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    for path in kept[:-_KEPT]:
        path.unlink(missing_ok=True)
