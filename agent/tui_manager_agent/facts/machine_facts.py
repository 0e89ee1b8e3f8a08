"""The facts of this machine: its system, processors, memory, disks, addresses, zone.

They are read from files and by psutil; no program is started. Reading may take long if a disk does
not answer, so it happens in a thread of its own. What cannot be found out is left out.
"""

import logging
import os
import re
import shlex
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
from tui_manager_protos.rules.facts import cut_value

DISKS_MAX = 16
INTERFACES_MAX = 24
# All names that this module gives; of the last ones there are many, such as `disk./srv`.
NAMES = frozenset(
    {
        *("os", "os_version", "os_name", "kernel", "arch", "hostname", "cpu", "cores"),
        *("memory_gib", "vendor", "product", "virtualisation", "zone", "boot_time", "address"),
    }
)
PREFIXES = ("disk.", "address.")
_GIB = 1 << 30
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._/-]")
_NAME_LENGTH = 63
_DMI = "sys/class/dmi/id"
# A part of the vendor's or the product's name, and the kind of virtual machine.
_KINDS = (
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("openstack", "kvm"),
    ("google", "kvm"),
    ("digitalocean", "kvm"),
    ("hetzner", "kvm"),
    ("amazon", "kvm"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("xen", "xen"),
    ("bhyve", "bhyve"),
    ("parallels", "parallels"),
    ("bochs", "bochs"),
    ("virtual machine", "hyperv"),
)
# A datagram socket that is connected to an address sends nothing: the kernel only chooses a route.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_LOG = logging.getLogger(__name__)


class MachineFacts:
    """Collects the facts, again and again.

    Args:
        root: where `/etc`, `/proc` and `/sys` are.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._boot_time: datetime | None = None
        self._logged: set[str] = set()

    def collect(self) -> dict[str, str]:
        """All facts that can be found out now."""
        parts: tuple[Callable[[], Mapping[str, str]], ...] = (
            self._system,
            self._processors,
            self._memory,
            self._hardware,
            self._virtualisation,
            self._zone,
            self._boot,
            _addresses,
            _disks,
        )
        facts: dict[str, str] = {}
        for part in parts:
            try:
                facts.update(part())
            except Exception as error:  # an odd machine must not end the agent
                if part.__name__ not in self._logged:
                    self._logged.add(part.__name__)
                    _LOG.warning("facts not known: part=%s error=%r", part.__name__, error)
        return {name: cut_value(_line(value)) for name, value in facts.items() if _line(value)}

    def _text(self, path: str) -> str:
        """The text of a file without spaces around it; empty if it cannot be read."""
        try:
            return (self._root / path).read_text(errors="replace").strip("\0 \n")
        except OSError:
            return ""

    def _system(self) -> Mapping[str, str]:
        system = os.uname()
        common = {
            "kernel": system.release,
            "arch": system.machine,
            "hostname": socket.gethostname(),
        }
        if system.sysname == "Darwin":
            import platform  # seldom needed

            version = platform.mac_ver()[0]
            return {**common, "os": "macos", "os_version": version, "os_name": f"macOS {version}"}
        release = parse_os_release(self._text("etc/os-release") or self._text("usr/lib/os-release"))
        return {
            **common,
            "os": release.get("ID", system.sysname.lower()),
            "os_version": release.get("VERSION_ID", ""),
            "os_name": release.get("PRETTY_NAME", ""),
        }

    def _processors(self) -> Mapping[str, str]:
        first = self._first_processor()
        model = first.get("model name") or first.get("cpu model") or first.get("cpu", "")
        return {"cpu": model, "cores": str(os.cpu_count() or "")}

    def _first_processor(self) -> dict[str, str]:
        """What /proc/cpuinfo says of the first one. The file is long if there are many."""
        found: dict[str, str] = {}
        try:
            with open(self._root / "proc/cpuinfo", errors="replace") as file:
                for line in file:
                    if not line.strip():
                        break
                    key, _, value = line.partition(":")
                    found[key.strip()] = value.strip()
        except OSError:
            pass  # macOS has none
        return found

    def _memory(self) -> Mapping[str, str]:
        gib = psutil.virtual_memory().total / _GIB
        return {"memory_gib": f"{gib:.0f}" if gib >= 1 else f"{gib:.1f}"}

    def _hardware(self) -> Mapping[str, str]:
        product = self._text(f"{_DMI}/product_name") or self._text("proc/device-tree/model")
        return {"vendor": self._text(f"{_DMI}/sys_vendor"), "product": product}

    def _virtualisation(self) -> Mapping[str, str]:
        kind = self._container() or self._virtual_machine()
        return {"virtualisation": kind}

    def _container(self) -> str:
        """What kind of container this is; empty: none that is known."""
        if kind := self._text("run/systemd/container"):
            return kind
        for file, kind in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
            if (self._root / file).exists():
                return kind
        for entry in self._text("proc/1/environ").split("\0"):  # readable for root only
            if entry.startswith("container="):
                return entry.partition("=")[2]
        return "wsl" if "microsoft" in self._text("proc/sys/kernel/osrelease").lower() else ""

    def _virtual_machine(self) -> str:
        """What kind of virtual machine this is: `vm` if it is one of an unknown kind, `none` if it
        is none, empty if that is not known."""
        named = " ".join(
            self._text(f"{_DMI}/{name}") for name in ("sys_vendor", "product_name", "bios_vendor")
        ).lower()
        hypervisor = self._text("sys/hypervisor/type")
        processor = self._first_processor()
        virtual = "hypervisor" in processor.get("flags", "").split()
        if hypervisor:
            return hypervisor
        kind = next((kind for text, kind in _KINDS if text in named), "")
        if "flags" in processor:  # x86, whose virtual processors say what they are
            return (kind or "vm") if virtual else "none"
        return kind or ("none" if named.strip() else "")

    def _zone(self) -> Mapping[str, str]:
        try:
            target = os.readlink(self._root / "etc/localtime")
        except OSError:
            return {"zone": self._text("etc/timezone")}
        return {"zone": target.partition("zoneinfo/")[2]}

    def _boot(self) -> Mapping[str, str]:
        """The kernel computes it from the clock and so it moves a little when the clock is set."""
        now = datetime.fromtimestamp(int(psutil.boot_time()), UTC)
        if self._boot_time is None or abs((now - self._boot_time).total_seconds()) > 60:
            self._boot_time = now
        return {"boot_time": self._boot_time.strftime("%Y-%m-%dT%H:%M:%SZ")}


def parse_os_release(text: str) -> dict[str, str]:
    """The fields of an os-release file, which is written as a shell's assignments."""
    fields = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        try:
            fields[name.strip()] = "".join(shlex.split(value))
        except ValueError:
            fields[name.strip()] = value.strip("\"'")
    return fields


def _addresses() -> Mapping[str, str]:
    """The address that other networks are reached from, and those of each interface, without
    loopback and link-local ones."""
    facts = {}
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                facts["address"] = probe.getsockname()[0]
                break
        except OSError:
            continue
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        shown = [
            found.address
            for found in addresses
            if found.family in (socket.AF_INET, socket.AF_INET6)
            and not found.address.startswith(("127.", "169.254.", "fe80:"))
            and found.address != "::1"
        ]
        if shown and len(facts) <= INTERFACES_MAX:
            facts[_name("address", name)] = " ".join(shown)
    return facts


def _disks() -> Mapping[str, str]:
    """Size and type of local disks, each device once; as in the vitals."""
    facts: dict[str, str] = {}
    seen = set()
    for partition in psutil.disk_partitions(all=False):
        if partition.device in seen or len(facts) == DISKS_MAX:
            continue
        seen.add(partition.device)
        try:
            gib = psutil.disk_usage(partition.mountpoint).total / _GIB
        except OSError:
            continue
        facts[_name("disk", partition.mountpoint)] = f"{gib:.0f} GiB {partition.fstype}"
    return facts


def _name(kind: str, what: str) -> str:
    return f"{kind}.{_NOT_IN_NAMES.sub('_', what)}"[:_NAME_LENGTH]


def _line(text: str) -> str:
    """One line without characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
