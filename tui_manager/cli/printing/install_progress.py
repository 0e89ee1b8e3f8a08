"""What `agent install` and `agent uninstall` print: progress, a line for each host, a summary."""

import sys
from collections import Counter
from collections.abc import Sequence

from tui_manager.agent_install.outcomes import Outcome, Status
from tui_manager.agent_install.ssh.ssh_targets import SshTarget
from tui_manager.agent_install.stages import Stage
from tui_manager.cli.printing.status_line import clear_status, show_status
from tui_manager.cli.printing.write_text import note, one_line, write, write_json
from tui_manager.domain.task_spec.copy_and_fetch import with_build

_WORDS = {
    Status.WOULD_INSTALL: "would be installed",
    Status.WOULD_UPDATE: "would be updated",
}

_STEPS_OF = 5  # hosts whose steps a log can hold


class HostProgress:
    """Says how far each host is: on a terminal in one line that is drawn anew, else in a line for
    each step of a few hosts, or for the end of each of many.

    Args:
        ssh_asks: ssh may ask on the terminal while it connects; nothing is drawn there then.
    """

    def __init__(self, hosts: int, *, ssh_asks: bool = False) -> None:
        self._hosts = hosts
        self._ssh_asks = ssh_asks
        self._under_way: dict[SshTarget, str] = {}
        self._ended: set[str] = set()
        self._failed = 0

    def on_stage(self, target: SshTarget, stage: Stage, detail: str = "") -> None:
        """The work on a host goes on."""
        self._under_way[target] = f"{target.typed} {stage.value} {detail}".rstrip()
        if sys.stderr.isatty():
            if stage is not Stage.CONNECTING or not self._ssh_asks:
                show_status(self._text)
        elif self._hosts <= _STEPS_OF and not detail:
            sys.stderr.write(f"{one_line(self._under_way[target])}\n")

    def on_end(self, outcome: Outcome) -> None:
        """It has ended on a host."""
        self._ended.add(outcome.host)
        self._failed += not outcome.status.is_good
        self._under_way = {
            target: text for target, text in self._under_way.items() if target.typed != outcome.host
        }
        if sys.stderr.isatty():
            show_status(self._text)
        elif self._hosts > _STEPS_OF:
            ended = f"{outcome.host} {_words(outcome.status)}, {len(self._ended)} of {self._hosts}"
            sys.stderr.write(f"{one_line(ended)}\n")

    def on_check(self) -> None:
        """It has ended on all hosts, and a command is tried on them."""
        show_status(lambda: f"{self._counts()}: trying a command on them", at_once=True)

    def _text(self) -> str:
        steps = ", ".join(self._under_way.values())
        return f"{self._counts()}: {steps}" if steps else self._counts()

    def _counts(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{len(self._ended)} of {self._hosts} hosts{failed}"


def print_outcomes(outcomes: Sequence[Outcome], check_task: int, *, as_json: bool) -> None:
    """A line, or an object, for each host, and the summary on stderr.

    Args:
        check_task: the task that has tried a command on the hosts; 0: none has.
    """
    clear_status()
    if as_json:
        write_json([_shape(outcome) for outcome in outcomes])
    else:
        write("".join(f"{one_line(outcome_line(outcome))}\n" for outcome in outcomes))
    checked = f"; checked by task {check_task}" if check_task else ""
    note(f"{summary(outcomes)}{checked}")


def outcome_line(outcome: Outcome) -> str:
    """`web1: installed 0.2.0 (build 0123456789ab): known by lusab-babad-gutih`."""
    version = f" {with_build(outcome.version, outcome.build)}" if outcome.build else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    named = f" ({outcome.name})" if outcome.name not in ("", outcome.host) else ""
    return f"{outcome.host}{named}: {_words(outcome.status)}{version}{detail}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """`20 hosts: 18 installed, 2 failed`."""
    counts = Counter(outcome.status for outcome in outcomes)
    parts = (f"{counts[status]} {_words(status)}" for status in Status if counts[status])
    hosts = "1 host" if len(outcomes) == 1 else f"{len(outcomes):,} hosts"
    return f"{hosts}: {', '.join(parts)}"


def _words(status: Status) -> str:
    return _WORDS.get(status, status.value)


def _shape(outcome: Outcome) -> dict[str, str]:
    return {
        "host": outcome.host,
        "status": outcome.status.value,
        "detail": outcome.detail,
        "name": outcome.name,
        "host_id": outcome.host_id,
        "version": outcome.version,
        "build": outcome.build,
    }
