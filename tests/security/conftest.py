"""What the tests of this folder share: a clock, and an organisation with its own certificates."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.security.examples import TestClock
from tests.security.pki import Files, Pki, new_key


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def pki(clock: TestClock) -> Pki:
    return Pki(clock)


@pytest.fixture
def of_authority(tmp_path: Path, pki: Pki) -> Files:
    """The files of a good authority."""
    files = Files(tmp_path / "authority")
    files.write(pki.key, pki.authority, pki.root)
    return files


@pytest.fixture
def server_key() -> ec.EllipticCurvePrivateKey:
    return new_key()


@pytest.fixture
def of_server(tmp_path: Path, pki: Pki, server_key: ec.EllipticCurvePrivateKey) -> Files:
    """The files of a good server."""
    files = Files(tmp_path / "server")
    files.write(server_key, pki.server(server_key), pki.authority, pki.root)
    return files
