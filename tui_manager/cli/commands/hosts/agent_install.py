"""`tui-manager agent install` and `agent uninstall`: agents come to hosts over ssh, and go."""

import argparse
import asyncio
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from getpass import getpass

from tui_manager_protos.rules.manager_address import ADDRESSES_MAX, check_manager_address

from tui_manager.agent_bundle.opened_bundle import Bundle, require_signer
from tui_manager.agent_install.choose_bundle import Bundles
from tui_manager.agent_install.hosts_in_parallel import HostWork, ParallelHostWork
from tui_manager.agent_install.install import HostInstall
from tui_manager.agent_install.install_order import HostClaims, InstallOrder
from tui_manager.agent_install.manager_calls import HostReader
from tui_manager.agent_install.ssh.host_session import SshSettings, SudoPassword
from tui_manager.agent_install.ssh.ssh_targets import STDIN, SshTarget, read_targets
from tui_manager.agent_install.uninstall import HostUninstall, UninstallOrder
from tui_manager.cli.commands.hosts.agent_bundle import own_bundle, public_key, signing_key
from tui_manager.cli.exit_status import COMPLETED, NOT_COMPLETED, UNREACHABLE
from tui_manager.cli.options.values import parse_pairs
from tui_manager.cli.printing.install_progress import HostProgress, print_outcomes
from tui_manager.cli.printing.status_line import clear_status
from tui_manager.cli.printing.write_text import note
from tui_manager.client.connection import connect_operator
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import check_labels, check_name
from tui_manager.domain.manager.address import is_local, other_addresses
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.operator.api import Operator
from tui_manager.own_addresses import reachable_addresses
from tui_manager.settings import Settings


def run_install(settings: Settings, options: argparse.Namespace) -> int:
    """Installs agents, and returns the exit status."""
    return _Command(settings, options).run(_install)


def run_uninstall(settings: Settings, options: argparse.Namespace) -> int:
    """Takes agents away, and returns the exit status."""
    return _Command(settings, options).run(_uninstall)


class _Command:
    """What both commands have in common: the hosts, ssh, and what is printed."""

    def __init__(self, settings: Settings, options: argparse.Namespace) -> None:
        self._settings = settings
        self.options = options
        self.targets = read_targets(options.names, sys.stdin)
        self.ssh = _ssh_settings(options, self.targets)
        self.run_id = secrets.token_hex(8)
        self.progress = HostProgress(len(self.targets), ssh_asks=not self.ssh.batch)
        self._work: ParallelHostWork | None = None

    def run(
        self,
        prepare: Callable[["_Command", Operator, ManagerStatus], Callable[[SshTarget], HostWork]],
    ) -> int:
        try:
            lost = asyncio.run(self._run(prepare))
        finally:
            clear_status()
            if self._work is not None:
                outcomes, check_task = self._work.outcomes, self._work.check_task
                print_outcomes(outcomes, check_task, as_json=self.options.json)
        if lost:
            return UNREACHABLE
        assert self._work is not None
        good = all(outcome.status.is_good for outcome in self._work.outcomes)
        return COMPLETED if good else NOT_COMPLETED

    async def _run(
        self,
        prepare: Callable[["_Command", Operator, ManagerStatus], Callable[[SshTarget], HostWork]],
    ) -> bool:
        """Whether the manager was lost meanwhile."""
        async with connect_operator(self._settings.state_dir) as operator:
            make = prepare(self, operator, await operator.manager_status())
            self._work = work = ParallelHostWork(
                self.targets, make, self.progress.on_end, self.options.parallel
            )
            await work.run()
            if not work.manager_lost:
                await work.check(operator, self.progress.on_check)
            return work.manager_lost


def _install(
    command: _Command, operator: Operator, status: ManagerStatus
) -> Callable[[SshTarget], HostWork]:
    options = command.options
    labels = None if options.label is None else parse_pairs("label", options.label)
    check_labels(labels or {})
    if options.name is not None:
        check_name(options.name, "Give it another --name.")
        if len(command.targets) > 1:
            raise InvalidInputError("name", "--name is for one host, and several are named.")
    order = InstallOrder(
        manager_id=status.manager_id,
        dial=_dial(options.manager, status),
        dial_given=options.manager is not None,
        name=options.name or "",
        labels=labels,
        dry_run=options.dry_run,
        run=command.run_id,
        ssh=command.ssh,
    )
    fleet, claims = HostReader(operator), HostClaims()
    bundles = Bundles(options.bundle, own_bundle, _note_wait, can_make=not options.dry_run)
    _check_signers(bundles.given, options.trust)
    return lambda target: HostInstall(
        target, order, fleet, bundles, claims, command.progress.on_stage
    )


def _uninstall(
    command: _Command, operator: Operator, status: ManagerStatus
) -> Callable[[SshTarget], HostWork]:
    order = UninstallOrder(
        manager_id=status.manager_id,
        force=command.options.force,
        keep_host=command.options.keep_host,
        run=command.run_id,
        ssh=command.ssh,
    )
    fleet = HostReader(operator)
    return lambda target: HostUninstall(target, order, fleet, command.progress.on_stage)


def _ssh_settings(options: argparse.Namespace, targets: tuple[SshTarget, ...]) -> SshSettings:
    """Raises InvalidInputError."""
    if shutil.which("ssh") is None:
        raise InvalidInputError("ssh", "There is no program ssh here; install the OpenSSH client.")
    if options.ask_become_password and not options.become:
        raise InvalidInputError("become", "--ask-become-password is only for --become.")
    by_hand = len(targets) == 1 and STDIN not in options.names
    by_hand = by_hand and sys.stdin.isatty() and sys.stderr.isatty()
    return SshSettings(
        config=options.ssh_config,
        batch=not by_hand,
        become=options.become,
        password=SudoPassword(_read_password() if options.ask_become_password else ""),
    )


def _read_password() -> str:
    try:
        with open("/dev/tty"):
            pass
    except OSError as error:
        raise InvalidInputError(
            "become", "--ask-become-password needs a terminal to ask on."
        ) from error
    return getpass("Password for sudo on the hosts: ")


def _dial(given: str | None, status: ManagerStatus) -> str:
    """What the hosts dial. Raises InvalidInputError if they cannot."""
    if status.security == "insecure":
        raise InvalidInputError(
            "manager",
            "This manager runs with --insecure, so only agents on its own machine can join. Start "
            "it without.",
        )
    if given is not None:
        _check_addresses(given)
        return given
    if is_local(status.address):
        raise InvalidInputError(
            "manager",
            f"This manager listens on {status.address}, which other machines cannot reach. "
            "--listen 0.0.0.0:7443 opens it to them; or say with --manager where hosts reach it.",
        )
    first, *others = status.dials(reachable_addresses)
    more = other_addresses([first, *others])
    note(f"hosts dial {first}; --manager gives them another address. {more}".rstrip())
    return first


def _check_addresses(text: str) -> None:
    addresses = text.split(",")
    if len(addresses) > ADDRESSES_MAX:
        raise InvalidInputError("manager", f"--manager takes at most {ADDRESSES_MAX} addresses.")
    for address in addresses:
        try:
            check_manager_address(address)
        except ValueError as error:
            raise InvalidInputError("manager", f"--manager {address}: {error}.") from error


def _note_wait() -> None:
    note("interrupted; this ends as soon as the bundle is made")


def _check_signers(bundles: Sequence[Bundle], trust: Sequence[str]) -> None:
    """Raises InvalidInputError for a bundle that neither this operator nor a trusted key signed."""
    if bundles:
        trusted = [signing_key(None).public, *map(public_key, trust)]
        for bundle in bundles:
            require_signer(bundle, trusted)
