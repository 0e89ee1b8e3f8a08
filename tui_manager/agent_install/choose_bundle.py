"""Chooses the bundle that fits a host."""

import asyncio
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.agent_bundle import BundleError, check_host

from tui_manager import __version__
from tui_manager.agent_bundle.opened_bundle import Bundle, open_bundle
from tui_manager.agent_install.outcomes import HostProblemError
from tui_manager.domain.task_spec.copy_and_fetch import with_build

_NO_BUNDLE = (
    "It is {system} {arch}, and there is no bundle for that. `tui-manager agent bundle FILE` on "
    "such a machine makes one; give it with --bundle FILE."
)


@dataclass(frozen=True, slots=True)
class WantedBundle:
    """The version that a host is to have.

    Attributes:
        build: empty: not known yet.
    """

    version: str
    build: str

    @property
    def folder(self) -> str:
        """How the host calls it, or the version alone."""
        return f"{self.version}-{self.build}" if self.build else self.version

    @property
    def named(self) -> str:
        """How people read it: `0.2.0 (build 0123456789ab)`, or the version alone."""
        return with_build(self.version, self.build)

    def is_in(self, folder: str) -> bool:
        """Whether the folder of a version on a host is this one."""
        return folder == self.folder or (not self.build and folder.startswith(f"{self.version}-"))


def named(folder: str) -> str:
    """How people read the name of the folder of a version on a host."""
    version, _, build = folder.rpartition("-")
    return with_build(version, build) if version else folder


class Bundles:
    """The bundles that were given, or the one of this machine, which is made when a host needs it.

    Attributes:
        given: those that were given.

    Args:
        paths: of the bundles that were given, maybe of several architectures.
        make: makes the bundle of this machine from its own programs; may take seconds.
        can_make: whether one may be made.
        on_wait: is called if the work is interrupted meanwhile, because that waits for the end.

    Raises:
        InvalidInputError: a file is no bundle.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        make: Callable[[], Bundle],
        on_wait: Callable[[], None],
        *,
        can_make: bool,
    ) -> None:
        self.given = tuple(open_bundle(path) for path in paths)
        self._bundles = list(self.given)
        self._make = make
        self._on_wait = on_wait
        self._can_make = can_make
        self._lock = asyncio.Lock()

    async def wanted(self, system: str, arch: str, libc: str) -> WantedBundle:
        """What a host would get, without making a bundle for it if there must be none."""
        if self._bundles or self._can_make:
            manifest = (await self.fitting(system, arch, libc)).manifest
            return WantedBundle(manifest.version, manifest.build)
        if (system, arch) != (platform.system().lower(), platform.machine()):
            raise HostProblemError(_NO_BUNDLE.format(system=system, arch=arch))
        return WantedBundle(__version__, "")

    async def fitting(self, system: str, arch: str, libc: str) -> Bundle:
        """The first bundle that runs on a host. Raises HostProblemError, InvalidInputError."""
        async with self._lock:
            if not self._bundles:
                try:
                    self._bundles = [await asyncio.to_thread(self._make)]
                except asyncio.CancelledError:
                    self._on_wait()
                    raise
        problems = []
        for bundle in self._bundles:
            try:
                check_host(bundle.manifest, system, arch, libc)
            except BundleError as error:
                problems.append((bundle.manifest.system, bundle.manifest.arch, str(error)))
            else:
                return bundle
        for *made_for, problem in problems:
            if made_for == [system, arch]:
                raise HostProblemError(
                    f"{problem} `tui-manager agent bundle FILE` on an older system makes one that "
                    "runs there; give it with --bundle FILE."
                )
        raise HostProblemError(_NO_BUNDLE.format(system=system, arch=arch))
