"""The key and the certificate on disk are complete or missing, also after a crash."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tui_manager_agent.identity import certificates, credentials, keys
from tui_manager_agent.identity.credentials import DamagedError
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.supervisor import record

from tests.agent.authority import DAY, MONTH, Authority, der, key_pem, new_key

HOST_ID = "7b1d7c52-4f0b-4b53-8a07-4a1a2a4f5f10"
DIES = 9

LOAD_OR_MAKE = "from tui_manager_agent.identity import keys; keys.load_or_make(Path(sys.argv[1]))"
SAVE = (
    "from tui_manager_agent.identity import credentials; "
    "from tui_manager_agent.supervisor import record; "
    "credentials.save(Path(sys.argv[1]), record.read(sys.argv[2]))"
)


def die_at(call: str, count: int, statement: str, *arguments: object) -> int:
    """Exit status of a program that ends, as if killed, right before the call made that often."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        f"real, calls = os.{call}, []\n"
        "def dying(*a, **k):\n"
        f"    calls.append(1)\n"
        f"    if len(calls) == {count}: os._exit({DIES})\n"
        "    return real(*a, **k)\n"
        f"os.{call} = dying\n"
        f"{statement}\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=False).returncode


def fields_for(
    state_dir: Path,
    authority: Authority,
    lasts: timedelta = MONTH,
    manager_id: str = "m",
    ahead: timedelta = timedelta(0),
) -> dict[str, str]:
    """What a child answers after an enrolment."""
    folder = credentials.folder_in(state_dir)
    key = keys.load_or_make(folder)
    certificate = authority.host(key.public_key(), HOST_ID, lasts, ahead)
    fields = certificates.accept(key, HOST_ID, [der(certificate)], [der(authority.certificate)])
    return {**fields, "manager_id": manager_id, "host_id": HOST_ID, "server_name": "s"}


@pytest.mark.parametrize(
    ("call", "count"),
    [("open", 1), ("write", 1), ("fsync", 1), ("link", 1), ("unlink", 1), ("fsync", 2)],
)
def test_a_key_is_made_whole_or_not_at_all(call: str, count: int, tmp_path: Path) -> None:
    assert die_at(call, count, LOAD_OR_MAKE, tmp_path) == DIES
    there = (tmp_path / "key.pem").exists()
    seen = key_pem(keys.load(tmp_path)) if there else b""
    key = keys.load_or_make(tmp_path)
    assert not there or key_pem(key) == seen
    assert key_pem(keys.load_or_make(tmp_path)) == key_pem(key)
    leftovers = {path.name for path in tmp_path.iterdir()} - {"key.pem"}
    assert all(name.startswith("key.pem.") for name in leftovers)


def test_what_a_crash_left_of_a_key_is_cleared_away(tmp_path: Path) -> None:
    assert die_at("link", 1, LOAD_OR_MAKE, tmp_path) == DIES
    assert len(list(tmp_path.iterdir())) == 1
    keys.load_or_make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


@pytest.mark.parametrize(
    ("call", "count"), [("open", 1), ("write", 1), ("fsync", 1), ("rename", 1)]
)
def test_credentials_are_replaced_whole_or_not_at_all(
    call: str, count: int, tmp_path: Path
) -> None:
    authority = Authority()
    old = credentials.save(tmp_path, fields_for(tmp_path, authority))
    new = fields_for(tmp_path, authority, lasts=2 * MONTH)
    record.write(str(tmp_path), "answer", record.encode(new))
    assert die_at(call, count, SAVE, tmp_path, tmp_path / "answer") == DIES
    assert credentials.load(tmp_path) == old
    assert credentials.save(tmp_path, new) == credentials.load(tmp_path) != old


def test_several_who_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; "
                "from tui_manager_agent.identity import keys; "
                "print('ready', flush=True); sys.stdin.read(); "
                "print(keys.key_hash(keys.load_or_make(Path(sys.argv[1]))).hex())",
                str(tmp_path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None
    said = {child.communicate()[0].strip() for child in children}
    assert said == {keys.key_hash(keys.load(tmp_path)).hex()}


def test_a_key_that_appears_while_another_is_made_is_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = key_pem(new_key())
    sync = os.fsync

    def meanwhile(descriptor: int) -> None:
        if not (tmp_path / "key.pem").exists():
            (tmp_path / "key.pem").write_bytes(first)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    assert key_pem(keys.load_or_make(tmp_path)) == first


def test_credentials_say_what_they_are_and_hide_the_key(tmp_path: Path) -> None:
    saved = credentials.save(tmp_path, fields_for(tmp_path, Authority()))
    loaded = credentials.load(tmp_path)
    assert loaded is not None
    assert loaded == saved
    assert not loaded.ended
    assert (loaded.manager_id, loaded.host_id, loaded.server_name) == ("m", HOST_ID, "s")
    assert loaded.key_hash == keys.key_hash(keys.load(tmp_path / "credentials"))
    assert loaded.chain.startswith(b"-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in repr(loaded)
    lines = (tmp_path / "credentials" / "certificate").read_bytes().splitlines()
    assert b"-----BEGIN CERTIFICATE-----" in lines  # where openssl looks for it


def test_a_certificate_that_has_ended_is_known_without_looking_into_it(tmp_path: Path) -> None:
    held = credentials.save(tmp_path, fields_for(tmp_path, Authority(), -DAY))
    assert held.ended


@pytest.mark.parametrize("gone", ["manager_id", "ends", "chain", "key"])
def test_damaged_credentials_are_said_to_be(gone: str, tmp_path: Path) -> None:
    fields = fields_for(tmp_path, Authority())
    credentials.save(tmp_path, fields)
    folder = tmp_path / "credentials"
    if gone == "key":
        (folder / "key.pem").unlink()
    else:
        del fields[gone]
        record.write(str(folder), credentials.CERTIFICATE, record.encode(fields))
    with pytest.raises(DamagedError, match="are damaged"):
        credentials.load(tmp_path)
    if gone != "key":
        with pytest.raises(DamagedError):
            credentials.save(tmp_path, fields)


def test_a_key_that_is_none_of_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"nothing")
    with pytest.raises(keys.KeyProblemError, match=r"key\.pem cannot be read"):
        keys.load_or_make(tmp_path)
    assert (tmp_path / "key.pem").read_bytes() == b"nothing"


def test_no_credentials_are_no_problem_and_leave_no_trace(tmp_path: Path) -> None:
    assert credentials.load(tmp_path) is None
    assert not credentials.exist(tmp_path)
    assert not credentials.exist(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_credentials_of_another_manager_than_the_journals_are_refused(tmp_path: Path) -> None:
    held = credentials.save(tmp_path, fields_for(tmp_path, Authority(), manager_id="m2"))
    identity = Identity(tmp_path)
    try:
        identity.bind("m", "h")
        with pytest.raises(StateError, match="credentials of the manager m2"):
            identity.bind_to_issuer(held)
        assert (identity.manager_id, identity.host_id) == ("m", "h")
    finally:
        identity.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_a_state_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(StateError, match=r"belongs to nobody, who could replace.*chown 0"):
        Identity(tmp_path)
    assert list(tmp_path.iterdir()) == []
