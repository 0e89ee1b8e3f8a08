"""Bytes that are almost a request or a certificate: each is read, or refused in a sentence."""

import base64
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.security.examples import name, request
from tests.support.run_length import examples
from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.certificate_requests import read_request
from tui_manager.security.certificates.certificates import (
    FOR_CLIENTS,
    Issuer,
    key_id,
    leaf_certificate,
    to_der,
)
from tui_manager.security.certificates.client_certificate import (
    HOST_URI,
    PeerCertificate,
    read_peer,
)
from tui_manager.security.keys import key_hash

KEY = ec.generate_private_key(ec.SECP256R1())
HOST = "0b5ce1b4-2f0a-4a4b-9d6e-7c1a52f0de11"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = request(KEY)
ISSUER = Issuer(
    name("authority"),
    KEY,
    x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id(KEY.public_key())),
)
CERTIFICATE = to_der(
    leaf_certificate(
        ISSUER,
        name(HOST),
        KEY.public_key(),
        [x509.UniformResourceIdentifier(f"{HOST_URI}{HOST}")],
        FOR_CLIENTS,
        NOW,
        NOW + timedelta(days=30),
    )
)


def read_peer_der(der: bytes) -> PeerCertificate:
    text = base64.encodebytes(der)
    return read_peer(b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n")


def signed_part(der: bytes) -> bytes:
    return x509.load_der_x509_csr(der).tbs_certrequest_bytes


def check_request(der: bytes) -> None:
    """What its key has signed is what it signed, so only what is around that was changed."""
    assert read_request(der).key_hash == key_hash(KEY.public_key())
    assert signed_part(der) == signed_part(REQUEST)


def check_peer(der: bytes) -> None:
    """The handshake looks at the signature; what is read names one host, in one way to write it."""
    peer = read_peer_der(der)
    assert str(UUID(peer.host_id)) == peer.host_id
    assert len(peer.key_hash) == len(key_hash(KEY.public_key()))
    assert {peer.begins.tzinfo, peer.ends.tzinfo} == {UTC}


CHECKS = pytest.mark.parametrize(
    ("check", "good"), [(check_request, REQUEST), (check_peer, CERTIFICATE)], ids=["csr", "peer"]
)
PLACES = st.integers(0, 2**16)
# Each says where, how many bytes go (-1: as many as come), and what comes. One whose lengths stay
# right is often read far enough to meet what looks at the meaning.
OVERWRITTEN = st.tuples(PLACES, st.just(-1), st.binary(min_size=1, max_size=2))
EDITS = OVERWRITTEN.map(lambda edit: [edit]) | st.lists(
    st.tuples(PLACES, st.integers(-1, 2), st.binary(max_size=8)), min_size=1, max_size=4
)


def replaced(good: bytes, old: str, new: str) -> bytes:
    assert good.count(bytes.fromhex(old)) == 1
    return good.replace(bytes.fromhex(old), bytes.fromhex(new))


@pytest.mark.parametrize(
    ("read", "der"),
    [
        (read_request, REQUEST.replace(b"\x02\x01\x00", b"\x02\x01\x3e", 1)),  # another version
        (read_peer_der, replaced(CERTIFICATE, "a003020102", "a003020109")),
        (read_peer_der, replaced(CERTIFICATE, "0603551d0f", "0603551d13")),  # an extension twice
        (read_peer_der, replaced(CERTIFICATE, "0603551d11", "0603551d1e")),  # one that is missing
        (read_peer_der, CERTIFICATE.replace(bytes.fromhex("2a8648ce3d030107"), b"12345678")),
    ],
)
def test_what_is_odd_is_refused(read: Callable[[bytes], object], der: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read(der)


def test_what_was_not_changed_is_read() -> None:
    check_request(REQUEST)
    check_peer(CERTIFICATE)


@CHECKS
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=examples(500, few=150))
@given(edits=EDITS)
def test_what_was_changed_anywhere_is_read_or_refused(
    check: Callable[[bytes], None], good: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    der = bytearray(good)
    for place, removed, added in edits:
        at = place % (len(der) + 1)
        der[at : at + (removed if removed >= 0 else len(added))] = added
    with contextlib.suppress(InvalidInputError):
        check(bytes(der))
