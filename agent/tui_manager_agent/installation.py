"""How this agent came to this host, and which version of it runs. A file of its own, because all
packages of the agent may import it.

A bundle is unpacked into ROOT/versions/VERSION-BUILD, and the link ROOT/current names the version
that a service starts. Packages of a distribution have a file `packaged` in their folder.
"""

import os
import sys
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent import __version__

VERSIONS, CURRENT, PREVIOUS, UPDATE_KEYS = "versions", "current", "previous", "update-keys"
PROGRAM = "bin/tui-manager-agent"  # in the folder of a version
BUNDLE = "bundle"
PACKAGES = ("deb", "rpm")
_PACKAGED = "packaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where this agent runs from.

    Attributes:
        installed_by: `bundle`, `deb` or `rpm`; empty: in another way.
        root: of a bundle: the folder of all its versions; None: it is no bundle.
        name: of a bundle: the folder of the version that runs, VERSION-BUILD.
        version: of this program.
        build: tells bundles of one version apart; empty: it is no bundle.
    """

    installed_by: str = ""
    root: Path | None = None
    name: str = ""
    version: str = __version__
    build: str = ""


def find(prefix: str = "") -> Installation:
    """Looks where this Python runs from.

    Args:
        prefix: the folder of the Python; empty: `sys.prefix`.
    """
    folder = Path(os.path.realpath(prefix or sys.prefix))
    for here in (folder, *folder.parents):
        root = here.parent.parent
        if here.parent.name == VERSIONS and (root / CURRENT).is_symlink():
            build = here.name.rpartition("-")[2]
            return Installation(installed_by=BUNDLE, root=root, name=here.name, build=build)
    return Installation(installed_by=_package(folder) or _package(folder.parent))


def with_build(version: str, build: str) -> str:
    """How people read it everywhere: `0.2.0 (build 0123456789ab)`; without a build, the version."""
    return f"{version} (build {build})" if build else version


def _package(folder: Path) -> str:
    """The kind of the package that a folder is from; empty: it is from none."""
    try:
        kind = (folder / _PACKAGED).read_text("ascii", "replace").strip()
    except OSError:
        return ""
    return kind if kind in PACKAGES else ""
