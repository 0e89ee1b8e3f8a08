"""Certificate requests: an honest one, and what a stranger may send instead."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tui_manager_protos.rules.fingerprint import fingerprint

from tests.security.examples import request
from tui_manager.domain.errors import InvalidInputError
from tui_manager.security.certificates.certificate_requests import REQUEST_MAX, read_request
from tui_manager.security.keys import key_hash, load_or_make_key


def test_an_honest_request(tmp_path: Path) -> None:
    key = load_or_make_key(tmp_path / "host.key")
    read = read_request(request(key))
    assert read.key_hash == key_hash(key.public_key())
    assert read.fingerprint == fingerprint(read.key_hash)
    assert read.public_key == key.public_key()


def _other_signature(der: bytes) -> bytes:
    return der[:-4] + bytes([der[-4] ^ 1]) + der[-3:]


def _names(count: int) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(f"{n}.example.org") for n in range(count)])


def _swapped() -> bytes:
    """The request of one key with the public key of another put in: nobody proved to hold it."""
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    mine_spki, other_spki = (
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for key in (mine, other)
    )
    return request(mine).replace(mine_spki, other_spki)


@pytest.mark.parametrize(
    ("der", "words"),
    [
        (b"", "cannot be read"),
        (b"\x30\x03junk", "cannot be read"),
        (request(ec.generate_private_key(ec.SECP256R1())) + b"\0", "cannot be read"),
        (request(ec.generate_private_key(ec.SECP256R1()))[:-1], "cannot be read"),
        (_other_signature(request(ec.generate_private_key(ec.SECP256R1()))), "not signed"),
        (_swapped(), "not signed"),
        (request(ec.generate_private_key(ec.SECP256R1()), hashes.SHA224()), "not signed"),
        (request(ec.generate_private_key(ec.SECP384R1())), "not ECDSA P-256"),
        (request(ec.generate_private_key(ec.SECP256K1())), "not ECDSA P-256"),
        (request(rsa.generate_private_key(65537, 2048)), "not ECDSA P-256"),
        (request(ed25519.Ed25519PrivateKey.generate(), None), "not ECDSA P-256"),
        (request(ec.generate_private_key(ec.SECP256R1()), names=_names(400)), "4,096 are allowed"),
        (bytes(REQUEST_MAX + 1), "4,096 are allowed"),
    ],
)
def test_what_is_no_request_of_a_host(der: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as error:
        read_request(der)
    assert error.value.field == "csr"
