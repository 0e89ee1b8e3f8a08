"""What is wanted on all hosts of a run, and which keys and names its hosts have already."""

from collections.abc import Mapping
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.agent_install.outcomes import HostProblemError
from tui_manager.agent_install.ssh.host_session import SshSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOrder:
    """What is wanted on all hosts.

    Attributes:
        manager_id: of the manager that the hosts are to belong to.
        dial: what they dial, HOST:PORT with commas between several.
        dial_given: the operator has said so; otherwise a host of this manager keeps its own.
        name: of the only host; empty: as it was typed.
        labels: None: a host keeps those that it has.
        dry_run: only look.
        run: tells this run from others.
    """

    manager_id: str
    dial: str
    dial_given: bool = False
    name: str = ""
    labels: Mapping[str, str] | None = None
    dry_run: bool = False
    run: str = ""
    ssh: SshSettings = field(default_factory=SshSettings)


class HostClaims:
    """Which hosts of this run have which keys and names: no two may have the same."""

    def __init__(self) -> None:
        self._keys: dict[bytes, str] = {}
        self._names: dict[str, str] = {}

    def claim_key(self, key_sha256: bytes, typed: str) -> None:
        """Raises HostProblemError if another host of this run has the key."""
        if (first := self._keys.setdefault(key_sha256, typed)) != typed:
            raise HostProblemError(f"It is the same machine as {first}.")

    def claim_name(self, name: str, typed: str) -> None:
        """Raises HostProblemError if another host of this run gets the name."""
        if (first := self._names.setdefault(name, typed)) != typed:
            raise HostProblemError(
                f"{first} gets the name {name} in this run. Install this one alone, with --name."
            )
