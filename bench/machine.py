"""Which machine the figures come from."""

import os
import platform
import sqlite3
from pathlib import Path
from typing import Any

import grpc
import psutil

GIB = 1 << 30


def machine() -> dict[str, Any]:
    """What must stand beside every figure."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 2),
    }


def sentence(found: dict[str, Any]) -> str:
    """The same in a line."""
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, {found['system']}, "
        f"Python {found['python']}, grpcio {found['grpcio']}, SQLite {found['sqlite']}, "
        f"load before {found['load_before']}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
