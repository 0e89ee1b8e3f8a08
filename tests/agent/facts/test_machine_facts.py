"""What the agent finds out of its machine, from files that a test has written."""

import logging
import os
import socket
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from tui_manager_agent.facts import machine_facts
from tui_manager_agent.facts.machine_facts import MachineFacts, parse_os_release
from tui_manager_agent.facts.owner_facts import OWN_LIMIT
from tui_manager_protos.rules.facts import FACTS_LIMIT, VALUE_LIMIT, is_fact_name

Partition = namedtuple("Partition", "device mountpoint fstype opts")
Usage = namedtuple("Usage", "total")
Address = namedtuple("Address", "family address")


def written(root: Path, **files: str) -> MachineFacts:
    """A machine with these files; `__` in a name is a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return MachineFacts(root)


def test_this_machine_has_the_facts_that_every_machine_has() -> None:
    facts = MachineFacts().collect()
    assert facts.keys() >= {"os", "kernel", "arch", "hostname", "cores", "memory_gib", "boot_time"}
    assert facts["kernel"] == os.uname().release
    assert facts["cores"] == str(os.cpu_count())
    assert facts["hostname"] == socket.gethostname()
    boot = datetime.strptime(facts["boot_time"], "%Y-%m-%dT%H:%M:%S%z")
    assert boot < datetime.now(UTC)
    for name, value in facts.items():
        assert is_fact_name(name)
        assert name in machine_facts.NAMES or name.startswith(machine_facts.PREFIXES)
        assert value.isprintable()
        assert 0 < len(value.encode()) <= VALUE_LIMIT


def test_all_facts_together_are_within_the_limit() -> None:
    listed = machine_facts.DISKS_MAX + machine_facts.INTERFACES_MAX
    most = len(machine_facts.NAMES) + listed + OWN_LIMIT + 1
    assert most <= FACTS_LIMIT


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="macOS has no os-release")
def test_the_distribution(tmp_path: Path) -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
    facts = written(tmp_path, etc__timezone="UTC").collect()
    assert facts["os"] == "linux"
    (tmp_path / "etc/os-release").write_text(text)
    facts = MachineFacts(tmp_path).collect()
    assert facts["os"] == "debian"
    assert facts["os_version"] == "12"
    assert facts["os_name"] == "Debian GNU/Linux 12 (bookworm)"


def test_an_os_release_file_is_read_as_a_shell_would() -> None:
    text = '# ID=no\nID=\'arch\'\nA="a \\"b\\""\nODD="x\nnothing\nEMPTY=\n'
    assert parse_os_release(text) == {"ID": "arch", "A": 'a "b"', "ODD": "x", "EMPTY": ""}


X86 = "processor: 0\nmodel name\t: Odd  CPU\x01 @ 3GHz\nflags\t\t: fpu {}\n\nprocessor: 1\n"


@pytest.mark.parametrize(
    ("flag", "files", "kind"),
    [
        ("", {}, "none"),
        ("hypervisor", {}, "vm"),
        ("hypervisor", {"sys__class__dmi__id__sys_vendor": "QEMU\n"}, "kvm"),
        ("hypervisor", {"sys__class__dmi__id__sys_vendor": "VMware, Inc."}, "vmware"),
        ("hypervisor", {"sys__class__dmi__id__product_name": "VirtualBox"}, "virtualbox"),
        ("hypervisor", {"sys__class__dmi__id__product_name": "Virtual Machine"}, "hyperv"),
        ("", {"sys__class__dmi__id__sys_vendor": "Amazon EC2"}, "none"),
        ("", {"sys__hypervisor__type": "xen"}, "xen"),
        ("hypervisor", {"run__systemd__container": "lxc"}, "lxc"),
        ("hypervisor", {".dockerenv": ""}, "docker"),
        ("", {"proc__1__environ": "A=b\0container=podman\0"}, "podman"),
        ("hypervisor", {"proc__sys__kernel__osrelease": "5.15-microsoft-standard"}, "wsl"),
    ],
)
def test_the_kind_of_machine(tmp_path: Path, flag: str, files: dict[str, str], kind: str) -> None:
    facts = written(tmp_path, proc__cpuinfo=X86.format(flag), **files).collect()
    assert facts["virtualisation"] == kind
    assert facts["cpu"] == "Odd CPU @ 3GHz"


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    facts = written(tmp_path, proc__cpuinfo="processor: 0\n").collect()
    assert not facts.keys() & {"cpu", "virtualisation", "zone", "vendor", "product"}


def test_the_zone(tmp_path: Path) -> None:
    assert written(tmp_path, etc__timezone="Asia/Tokyo\n").collect()["zone"] == "Asia/Tokyo"
    (tmp_path / "etc/localtime").symlink_to("../usr/share/zoneinfo/Europe/Berlin")
    assert MachineFacts(tmp_path).collect()["zone"] == "Europe/Berlin"


def test_the_time_of_the_boot_stays_when_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watched = MachineFacts(tmp_path)
    seen = []
    for boot in (1000.0, 1001.0, 959.0, 5000.0):
        monkeypatch.setattr(psutil, "boot_time", lambda boot=boot: boot)
        seen.append(watched.collect()["boot_time"])
    assert seen == [*3 * ["1970-01-01T00:16:40Z"], "1970-01-01T01:23:20Z"]


@pytest.mark.parametrize(("mib", "gib"), [(512, "0.5"), (1900, "2"), (15960, "16")])
def test_the_memory(monkeypatch: pytest.MonkeyPatch, mib: int, gib: str) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Usage(mib << 20))
    assert MachineFacts().collect()["memory_gib"] == gib


def test_disks_count_once_and_dead_ones_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(path: str) -> Usage:
        if path == "/dead":
            raise OSError(5, "Input/output error")
        return Usage(100 << 30)

    many = [Partition(f"/dev/x{n}", f"/x{n}", "xfs", "") for n in range(50)]
    partitions = [
        Partition("/dev/dead", "/dead", "ext4", ""),
        Partition("/dev/a", "/", "ext4", ""),
        Partition("/dev/a", "/again", "ext4", ""),
        Partition("/dev/b", "/my data\n[red]", "xfs", ""),
        *many,
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: partitions)
    monkeypatch.setattr(psutil, "disk_usage", usage)
    facts = MachineFacts().collect()
    disks = {name: value for name, value in facts.items() if name.startswith("disk.")}
    assert disks["disk./"] == "100 GiB ext4"
    assert disks["disk./my_data__red_"] == "100 GiB xfs"
    assert "disk./again" not in disks
    assert len(disks) == machine_facts.DISKS_MAX


def test_addresses_without_those_of_the_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    v4, v6 = socket.AF_INET, socket.AF_INET6
    interfaces = {
        "lo": [Address(v4, "127.0.0.1"), Address(v6, "::1")],
        "eth0": [Address(v4, "10.0.0.5"), Address(v6, "fe80::1%eth0"), Address(v6, "fd00::5")],
        "veth1": [Address(v6, "fe80::2%veth1")],
        **{f"dummy{n}": [Address(v4, f"10.1.0.{n}")] for n in range(50)},
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    facts = MachineFacts().collect()
    shown = {name: value for name, value in facts.items() if name.startswith("address.")}
    assert "address.lo" not in shown
    assert "address.veth1" not in shown
    assert len(shown) <= machine_facts.INTERFACES_MAX
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": interfaces["eth0"]})
    assert MachineFacts().collect()["address.eth0"] == "10.0.0.5 fd00::5"


def test_a_part_that_fails_costs_no_other_part(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(psutil, "net_if_addrs", fails)
    monkeypatch.setattr(psutil, "virtual_memory", fails)
    watched = MachineFacts()
    with caplog.at_level(logging.WARNING):
        facts = watched.collect()
        watched.collect()
    assert "memory_gib" not in facts
    assert facts["kernel"] == os.uname().release
    assert [record.getMessage().split()[3] for record in caplog.records] == [
        "part=_memory",
        "part=_addresses",
    ]
