"""The addresses that an agent was told: what it keeps, and what it does not believe."""

import logging
from pathlib import Path

import pytest
from tui_manager_agent.identity.known_managers import FILE, KnownManagers
from tui_manager_agent.supervisor import record
from tui_manager_protos.rules.manager_address import ADDRESSES_MAX

GIVEN = ("m1:1", "m2:1")


def known(state_dir: Path, *, only_loopback: bool = False) -> KnownManagers:
    given = ("127.0.0.1:1",) if only_loopback else GIVEN
    return KnownManagers(state_dir, given, only_loopback=only_loopback)


async def test_what_was_told_last_is_kept_beside_what_the_owner_gave(tmp_path: Path) -> None:
    managers = known(tmp_path)
    assert await managers.learn(["m3:1", "m2:1"])
    assert managers.addresses == ("m1:1", "m2:1", "m3:1")
    assert await managers.learn(["m4:1"])
    assert managers.addresses == ("m1:1", "m2:1", "m4:1")
    assert known(tmp_path).addresses == managers.addresses
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


async def test_nothing_new_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    managers = known(tmp_path)
    await managers.learn(["m3:1", "m4:1"])
    monkeypatch.setattr(record, "write", None)
    assert not await managers.learn([])
    assert not await managers.learn(["m3:1", "m4:1"])
    assert not await managers.learn(["m4:1", "m3:1"])
    assert managers.addresses == (*GIVEN, "m3:1", "m4:1")


async def test_a_hostile_list_costs_a_line_each_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    managers = known(tmp_path)
    bad = ["", "unix:/run/x:1", "m3", "m3:0", "[::]:1", "m3:1\nlevel=INFO", "x" * 100_000]
    with caplog.at_level(logging.WARNING):
        assert not await managers.learn(bad)
        assert await managers.learn([*bad, "m3:1"])
        assert len(caplog.messages) == 2 * len(bad)
        assert not await managers.learn([*bad, "m3:1"])
    assert len(caplog.messages) == 2 * len(bad)
    assert all(len(line) < 300 and "\n" not in line for line in caplog.messages)
    assert managers.addresses == (*GIVEN, "m3:1")
    assert known(tmp_path).addresses == (*GIVEN, "m3:1")


async def test_a_list_without_end_is_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    managers = known(tmp_path)
    with caplog.at_level(logging.WARNING):
        await managers.learn(f"m{number}:2" for number in range(10_000))
    assert caplog.messages == [f"more than {ADDRESSES_MAX} addresses of managers are ignored"]
    assert len(known(tmp_path).addresses) == len(GIVEN) + ADDRESSES_MAX


async def test_without_tls_no_other_machine_is_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    managers = known(tmp_path, only_loopback=True)
    with caplog.at_level(logging.WARNING):
        assert await managers.learn(["10.0.0.5:1", "127.0.0.1:2"])
    assert managers.addresses == ("127.0.0.1:1", "127.0.0.1:2")
    assert "address='10.0.0.5:1' of a manager ignored: with --insecure" in caplog.text
    await known(tmp_path).learn(["10.0.0.5:1"])
    assert known(tmp_path, only_loopback=True).addresses == ("127.0.0.1:1",)


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "changed", "folder"])
async def test_a_damaged_file_is_told_and_replaced(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await known(tmp_path).learn(["m3:1", "m4:1"])
    path = tmp_path / FILE
    whole = path.read_bytes()
    damaged = {
        "cut": whole[:-7], "empty": b"", "noise": bytes(range(256)) * 9,
        "changed": whole.replace(b"m3:1", b"m9:1"),
    }  # fmt: skip
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(damaged[damage])
    with caplog.at_level(logging.WARNING):
        managers = known(tmp_path)
    assert len(caplog.messages) == 1
    assert managers.addresses == GIVEN
    await managers.learn(["m5:1"])
    assert set(managers.addresses) == {*GIVEN, "m5:1"}
    if damage != "folder":
        assert known(tmp_path).addresses == (*GIVEN, "m5:1")


async def test_a_full_disk_keeps_no_agent_from_another_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    managers = known(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "write", full)
    with caplog.at_level(logging.WARNING):
        assert await managers.learn(["m3:1"])
    assert managers.addresses == (*GIVEN, "m3:1")
    assert "the addresses of managers are not kept" in caplog.text
