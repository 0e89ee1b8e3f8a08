"""A real bundle, which takes half a minute to make: made once for all tests of a run, and for later
runs as long as nothing that is in it has changed."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from tui_manager.agent_bundle import build_bundle
from tui_manager.agent_bundle.default_bundle import default_bundle
from tui_manager.agent_bundle.opened_bundle import Bundle
from tui_manager.agent_bundle.signing_key import SigningKey, load_or_make_key


@cache
def _folder() -> Path:
    checkout = hashlib.sha256(bytes(Path(__file__).parents[3])).hexdigest()[:8]
    folder = Path(tempfile.gettempdir(), f"tui-manager-test-fast-bundles-{os.geteuid()}-{checkout}")
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.geteuid()
    return folder


@cache
def release_key() -> SigningKey:
    """Signs the bundles of the tests."""
    return load_or_make_key(_folder() / "release.key")


def compressed_fast() -> AbstractContextManager[object]:
    """Bundles of this process are compressed in a third of the time, and are a tenth larger."""
    return patch.object(build_bundle, "_COMPRESSION", 1)


@cache
def built_bundle() -> Bundle:
    """The bundle of the agent of this checkout."""
    with (_folder() / "lock").open("w") as lock, compressed_fast():
        fcntl.flock(lock, fcntl.LOCK_EX)
        return default_bundle(_folder(), release_key())


@cache
def unpacked_bundle() -> Path:
    """A folder in which that bundle is unpacked below `opt`, as on a host whose install was cut off
    before it was configured. It is kept as the bundle is."""
    bundle = built_bundle()
    root = _folder() / f"root-{bundle.manifest.build}"
    with (_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for old in _folder().glob("root-*"):
                shutil.rmtree(old)
            draft = _folder() / "root-draft"
            version = draft / "opt/tui-manager-agent/versions" / bundle.manifest.folder
            version.mkdir(parents=True)
            unpacking = 'tar -xOf "$1" agent.tar.gz | tar -xzof - -C "$2"'
            subprocess.run(["sh", "-c", unpacking, "sh", bundle.path, version], check=True)
            draft.rename(root)
    return root
