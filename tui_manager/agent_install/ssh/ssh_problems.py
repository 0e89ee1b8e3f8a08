"""Why ssh has not connected, in a sentence that says what to do."""

import re
import shlex
from collections.abc import Sequence

from tui_manager.agent_install.ssh.ssh_targets import SshTarget

_LAST = 3  # lines that are shown of what ssh, or the host, said
_CHANGED = re.compile("HOST IDENTIFICATION HAS CHANGED|Offending .*key in")
# Whose key it is: the host as ssh's list of keys calls it, or a jump host.
_CHANGED_OF = re.compile(r"Host key for ([A-Za-z0-9_.:%\[\]-]+) has changed")
_OWN_LIST = "/.ssh/known_hosts"  # which ssh-keygen changes unless it is told another one
_CHANGED_IN = re.compile(r"Offending .*key in (.+):[0-9]+")
# A server, or a jump host, that has too many connections at once drops new ones.
_BUSY = re.compile(
    "kex_exchange_identification|Connection (closed|reset) by|Connection to .* closed by|"
    "Exceeded MaxStartups|Broken pipe"
)


def is_worth_a_retry(said: str) -> bool:
    """Whether the connection was dropped before anybody had been authenticated. It is also dropped
    after a jump host has been refused."""
    refused = "Permission denied" in said or "Host key verification failed" in said
    return _BUSY.search(said) is not None and not refused


def describe(target: SshTarget, status: int, said: str, printed: str, *, batch: bool) -> str:
    """Why there is no answer from a host.

    Args:
        status: of ssh; 255 is an error of ssh itself.
        said: by ssh on stderr.
        printed: by the host's login shell on stdout.
        batch: ssh was not allowed to ask for anything.
    """
    by_hand = f"`ssh {target.typed}`"
    last = _last(said)
    if _CHANGED.search(said):
        found = _CHANGED_OF.search(said)
        known_as = found[1] if found else target.host
        whose = "its host key" if known_as == target.host else f"the host key of {known_as}"
        return (
            f"{whose} is not the known one: the host was set up anew, or it is not the host. If it "
            f"was set up anew, `{_forget(known_as, said)}` removes the known key, and {by_hand} "
            "shows the new one."
        )
    if "Host key verification failed" in said or "host key is known" in said:
        return f"its host key is not known here yet: {by_hand} once shows it, to be compared."
    if "Permission denied" in said and status == 255:
        ask = (
            f" ssh must not ask for a password here: `ssh-copy-id {target.typed}` puts your key "
            "there, `ssh-add` opens a key that has a password."
            if batch
            else f" Try {by_hand}."
        )
        return f"ssh was not let in: {last}.{ask}"
    if status == 255:
        return f"ssh: {last or 'it ended without a word'}."
    more = last or _last(printed)
    return (
        f"its login shell did not start `sh` (status {status})"
        f"{f': {more}' if more else ''}. Try {by_hand}."
    )


def _forget(known_as: str, said: str) -> str:
    """The command that removes the key of a host from the list in which ssh has found it."""
    found = _CHANGED_IN.search(said)
    other = ("-f", found[1]) if found and not found[1].endswith(_OWN_LIST) else ()
    return shlex.join(("ssh-keygen", *other, "-R", known_as))


def _last(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-_LAST:]).removesuffix(".").removeprefix("ssh: ")[:500]
