"""Installs the agent on one host: finds out what is there, and changes only what is wrong. So a
second install repairs what an earlier one left unfinished."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tui_manager_protos.rules.files.agent_bundle import read_head
from tui_manager_protos.rules.names_and_labels import is_name
from tui_manager_protos.rules.version_order import version_key

from tui_manager.agent_bundle.opened_bundle import Bundle
from tui_manager.agent_install.agent_settings import (
    changed_lines,
    labels_of,
    labels_text,
    names_of,
    value_of,
)
from tui_manager.agent_install.choose_bundle import Bundles, WantedBundle, named
from tui_manager.agent_install.install_order import HostClaims, InstallOrder
from tui_manager.agent_install.manager_calls import HostReader
from tui_manager.agent_install.outcomes import HostProblemError, Outcome, Status
from tui_manager.agent_install.probe import HostIdentity, Probe, read_identity, read_probe
from tui_manager.agent_install.ssh.host_session import (
    Answer,
    HostSession,
    RefusedRequestError,
    first_value,
    open_session,
)
from tui_manager.agent_install.ssh.ssh_targets import SshTarget
from tui_manager.agent_install.stages import Report, Stage
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.status import Admission

ONLINE_WITHIN = 90.0  # seconds after its start
_LOOKS = 5.0  # seconds between two looks at the service
_LOG_LINES = 30
_SHOWN_LINES = 3
_RENEWED_BEFORE = timedelta(days=1)  # a certificate that ends earlier is not relied on
_UNPACK_FACTOR = 1024  # bytes of a kB


class HostInstall:
    """The install on one host; `run` does it once."""

    def __init__(
        self,
        target: SshTarget,
        order: InstallOrder,
        fleet: HostReader,
        bundles: Bundles,
        claims: HostClaims,
        report: Report,
    ) -> None:
        self._target = target
        self._order = order
        self._fleet = fleet
        self._bundles = bundles
        self._claims = claims
        self._report = report
        self._challenge = secrets.token_hex(32)
        self._keeps = ""  # why it keeps another build
        self.stage = Stage.WAITING

    async def run(self) -> tuple[Outcome, Host | None]:
        """How it ended, and the host at the manager, if it is online.

        Raises:
            HostProblemError: it cannot be installed there, with the reason.
            UnreachableError: the manager does not answer any more.
        """
        self._enter(Stage.CONNECTING)
        session = await open_session(self._target, self._order.ssh)
        try:
            self._enter(Stage.LOOKING)
            probe = read_probe(
                await session.ask("probe", [("challenge", self._challenge)]), self._challenge
            )
            probe.check(become=self._order.ssh.become)
            wanted = await self._bundles.wanted(probe.system, probe.arch, probe.libc)
            self._check_manager(probe.manager_id)
            known = await self._known(probe.identity)
            if known and not self._bundles.given and _is_as_good(probe, wanted, known):
                self._keeps = _keeps(known, wanted)
                wanted = WantedBundle(known.agent_version, known.agent_build)
            if known and self._is_as_wanted(probe, wanted, known):
                return self._outcome(Status.UNCHANGED, known, wanted, _key(known)), known
            await self._check_others(probe, known)
            if self._order.dry_run:
                return self._plan(probe, known, wanted), None
            if self._keeps:
                return await self._install(session, probe, wanted, None)
            bundle = await self._bundles.fitting(probe.system, probe.arch, probe.libc)
            wanted = WantedBundle(bundle.manifest.version, bundle.manifest.build)
            return await self._install(session, probe, wanted, bundle)
        finally:
            await session.close()

    def _plan(self, probe: Probe, known: Host | None, wanted: WantedBundle) -> Outcome:
        """What a real run would do."""
        changed = names_of(changed_lines(probe.settings, self._values(probe, probe.manager_id)))
        status = Status.WOULD_UPDATE if probe.current else Status.WOULD_INSTALL
        if not probe.current:
            what = f"{wanted.named} comes into {probe.root}"
        elif not wanted.is_in(probe.current):
            what = f"{wanted.named} comes in place of {named(probe.current)}"
        elif changed:
            what = f"{named(probe.current)} stays, changed: {', '.join(changed)}"
        else:
            what = f"{named(probe.current)} stays and is repaired"
        detail = f"{what}, as {probe.user}, {probe.service_words}"
        return self._outcome(status, known, wanted, detail)

    async def _check_others(self, probe: Probe, known: Host | None) -> None:
        """Raises HostProblemError if another agent is there, or another host has the name."""
        if probe.other and not probe.current and not self._order.name:
            raise HostProblemError(
                f"This machine has an agent already, {probe.other_words}. If you mean that one, "
                f"{probe.other_login}. Else uninstall it first, or give this one another name with "
                "--name."
            )
        if known is None:
            name = self._values(probe, probe.manager_id).get("name") or value_of(
                probe.settings, "name"
            )
            await self._check_name(name or probe.host, "", probe.host_id)

    async def _install(
        self, session: HostSession, probe: Probe, wanted: WantedBundle, bundle: Bundle | None
    ) -> tuple[Outcome, Host | None]:
        """Installs what is wanted.

        Args:
            bundle: with what is wanted; None: the host runs that already.
        """
        await self._lock(session)
        if bundle is not None:
            await self._put_files(session, bundle)
        self._enter(Stage.SETTING_UP)
        answer = await session.ask(
            "identity", [("name", wanted.folder), ("challenge", self._challenge)]
        )
        identity = read_identity(first_value(answer, "identity"), self._challenge)
        known = await self._known(identity)
        settings = await self._settings(probe, known, identity)
        token = "" if known and _is_enrolled(identity) else await self._token(identity)
        answer = await session.ask(
            "configure",
            [
                ("name", wanted.folder),
                *(("setting", line) for line in settings),
                *((("token", token),) if token else ()),
            ],
        )
        self._enter(Stage.STARTED)
        host = await self._wait_online(session, identity, wanted)
        if probe.current != wanted.folder:
            await session.ask("clean")
        notes = [_key(host), *_notes(answer)]
        status = Status.INSTALLED
        if probe.current and probe.current != wanted.folder:
            status = Status.UPDATED
            notes.insert(0, f"{named(probe.current)} before")
        elif first_value(answer, "changed") == "no":
            status = Status.UNCHANGED
        elif probe.current and settings and value_of(probe.settings, "manager"):
            status = Status.CHANGED
            notes.insert(0, ", ".join(names_of(settings)))
        elif probe.current:
            notes.insert(0, "repaired")
        return self._outcome(status, host, wanted, ", ".join(notes)), host

    async def _lock(self, session: HostSession) -> None:
        try:
            await session.ask("lock", [("run", self._order.run), ("owner", self._target.typed)])
        except RefusedRequestError as error:
            run, _, typed = error.detail.partition(" ")
            if error.code == "busy" and self._order.run and run == self._order.run:
                raise HostProblemError(f"It is the same machine as {typed}.") from error
            raise

    async def _put_files(self, session: HostSession, bundle: Bundle) -> None:
        manifest = bundle.manifest
        fields = [("name", manifest.folder), ("version", manifest.version)]
        if first_value(await session.ask("has", fields), "has") == "yes":
            return
        self._enter(Stage.SENDING)
        kilobytes = (manifest.size + manifest.unpacked) // _UNPACK_FACTOR + 1
        fields += [
            ("size", str(manifest.size)),
            ("sha256", manifest.sha256),
            ("kilobytes", str(kilobytes)),
        ]
        with bundle.path.open("rb") as file:
            file.seek(read_head(file).offset)
            await session.send(fields, file, manifest.size, self._say_sent(manifest.size))

    def _say_sent(self, size: int) -> Callable[[int], None]:
        said = -1

        def say(sent: int) -> None:
            nonlocal said
            percent = sent * 100 // size
            if percent > said:
                said = percent
                self._report(self._target, self.stage, f"{percent} %")

        return say

    def _check_manager(self, manager_id: str) -> None:
        if manager_id not in ("", self._order.manager_id):
            raise HostProblemError(
                f"It belongs to another manager, {manager_id}. `tui-manager agent uninstall --ssh "
                f"{self._target.typed}` takes that agent away first."
            )

    async def _known(self, identity: HostIdentity | None) -> Host | None:
        """The host at the manager, if it is there already.

        Raises HostProblemError if it belongs elsewhere, was turned away, or is in this run twice.
        """
        if identity is None:
            return None
        typed = self._target.typed
        self._check_manager(identity.manager_id)
        self._claims.claim_key(identity.key_sha256, typed)
        known = await self._fleet.by_key(identity.fingerprint)
        if known and known.admission in (Admission.REJECTED, Admission.REVOKED):
            raise HostProblemError(
                f"The manager has {known.admission.value} this host, {known.name}, for good. "
                f"`tui-manager agent uninstall --ssh {typed}` removes its key, and it can be "
                "installed as a new host."
            )
        return known

    async def _settings(
        self, probe: Probe, known: Host | None, identity: HostIdentity
    ) -> tuple[str, ...]:
        """The lines that the file with settings needs. Raises HostProblemError for a name that is
        taken."""
        values = self._values(probe, identity.manager_id)
        if known is None or self._order.name:  # a known host may have been given another name
            name = values.get("name") or value_of(probe.settings, "name") or probe.host
            await self._check_name(name, identity.fingerprint, identity.host_id)
            self._claims.claim_name(name, self._target.typed)
        return changed_lines(probe.settings, values)

    def _values(self, probe: Probe, manager_id: str) -> dict[str, str]:
        """The settings that the host is to have, as far as this install decides them."""
        order, lines = self._order, probe.settings
        values = {}
        if order.dial_given or not manager_id or not value_of(lines, "manager"):
            values["manager"] = order.dial
        typed = "" if manager_id else self._target.name  # a known host keeps the name that it has
        if name := order.name or value_of(lines, "name") or typed:
            values["name"] = name
        if order.labels is not None:
            values["labels"] = labels_text({**labels_of(lines), **order.labels})
        return values

    async def _check_name(self, name: str, fingerprint: str, host_id: str) -> None:
        if not is_name(name):
            raise HostProblemError(
                f"It calls itself {name!r}, which is no name for a host. Give it one with --name."
            )
        taken_by = await self._fleet.by_name(name)
        if taken_by and fingerprint != taken_by.fingerprint and host_id != taken_by.host_id:
            key = taken_by.fingerprint or "none"
            to_do = (
                "It is online, so this is another machine, or another user of it: give it"
                if taken_by.online
                else "If that machine is gone, or its agent was uninstalled with --keep-host, "
                f"`tui-manager hosts remove {name}` first; else give this"
            )
            raise HostProblemError(
                f"Another host has the name {name}, with the key {key}. {to_do} another name with "
                "--name."
            )

    def _is_as_wanted(self, probe: Probe, wanted: WantedBundle, known: Host) -> bool:
        """Whether nothing has to be changed."""
        return (
            probe.active
            and wanted.is_in(probe.current)
            and _runs(known, wanted)
            and known.admission is Admission.ADMITTED
            and not changed_lines(probe.settings, self._values(probe, probe.manager_id))
        )

    async def _token(self, identity: HostIdentity) -> str:
        return await self._fleet.token_for(identity.key_sha256)

    async def _wait_online(
        self, session: HostSession, identity: HostIdentity, wanted: WantedBundle
    ) -> Host:
        """The host, once it is online with this build. Raises HostProblemError with the last words
        of its log."""
        loop = asyncio.get_running_loop()
        ends_at, looks_at = loop.time() + ONLINE_WITHIN, loop.time() + _LOOKS
        host: Host | None = None
        while loop.time() < ends_at:
            host = await self._fleet.by_key(identity.fingerprint, fresh=False)
            if host and host.admission is Admission.PENDING:
                await self._fleet.operator.approve_hosts([host.host_id])
            elif host and _runs(host, wanted):
                return host
            if loop.time() >= looks_at:
                looks_at = loop.time() + _LOOKS
                if first_value(await session.ask("status"), "active") != "yes":
                    break
            await asyncio.sleep(self._fleet.interval)
        answer = await session.ask("log", [("lines", str(_LOG_LINES))])
        raise HostProblemError(why_not_online(answer.get("line", ()), host))

    def _enter(self, stage: Stage) -> None:
        self.stage = stage
        self._report(self._target, stage)

    def _outcome(
        self, status: Status, host: Host | None, wanted: WantedBundle, detail: str
    ) -> Outcome:
        return Outcome(
            host=self._target.typed,
            status=status,
            detail=f"{detail}, {self._keeps}" if self._keeps else detail,
            name=host.name if host else self._order.name or self._target.name,
            host_id=host.host_id if host else "",
            version=wanted.version,
            build=wanted.build,
        )


def _runs(host: Host, wanted: WantedBundle) -> bool:
    """Whether the host is online with this version and build."""
    if not host.online or host.agent_version != wanted.version:
        return False
    return wanted.build in ("", host.agent_build)


def _is_as_good(probe: Probe, wanted: WantedBundle, host: Host) -> bool:
    """Whether the host is online with another build from a bundle, and not an older version."""
    runs = WantedBundle(host.agent_version, host.agent_build)
    return (
        host.online
        and host.admission is Admission.ADMITTED
        and bool(runs.build)
        and probe.current == runs.folder
        and not wanted.is_in(runs.folder)
        and version_key(runs.version) >= version_key(wanted.version)
    )


def _keeps(host: Host, wanted: WantedBundle) -> str:
    other = "build" if host.agent_version == wanted.version else "version"
    return (
        f"it runs another {other} than {wanted.named}, and keeps it: --bundle or `agent update` "
        "replaces it"
    )


def _is_enrolled(identity: HostIdentity) -> bool:
    ends = identity.certificate_ends
    return (
        bool(identity.host_id) and ends is not None and ends > datetime.now(UTC) + _RENEWED_BEFORE
    )


def _key(host: Host) -> str:
    return f"known by {host.fingerprint}"


def _notes(answer: Answer) -> list[str]:
    """What the operator should know of how it runs there."""
    notes = []
    if "boot" in answer:
        notes.append("it does not start with the machine: there is no systemd and no crontab")
    if "linger" in answer:
        notes.append(
            "a script keeps it running, because `loginctl enable-linger` was refused there"
        )
    return notes


def why_not_online(log: Sequence[str], host: Host | None) -> str:
    what = "runs there in another version" if host and host.online else "does not come online"
    telling = [line for line in log if line.strip() and " level=INFO " not in line]
    different = list(dict.fromkeys(map(_plain, telling or log)))
    words = "; ".join(different[-_SHOWN_LINES:])
    if not words:
        return f"The agent is there and {what}, and its log is empty."
    return f"The agent is there and {what}. Its log ends with: {words}"


def _plain(line: str) -> str:
    """A line of the agent's log without its time, and without when it dials again and whom."""
    if line.startswith("time=") and " level=" in line:
        line = line.partition(" level=")[2].partition(" ")[2]
    line = line.partition(" again_in=")[0]
    return line.removeprefix("tui-manager-agent: ").strip()
