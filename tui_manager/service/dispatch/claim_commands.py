"""The transaction that claims commands for sessions: it marks them as sent before they are sent."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts import agent_features
from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.agent_version import HostAgent
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.service.core import advance_task
from tui_manager.service.core.advance_task import EndedCommand
from tui_manager.service.dispatch.command_secrets import CommandSecrets, LostSecretError
from tui_manager.service.limits import Limits
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import command_hosts
from tui_manager.storage.tables.tasks.command_hosts import CommandOnHost
from tui_manager.storage.views.delivery import choose_commands, command_delivery
from tui_manager.storage.views.delivery.choose_commands import (
    ClaimedCommand,
    Recipient,
    RunSettings,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadySession:
    """A session that takes commands.

    Attributes:
        row_id: of its host.
        room: commands that it takes now.
        limit: commands that its host may have under way.
        features: what its agent can do.
        variables: that each of its commands gets, if its agent takes them.
        agent: what its agent is.
    """

    host_id: str
    name: str
    row_id: int
    journal_id: str
    generation: int
    room: int
    limit: int
    features: frozenset[Feature]
    variables: Mapping[str, str]
    agent: HostAgent


ClaimedOnSession = tuple[ReadySession, ClaimedCommand]


@dataclass(slots=True)
class Claims:
    """The result of a claim.

    Attributes:
        commands: to be sent.
        failed_tasks: tasks of commands that can never be sent, and so have failed.
        hosts_with_room: hosts of these commands, which have room for the next ones.
        failures: for the log, why each of these commands cannot be sent.
    """

    commands: list[ClaimedOnSession] = field(default_factory=list)
    failed_tasks: set[int] = field(default_factory=set)
    hosts_with_room: set[str] = field(default_factory=set)
    failures: list[Mapping[str, object]] = field(default_factory=list)

    def by_host(self) -> dict[int, list[ClaimedOnSession]]:
        """The commands by the row id of their host."""
        found: dict[int, list[ClaimedOnSession]] = defaultdict(list)
        for session, command in self.commands:
            found[session.row_id].append((session, command))
        return found

    def in_portions(self, size: int) -> "Iterator[Claims]":
        """Divides the commands into portions of at least `size`; the last may be smaller. Commands
        of one host stay together, because they are sent as one message. All else is in the first
        portion."""
        portion = replace(self, commands=[])
        for commands in self.by_host().values():
            portion.commands += commands
            if len(portion.commands) >= size:
                yield portion
                portion = Claims()
        yield portion

    def log_failures(self) -> None:
        """To be called once the claim is committed."""
        for failure in self.failures:
            log.error("command cannot be sent", extra=failure)


def claim_commands(
    tx: Transaction,
    sessions: Iterable[ReadySession],
    limits: Limits,
    secrets: CommandSecrets,
    now: int,
) -> Claims:
    """Marks the commands that may be sent on these sessions as sent. A command that its agent
    cannot run, or whose secret is lost, fails.

    Args:
        now: microseconds since 1970 UTC.
    """
    claims = Claims()
    by_row = {session.row_id: session for session in sessions}
    recipients = [
        Recipient(
            session.row_id,
            session.room,
            session.limit,
            session.journal_id,
            session.variables if Feature.HOST_VARIABLES in session.features else None,
        )
        for session in by_row.values()
    ]
    settings = RunSettings(now, limits.kill_grace, limits.output_limit)
    for command in choose_commands.choose_and_mark_sent(tx, recipients, settings):
        session = by_row[command.host]
        if why := agent_features.refusal(command.run.command, session.features, session.agent):
            _fail(tx, claims, session, command, why, now, refused=True)
            continue
        try:
            claims.commands.append((session, secrets.unseal(command)))
        except LostSecretError as error:
            _fail(tx, claims, session, command, str(error), now, refused=False)
    for task_id in claims.failed_tasks:
        advance_task.update_task_status(tx, task_id, now)
    return claims


def _fail(
    tx: Transaction,
    claims: Claims,
    session: ReadySession,
    command: ClaimedCommand,
    why: str,
    now: int,
    *,
    refused: bool,
) -> None:
    """Ends a claimed command that will not be sent; `refused`: because of its agent."""
    ids = {"task": command.task_id, "host": session.name, "execution": command.run.execution_id}
    claims.failures.append({**ids, "error": why})
    claims.failed_tasks.add(command.task_id)
    claims.hosts_with_room.add(session.host_id)
    command_delivery.mark_unsent(tx, command.row_id)
    end = command_hosts.refuse_sending if refused else command_hosts.give_up_sending
    end(tx, command.row_id, why, now)
    ended = CommandOnHost(command.task_id, session.row_id, command.position, now)
    reason = Reason.REJECTED if refused else Reason.UNDELIVERABLE
    advance_task.advance(tx, EndedCommand(ended, CommandHostStatus.FAILED, reason))
