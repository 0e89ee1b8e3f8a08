"""The facts of a host, as its agent tells them: what its machine is, and what its owner adds. They
decide nothing about who may do what."""

import json
from collections.abc import Iterator, Mapping

from tui_manager_protos.rules.facts import is_fact_name

_DECODER = json.JSONDecoder()


class PackedFacts(Mapping[str, str]):
    """Facts as the JSON text that is stored. One fact is found in the text without reading the
    others, because a target looks at one fact of each of thousands of hosts.

    Attributes:
        text: a JSON object as `pack` makes it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str = "{}") -> None:
        self.text = text

    @classmethod
    def pack(cls, facts: Mapping[str, str]) -> "PackedFacts":
        """The same facts, in the order of their names."""
        return cls(json.dumps(dict(sorted(facts.items()))))

    def __getitem__(self, name: str) -> str:
        if not is_fact_name(name):
            raise KeyError(name)
        # A quotation mark within a value has a backslash before it: this is found nowhere else.
        at = self.text.find(f'"{name}": "')
        if at < 0:
            raise KeyError(name)
        value: str = _DECODER.raw_decode(self.text, at + len(name) + 4)[0]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self.text))

    def __len__(self) -> int:
        return len(json.loads(self.text))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedFacts):
            return self.text == other.text
        return isinstance(other, Mapping) and dict(self) == dict(other)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"PackedFacts({self.text!r})"


NO_FACTS = PackedFacts()


def agent_facts(version: str, build: str, installed_by: str) -> Mapping[str, str]:
    """What the manager knows of the agent of a host, as facts that targets can name:
    `fact.agent_version=0.2.0`. An empty text is not known."""
    known = {
        "agent_version": version,
        "agent_build": build,
        "agent_installed_by": installed_by,
    }
    return {name: value for name, value in known.items() if value}
