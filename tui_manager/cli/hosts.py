"""`tui-manager hosts`."""

import asyncio

from tui_manager.cli.printing import local_time, note, table, write, write_json
from tui_manager.cli.reading import all_hosts, connect
from tui_manager.cli.shapes import host_shape
from tui_manager.domain.host import Host
from tui_manager.settings import Settings

AGENT = "tui-manager-agent"
_HEADER = ("NAME", "STATE", "LABELS", "CPU", "MEM", "RUN", "SINCE", "ADDRESS", "SYSTEM", "AGENT")
_SHORTENED = tuple(map(_HEADER.index, ("LABELS", "SYSTEM", "NAME")))


def run_hosts(settings: Settings, *, as_json: bool) -> int:
    """Prints the hosts, and returns the exit status."""
    hosts, address = asyncio.run(_read(settings))
    if as_json:
        write_json([host_shape(host) for host in hosts])
    elif hosts:
        write(table(_HEADER, [_row(host) for host in hosts], stretch=_SHORTENED))
    else:
        note(f"No hosts yet; start an agent: {AGENT} run --manager {address} --insecure")
    return 0


async def _read(settings: Settings) -> tuple[list[Host], str]:
    async with connect(settings.state_dir) as operator:
        return await all_hosts(operator), (await operator.manager_status()).address


def _row(host: Host) -> tuple[str, ...]:
    vitals = host.vitals
    return (
        host.name,
        "online" if host.online else "offline",
        " ".join(f"{key}={value}" for key, value in sorted(host.labels.items())) or "-",
        f"{vitals.cpu_percent:.0f}%" if vitals else "-",
        f"{vitals.memory_percent:.0f}%" if vitals else "-",
        str(host.running),
        local_time(host.since),
        host.address,
        f"{host.os} {host.arch}",
        host.agent_version,
    )
