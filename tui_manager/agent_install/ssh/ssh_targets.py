"""The hosts of a command line that ssh connects to: `[USER@]HOST`, with ranges."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.host_name_ranges import unfold_names

TARGETS_MAX = 10_000
STDIN = "-"  # in place of a host: read them from stdin
# ssh puts user and host into commands of its configuration, such as ProxyCommand, which a shell
# reads; so only characters are allowed that mean nothing to a shell.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@\\-]*\$?")
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")


@dataclass(frozen=True, slots=True)
class SshTarget:
    """A host as ssh gets it.

    Attributes:
        typed: `[USER@]HOST`, an alias of the configuration or a name or an address.
        name: what the manager is to call it; empty: as the host calls itself.
    """

    typed: str
    name: str

    @property
    def user(self) -> str:
        """Empty: as the configuration says."""
        return self.typed.rpartition("@")[0]

    @property
    def host(self) -> str:
        """Without the user."""
        return self.typed.rpartition("@")[2]


def read_targets(words: Sequence[str], stdin: Iterable[str]) -> tuple[SshTarget, ...]:
    """The hosts in words such as `root@web[01-20],db1`, each once and in this order.

    `USER@` holds for the name, or the range, behind it.

    Args:
        stdin: lines that are read in place of the word `-`; `#` begins a comment.

    Raises:
        InvalidInputError: a word is no host, or there is none.
    """
    texts: list[str] = []
    for word in words:
        if word == STDIN:
            for line in stdin:
                texts.extend(line.partition("#")[0].split())
        else:
            texts.append(word)
    found: dict[str, None] = {}
    for text in texts:
        for part in _split(text):
            found.update(dict.fromkeys(_unfold(part)))
            if len(found) > TARGETS_MAX:
                raise InvalidInputError("hosts", f"More than {TARGETS_MAX:,} hosts are named.")
    if not found:
        raise InvalidInputError("hosts", "No host is named.")
    return _with_names([SshTarget(typed, _own_name(typed)) for typed in found])


def _split(text: str) -> Iterable[str]:
    """The parts between commas that are not in brackets; empty ones are left out."""
    depth, part = 0, ""
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            yield from filter(None, (part,))
            part = ""
        else:
            part += character
    yield from filter(None, (part,))


def _unfold(part: str) -> Iterable[str]:
    user, at, host = part.rpartition("@")
    for name in unfold_names(host, TARGETS_MAX):
        shown = f"{user}{at}{name}"
        if shown.startswith("-") or name.startswith("-"):
            raise InvalidInputError(
                "hosts", f"{shown!r} is not a host: ssh would read it as an option."
            )
        if not _HOST.fullmatch(name) or (at and not _USER.fullmatch(user)):
            raise InvalidInputError(
                "hosts",
                f"{shown!r:.80} is not a host: expected [USER@]HOST, a name, an alias of the ssh "
                "configuration or an address. A port belongs into that configuration.",
            )
        yield shown


def _own_name(typed: str) -> str:
    """The first part of the name; empty for an address, or what no host can be called."""
    host = typed.rpartition("@")[2]
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        name = host.partition(".")[0]
        return name if is_name(name) else ""
    return ""


def _with_names(targets: Sequence[SshTarget]) -> tuple[SshTarget, ...]:
    """Hosts that would have the same name keep their domain."""
    hosts_of = Counter(name for name, _ in {(target.name, target.host) for target in targets})
    return tuple(
        replace(target, name=target.host)
        if hosts_of[target.name] > 1 and is_name(target.host) and target.name
        else target
        for target in targets
    )
