"""Secrets of commands: sealed before they are stored, opened before they are sent to an agent."""

from dataclasses import replace

from tui_manager.domain.errors import StorageError
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.security.secret_box import SecretBox
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import secrets, tasks
from tui_manager.storage.views.delivery.choose_commands import ClaimedCommand


class LostSecretError(Exception):
    """A command cannot be sent, because one of its secrets is lost. The text is for the
    operator."""


class CommandSecrets:
    """Seals and opens secrets. No value enters the database unsealed."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def store(self, tx: Transaction, task_id: int, spec: TaskSpec) -> None:
        """Adds the secrets of a new task."""
        if any(command.secrets for command in spec.commands):
            command_ids = tasks.command_ids(tx, task_id)
            for command_id, command in zip(command_ids, spec.commands, strict=True):
                sealed = {
                    name: self._box.seal(value, _context(command_id, name))
                    for name, value in command.secrets.items()
                }
                secrets.insert(tx, command_id, sealed)

    def unseal(self, command: ClaimedCommand) -> ClaimedCommand:
        """The command with its secrets among its variables. Raises LostSecretError."""
        opened = {}
        for name, value in command.secrets.items():
            if value is None:
                raise LostSecretError(
                    f"its secret {name} is erased, as in every backup and once a task has ended; "
                    "create the task again"
                )
            try:
                opened[name] = self._box.unseal(value, _context(command.command_id, name))
            except StorageError as error:
                raise LostSecretError(f"its secret {name} is lost: {error}") from error
        if not opened:
            return command
        environment = {**command.run.environment, **opened}
        run = replace(command.run, environment=environment, secrets=tuple(opened))
        return replace(command, run=run)


def _context(command_id: int, name: str) -> str:
    """Binds a sealed value to its row: it cannot be opened in another one."""
    return f"{command_id}/{name}"
