"""What is asked before hosts are approved, rejected or revoked."""

from collections.abc import Sequence

from tui_manager.domain.host import Host
from tui_manager.domain.safe_text import safe_line
from tui_manager.ui.drawing.figures import count_of
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.confirm import ODD, Question

_NAMED = 6  # hosts that have a line of their own
_NAME_WIDTH = 40  # cells
_NOTE_WIDTH = 1200
_NOTE_WIDTH_OF_MANY = 58


def approve_question(hosts: Sequence[Host]) -> Question:
    """Who asks, by which key, and what is odd about it."""
    what = _what(hosts)
    trust = "it gets" if len(hosts) == 1 else "they get"
    return Question(
        f"Approve {what}?",
        (
            *_who(hosts),
            "",
            "The agent printed the same words when it joined: compare them there.",
            f"Once approved {trust} commands, and the secrets of these.",
        ),
        f"Approve {what}",
        len(hosts),
        destructive=False,
    )


def turn_away_question(pending: Sequence[Host], admitted: Sequence[Host]) -> Question:
    """What ends, and what becomes of the work."""
    hosts = [*admitted, *pending]
    if not admitted:
        verb = f"Reject {_what(pending)}"
    elif not pending:
        verb = f"Revoke {_what(admitted)}"
    else:
        verb = f"Revoke {_what(admitted)}, reject {_what(pending)}"
    lines = [*_who(hosts), ""]
    if admitted:
        lines.append("A revoked host is cut off at once, and its key is never accepted again.")
    if pending:
        lines.append("The key of a rejected host is never accepted again.")
    running = sum(host.running for host in hosts)
    if admitted or running:
        lines += _work(running)
    return Question(f"{verb}?", lines, verb, len(hosts))


def _work(running: int) -> tuple[str, ...]:
    runs = f"{count_of(running, 'command')} {'runs' if running == 1 else 'run'} there now. "
    return (
        f"{runs if running else ''}What was sent becomes failed (agent lost), the rest failed "
        "(undeliverable).",
        "Its processes are not killed: cancel the task first if they must end.",
    )


def _what(hosts: Sequence[Host]) -> str:
    if len(hosts) > 1:
        return count_of(len(hosts), "host")
    return shorten(safe_line(hosts[0].name), _NAME_WIDTH)


def _who(hosts: Sequence[Host]) -> list[str]:
    """The odd ones first; of one all that is known of its note."""
    if len(hosts) == 1:
        note = hosts[0].note
        odd = [f"{ODD} {shorten(safe_line(note), _NOTE_WIDTH)}"] if note else []
        return [_identity(hosts[0]), *odd]
    lines = []
    for host in sorted(hosts, key=lambda host: not host.note)[:_NAMED]:
        lines.append(_identity(host))
        if host.note:
            lines.append(f"  {ODD} {shorten(safe_line(host.note), _NOTE_WIDTH_OF_MANY)}")
    if (more := len(hosts) - _NAMED) > 0:
        lines.append(f"and {more:,} more")
    return lines


def _identity(host: Host) -> str:
    """`db9   lusab-babad-gutih   10.0.0.9:40112`."""
    parts = (host.name, host.fingerprint, host.address)
    return "   ".join(shorten(safe_line(part), _NAME_WIDTH) for part in parts if part)
