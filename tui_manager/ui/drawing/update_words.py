"""What an update of an agent does and has done on a host, in words, where they differ from those of
a copy: see `transfer_words.py`. Pure."""

from collections.abc import Sequence

from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.copy_and_fetch import Transfer, UpdateSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.number_format import size
from tui_manager.ui.drawing.spans import Role

_Lines = Sequence[tuple[str, Role]]


def option_texts(spec: UpdateSpec) -> tuple[str, ...]:
    """For which hosts it is, and how much each receives."""
    return (f"for {spec.system} {spec.arch}", size(spec.files.bytes))


def waiting_words(done: Transfer | None, spec: UpdateSpec) -> str:
    """What a host does that runs the update but receives nothing now; empty: it receives.

    While the new version takes the place of the old one, the host is away and says nothing.
    """
    if done is None:
        return "fetches the bundle"
    return f"{size(done.bytes)}, installs" if done.bytes >= spec.files.bytes else ""


def head(row: CommandHost, progress: str) -> _Lines:
    """The state of an update on a host.

    Args:
        progress: of a row that runs.
    """
    detail = row.detail.strip()
    more = ((detail, Role.PLAIN),) if detail else ()
    match row.status:
        case CommandHostStatus.RUNNING:
            return ((f"Updating: {progress}", Role.PLAIN),)
        case CommandHostStatus.COMPLETED:
            same = row.transfer is not None and row.transfer.unchanged
            first = "The agent was this one already." if same else "Updated."
            return ((first, Role.STRONG), *more)
        case CommandHostStatus.FAILED if row.reason is Reason.UPDATE_FAILED:
            return (("The update failed.", Role.FAULT), *more)
        case _:
            return ((command_host_text(row), Role.PLAIN),)


def what(spec: UpdateSpec) -> _Lines:
    """The version that an update brings."""
    title = f"{spec.title[0].upper()}{spec.title[1:]}"
    return (("", Role.PLAIN), (", ".join((title, *option_texts(spec))), Role.MUTED))
