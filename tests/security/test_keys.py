"""Keys in files, and the forms in which people and tokens name them."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tui_manager_protos.rules.fingerprint import fingerprint

from tui_manager.domain.errors import StorageError
from tui_manager.security.keys import key_hash, key_pem, load_or_make_key, pin

PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
"""  # the base point of P-256, so the key of the private number 1
# openssl pkey -pubin -outform DER | sha256sum
HASH = "5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_privately(tmp_path: Path) -> None:
    path = tmp_path / "security" / "some.key"
    before = os.umask(0)
    try:
        key = load_or_make_key(path)
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [file.name for file in path.parent.iterdir()] == ["some.key"]
    assert isinstance(key.curve, ec.SECP256R1)
    assert path.read_bytes() == key_pem(key)
    assert key_pem(load_or_make_key(path)) == key_pem(key)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_get_at_is_not_used(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "some.key"
    load_or_make_key(path)
    path.chmod(bits)
    with pytest.raises(StorageError, match=rf"mode {bits:04o}.*chmod 600.*SECURITY\.md"):
        load_or_make_key(path)
    path.chmod(0o400)
    load_or_make_key(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(StorageError, match=r"another user \(number 65534\)"):
        load_or_make_key(tmp_path / "some.key")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_can_enter_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "security"
    folder.mkdir()
    folder.chmod(0o755)
    load_or_make_key(folder / "some.key")
    assert mode(folder) == 0o700


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else None
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        lock or serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), b"open"), "damaged"),
        (_pem(ec.generate_private_key(ec.SECP384R1())), r"no ECDSA P-256"),
        (_pem(rsa.generate_private_key(65537, 2048)), r"no ECDSA P-256"),
        (b"x" * (2 << 20), "too large"),
    ],
)
def test_a_file_that_holds_no_such_key_is_left_alone(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "some.key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(StorageError, match=words):
        load_or_make_key(path)
    assert path.read_bytes() == data


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "some.key").mkdir()
    with pytest.raises(StorageError, match=r"some\.key cannot be read"):
        load_or_make_key(tmp_path / "some.key")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made private"):
        load_or_make_key(tmp_path / "file" / "some.key")


def test_hash_pin_and_fingerprint_are_what_they_are_forever() -> None:
    public_key = serialization.load_pem_public_key(PUBLIC)
    assert key_hash(public_key).hex() == HASH
    assert pin(bytes.fromhex(HASH)) == "XNJS-wzokyQ2-vjM0QQJgbie5K1rn-niorfnGqyyfNM"
    assert fingerprint(bytes.fromhex(HASH)) == "jugif-jarur-bugom"


@pytest.mark.parametrize(
    ("address", "words"),
    [  # from the paper on proquints, as pairs of words
        ("7f000001", "lusab-babad"),
        ("3f54dcc1", "gutih-tugad"),
        ("3f760723", "gutuk-bisog"),
        ("8c62c18d", "mudof-sakat"),
        ("ffffffff", "zuzuz-zuzuz"),
        ("00000000", "babab-babab"),
    ],
)
def test_words_are_proquints(address: str, words: str) -> None:
    number = bytes.fromhex(address)
    assert fingerprint(number + number + bytes(24)) == f"{words}-{words.split('-')[0]}"
