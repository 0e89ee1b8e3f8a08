"""A real bundle, which takes half a minute to make: made once for all tests of a run, and for later
runs as long as nothing that is in it has changed."""

import fcntl
import hashlib
import os
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
