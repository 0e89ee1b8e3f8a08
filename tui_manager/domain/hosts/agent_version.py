"""Versions of agents: which is newer, and which agents differ from what they should be."""

from collections.abc import Mapping

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.version_order import version_key

from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec

BUNDLE = "bundle"  # how an agent was installed that can update itself
_PACKAGES = ("deb", "rpm")
Platform = tuple[str, str]  # system and architecture, in lower case


@dataclass(frozen=True, slots=True)
class HostAgent:
    """The agent of a host, as it says of itself.

    Attributes:
        build: of its bundle; empty: it runs from none.
        installed_by: `bundle`, `deb`, `rpm`; empty: by other means, or it is too old to say.
        system, arch: of its host.
    """

    version: str
    build: str
    installed_by: str
    system: str
    arch: str

    @property
    def platform(self) -> Platform:
        """For which a bundle must be made to run there."""
        return platform_of(self.system, self.arch)


def platform_of(system: str, arch: str) -> Platform:
    """What agents and bundles call a machine, in the same form."""
    return system.casefold(), arch.casefold()


def update_refusal(update: UpdateSpec, agent: HostAgent | None, *, offered: bool) -> str:
    """Why an agent cannot be updated, as a sentence; empty: it can.

    Args:
        agent: what it is; None: nothing is known of it.
        offered: it can update itself.
    """
    if agent and agent.arch and agent.platform != platform_of(update.system, update.arch):
        return (
            f"the bundle is for {update.system} {update.arch}, and this host is "
            f"{agent.platform[0]} {agent.arch}. Update it with a bundle that was made on such a "
            "machine."
        )
    if offered:
        return ""
    by = agent.installed_by if agent else ""
    if by in _PACKAGES:
        return f"this agent comes from a {by} package: update it with the package manager."
    if by == BUNDLE:
        return (
            "this agent may not write the folder in which it is installed. Update it with "
            "tui-manager agent install."
        )
    return (
        "this agent does not run from a bundle, or is too old to update itself. Install one with "
        "tui-manager agent install."
    )


@dataclass(frozen=True, slots=True)
class ExpectedAgents:
    """What the agents of a fleet should be.

    Attributes:
        own: the version of the manager. An agent that is older is out of date.
        updates: for each platform the newest update that completed on a host. If it is not older
            than `own`, an agent that is another one differs; an agent of a bundle also by its
            build.
    """

    own: str
    updates: Mapping[Platform, UpdateSpec]

    def update_for(self, platform: Platform) -> UpdateSpec | None:
        """What agents of a platform should be; None: no older than the manager."""
        update = self.updates.get(platform)
        if update is None or version_key(update.version) < version_key(self.own):
            return None
        return update

    def differs(self, agent: HostAgent) -> bool:
        """Whether an agent is not what it should be."""
        update = self.update_for(agent.platform)
        if update is None:
            return version_key(agent.version) < version_key(self.own)
        if agent.version != update.version:
            return True
        return agent.installed_by == BUNDLE and agent.build != update.build
