"""Which bundle fits a host."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from tui_manager_protos.rules.agent_bundle import BundleError, check_host

from tui_manager.agent_bundle.opened_bundle import Bundle, open_bundle
from tui_manager.agent_install.outcomes import HostProblemError


class Bundles:
    """The bundles that were given, or the one of this machine, which is made when a host needs it.

    Attributes:
        given: those that were given.

    Args:
        paths: of the bundles that were given, maybe of several architectures.
        make: makes the bundle of this machine from its own programs; may take seconds.
        on_wait: is called if the work is interrupted meanwhile, because that waits for the end.

    Raises:
        InvalidInputError: a file is no bundle.
    """

    def __init__(
        self, paths: Sequence[Path], make: Callable[[], Path], on_wait: Callable[[], None]
    ) -> None:
        self.given = tuple(open_bundle(path) for path in paths)
        self._bundles = list(self.given)
        self._make = make
        self._on_wait = on_wait
        self._lock = asyncio.Lock()

    async def fitting(self, system: str, arch: str, libc: str) -> Bundle:
        """The first bundle that runs on a host. Raises HostProblemError, InvalidInputError."""
        async with self._lock:
            if not self._bundles:
                try:
                    self._bundles = [await asyncio.to_thread(lambda: open_bundle(self._make()))]
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
        raise HostProblemError(
            f"It is {system} {arch}, and there is no bundle for that. `tui-manager agent bundle "
            "FILE` on such a machine makes one; give it with --bundle FILE."
        )
