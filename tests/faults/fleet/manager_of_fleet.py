"""One manager of a fleet: its program, its folders, and the ways to it that a fault can cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.fleet.node import Node
from tests.faults.fleet.proxy import Proxy
from tests.support.databases.cutting_proxy import CuttingProxy

MANAGER = "manager"


@dataclass(eq=False, slots=True)
class ManagerOfFleet:
    """One manager.

    Attributes:
        node: its program.
        folder: of the fleet.
        end: what distinguishes its folders from those of the others.
        state_dir: its state folder.
        proxy: between agents and it.
        door: between it and the database; None: nothing is.
        settings: of its configuration file, as TOML.
    """

    node: Node
    folder: Path
    end: str
    state_dir: Path
    settings: dict[str, str]
    proxy: Proxy = field(default_factory=Proxy)
    door: CuttingProxy | None = None

    @property
    def key(self) -> str:
        """Names it in the database; empty before its first start."""
        path = self.state_dir / "gateway"
        return path.read_text().strip() if path.exists() else ""

    @property
    def answers(self) -> bool:
        """Whether its program runs and is not stopped."""
        if not self.node.alive:
            return False
        try:
            return psutil.Process(self.node.pid).status() != psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    def write_settings(self) -> None:
        """Writes the configuration file."""
        path = self.folder / f"config{self.end}" / "tui-manager" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(f"{name} = {value}" for name, value in self.settings.items()))

    def cut_off_from_database(self, *, silently: bool = False) -> None:
        """Its connections to the database end, and no new one is made. Silently: they stay open,
        and nothing passes."""
        assert self.door is not None
        if silently:
            self.door.swallow(b"")
        else:
            self.door.refuse(on=True)
            self.door.end_all()

    def let_to_database(self) -> None:
        """It can connect to the database again; what had passed nothing has ended."""
        assert self.door is not None
        self.door.swallow()
        self.door.refuse(on=False)
        self.door.end_all()


def manager_of_fleet(
    folder: Path, number: int, settings: Mapping[str, str], *, secure: bool = False
) -> ManagerOfFleet:
    """A manager that is not started.

    Args:
        number: from 1 on; 0: the only one.
        secure: it uses TLS.
    """
    end = str(number) if number > 1 else ""
    state_dir = folder / f"state{end}"
    variables = {
        "TUI_MANAGER_STATE_DIR": str(state_dir),
        "XDG_CONFIG_HOME": str(folder / f"config{end}"),
    }
    name = f"{MANAGER}{number or ''}"
    security = [] if secure else ["--insecure"]
    node = Node(name, folder, ["serve", *security, "--listen", "127.0.0.1:0"], variables)
    return ManagerOfFleet(node, folder, end, state_dir, dict(settings))
