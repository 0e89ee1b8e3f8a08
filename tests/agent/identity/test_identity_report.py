"""`tui-manager-agent identity`: by which key and ids managers know this host."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tui_manager_agent import __version__, installation
from tui_manager_agent.cli.main import main
from tui_manager_agent.identity import credentials
from tui_manager_agent.identity.identity import FILE, Identity, LockedError, read_or_make_ids
from tui_manager_agent.installation import Installation
from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.rules.identity_proof import signed_bytes

from tests.agent.authority import Authority
from tests.agent.identity.test_credentials import HOST_ID, fields_for

EMPTY = ("manager_id", "host_id", "certificate_ends", "build")


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


def ask(state_dir: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, str]:
    assert main(["identity", "--json", "--state-dir", str(state_dir), *more]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count("\n") == 1
    shape = json.loads(said.out)
    assert isinstance(shape, dict)
    return shape


def test_the_first_question_makes_folder_and_key(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ask(state_dir, capsys)
    assert first == ask(state_dir, capsys)
    assert first["version"] == __version__
    assert first["fingerprint"] == fingerprint(bytes.fromhex(first["key_sha256"]))
    assert [first[name] for name in EMPTY] == [""] * len(EMPTY)
    assert state_dir.stat().st_mode & 0o777 == 0o700
    identity = Identity(state_dir)
    assert identity.journal_id == first["journal_id"]
    identity.close()


def test_a_host_that_has_enrolled_says_to_whom_it_belongs(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = Identity(state_dir)
    held = credentials.save(state_dir, fields_for(state_dir, Authority()))
    identity.bind_to_issuer(held)
    said = ask(state_dir, capsys)  # while an agent holds the folder
    identity.close()
    assert (said["manager_id"], said["host_id"]) == ("m", HOST_ID)
    assert said["key_sha256"] == held.key_hash.hex()
    assert said["certificate_ends"].endswith("Z")
    assert main(["identity", "--state-dir", str(state_dir)]) == 0
    text = capsys.readouterr().out
    assert said["fingerprint"] in text
    assert said["certificate_ends"] in text


def test_the_build_is_spelled_as_everywhere(
    state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Installation(installed_by="bundle", build="0123456789ab")
    monkeypatch.setattr(installation, "find", lambda: ours)
    assert main(["identity", "--state-dir", str(state_dir)]) == 0
    assert f"agent        {__version__} (build 0123456789ab)\n" in capsys.readouterr().out
    monkeypatch.setattr(installation, "find", Installation)
    assert main(["identity", "--state-dir", str(state_dir)]) == 0
    assert f"agent        {__version__}\n" in capsys.readouterr().out


def test_an_agent_that_has_just_begun_is_waited_for(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity(state_dir)
    kept = (state_dir / FILE).read_bytes()
    (state_dir / FILE).unlink()
    asked = threading.Event()
    monkeypatch.setattr("time.sleep", lambda seconds: asked.set())

    def write() -> None:
        asked.wait()
        (state_dir / "new").write_bytes(kept)
        os.rename(state_dir / "new", state_dir / FILE)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_or_make_ids(state_dir).journal_id == identity.journal_id
    writer.join()
    (state_dir / FILE).unlink()
    monkeypatch.setattr("tui_manager_agent.identity.identity._BEGINS_WITHIN", -1.0)
    with pytest.raises(LockedError, match="Another agent is running"):
        read_or_make_ids(state_dir)
    identity.close()


def test_a_challenge_is_signed_with_the_key(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask(state_dir, capsys, "--challenge", "00ff")
    public = bytes.fromhex(said["public_key"])
    assert hashlib.sha256(public).hexdigest() == said["key_sha256"]
    key = load_der_public_key(public)
    assert isinstance(key, EllipticCurvePublicKey)
    key.verify(bytes.fromhex(said["signature"]), signed_bytes(b"\0\xff"), ECDSA(SHA256()))
    assert "signature" not in ask(state_dir, capsys)


@pytest.mark.parametrize("challenge", ["", "0", "xy", "00" * 65])
def test_what_is_no_challenge(challenge: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["identity", "--challenge", challenge])
    assert "--challenge" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["key", "certificate", "file"])
def test_a_folder_that_cannot_be_used_is_named(
    damage: str, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage == "file":
        state_dir.write_text("")
    else:
        Identity(state_dir).close()
        credentials.save(state_dir, fields_for(state_dir, Authority()))
        name = credentials.KEY if damage == "key" else credentials.CERTIFICATE
        (state_dir / credentials.FOLDER / name).write_bytes(b"?")
    assert main(["identity", "--json", "--state-dir", str(state_dir)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tui-manager-agent: ")
    assert str(state_dir) in said.err
