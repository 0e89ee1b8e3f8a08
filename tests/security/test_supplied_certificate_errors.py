"""Certificates that the operator brings and that cannot be used: refused with a sentence."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.security.examples import TestClock
from tests.security.pki import (
    CLIENT,
    SERVER,
    Files,
    Pki,
    authority_of,
    new_key,
    server_of,
    to_pem,
)
from tui_manager.domain.errors import InvalidInputError


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_key_that_others_can_get_at_is_not_used(
    of_authority: Files, of_server: Files, clock: TestClock, tmp_path: Path, mode: int
) -> None:
    of_authority.key.chmod(mode)
    of_server.key.chmod(mode)
    with pytest.raises(InvalidInputError, match=rf"be used by other users \(mode {mode:04o}\)"):
        authority_of(of_authority, clock, tmp_path)
    with pytest.raises(InvalidInputError, match="be used by other users") as error:
        server_of(of_server, clock, tmp_path)
    assert error.value.field == "server_key"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"junk", "no PEM private key"),
        (to_pem(new_key(), b"open sesame"), "needs a passphrase"),
        (to_pem(ed25519.Ed25519PrivateKey.generate()), "TLS cannot use here"),
        (to_pem(ec.generate_private_key(ec.SECP256K1())), "TLS cannot use here"),
        (to_pem(rsa.generate_private_key(65537, 1024)), "TLS cannot use here"),
        (to_pem(new_key()), "does not belong to the key"),
    ],
)
def test_keys_that_cannot_be_used(
    of_authority: Files, clock: TestClock, tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is None:
        of_authority.key.unlink()
    else:
        of_authority.key.write_bytes(content)
    with pytest.raises(InvalidInputError, match=words) as error:
        authority_of(of_authority, clock, tmp_path)
    assert error.value.field in {"authority_key", "authority_certificate"}
    assert str(of_authority.key) in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"junk", b"x" * (2 << 20)])
def test_certificates_that_cannot_be_read(
    of_server: Files, clock: TestClock, tmp_path: Path, content: bytes | None
) -> None:
    of_server.certificate.unlink()
    if content is not None:
        of_server.certificate.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"not exist|no PEM|too large") as error:
        server_of(of_server, clock, tmp_path)
    assert error.value.field == "server_certificate"
    assert str(of_server.certificate) in str(error.value)


def test_a_folder_is_no_certificate(of_server: Files, clock: TestClock, tmp_path: Path) -> None:
    of_server.certificate.unlink()
    of_server.certificate.mkdir()
    with pytest.raises(InvalidInputError, match="cannot be read: Is a directory"):
        server_of(of_server, clock, tmp_path)


def test_authorities_that_cannot_vouch(
    of_authority: Files, pki: Pki, clock: TestClock, tmp_path: Path
) -> None:
    public_key = pki.key.public_key()
    bad = {
        "not the certificate of an authority": pki.make("sub", public_key, pki.root_key, "root"),
        "may not sign certificates for clients": pki.sub_authority(usage=[SERVER]),
        "may not sign certificates for servers": pki.sub_authority(usage=[CLIENT]),
        "expired on 20": pki.make(
            "sub", public_key, pki.root_key, authority=True, begins=-9, ends=-1
        ),
        "is not valid before 20": pki.make(
            "sub", public_key, pki.root_key, authority=True, begins=1
        ),
    }
    for words, certificate in bad.items():
        of_authority.write_certificates(certificate)
        with pytest.raises(InvalidInputError, match=words):
            authority_of(of_authority, clock, tmp_path)
    of_authority.write_certificates(pki.sub_authority(usage=[SERVER, CLIENT]))
    authority_of(of_authority, clock, tmp_path)


def test_servers_that_hosts_could_not_know(
    of_server: Files,
    pki: Pki,
    server_key: ec.EllipticCurvePrivateKey,
    clock: TestClock,
    tmp_path: Path,
) -> None:
    good, public_key = pki.server(server_key), server_key.public_key()
    for_clients = pki.make("s", public_key, pki.key, "sub", names=["a"], usage=[CLIENT])
    bad = {
        "contains only the server's certificate": (good,),
        "each certificate must be signed by the next": (good, pki.root),
        "'CN=root' is not signed by 'CN=sub'": (good, pki.authority, pki.root, pki.authority),
        "not a certificate for servers": (for_clients, pki.authority),
        "no subject alternative name": (pki.server(server_key, names=()), pki.authority),
        "expired on 20": (pki.server(server_key, begins=-9, ends=-1), pki.authority),
    }
    for words, certificates in bad.items():
        of_server.write_certificates(*certificates)
        with pytest.raises(InvalidInputError, match=words):
            server_of(of_server, clock, tmp_path)
