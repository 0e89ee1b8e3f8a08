"""The fields of the form for a join token, and their errors. Pure."""

import re
from collections.abc import Mapping
from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.join_token import TTL_DEFAULT, TokenSpec

_SEPARATOR = re.compile(r"[\s,]+")
_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True)
class TokenFields:
    """The texts as they are typed."""

    ttl: str = ""
    uses: str = ""
    labels: str = ""
    auto_approve: bool = False

    def spec(self) -> TokenSpec:
        """The token that is asked for. Raises InvalidInputError with the field."""
        spec = TokenSpec(
            parse_ttl(self.ttl),
            parse_uses(self.uses),
            self.auto_approve,
            parse_labels(self.labels),
        )
        spec.check()
        return spec

    def problems(self) -> Mapping[str, str]:
        """The errors by field. An empty field has none."""
        found: dict[str, str] = {}
        # Each field is checked alone: an error in another one would hide its own.
        for name, alone in (
            ("ttl", TokenFields(ttl=self.ttl)),
            ("uses", TokenFields(uses=self.uses)),
            ("label", TokenFields(labels=self.labels)),
        ):
            try:
                alone.spec()
            except InvalidInputError as error:
                found[name] = str(error)
        return found


def parse_ttl(text: str) -> timedelta:
    """How long a token lasts; empty for the default. Raises InvalidInputError("ttl")."""
    if not text.strip():
        return TTL_DEFAULT
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError("ttl", "It lasts a time like 90s, 15m, 1h30m or 2d.") from error


def parse_uses(text: str) -> int:
    """How many hosts may join; empty for one. Raises InvalidInputError("uses")."""
    word = text.strip().replace(",", "")
    if not word:
        return 1
    if not (word.isascii() and word.isdigit() and len(word) <= _DIGITS_MAX):
        raise InvalidInputError("uses", "The number of hosts that may join with it, like 1 or 20.")
    return int(word)


def parse_labels(text: str) -> Mapping[str, str]:
    """`env=prod role=web`, as they are shown. Raises InvalidInputError("label")."""
    labels: dict[str, str] = {}
    for word in filter(None, _SEPARATOR.split(text)):
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidInputError("label", f"{word[:40]!r} is not a label: write env=prod.")
        if key in labels:
            raise InvalidInputError("label", f"Label {key[:40]!r} is given twice.")
        labels[key] = value
    return labels
