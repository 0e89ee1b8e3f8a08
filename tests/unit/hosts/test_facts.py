"""The facts of a host, as they are stored and looked up."""

from hypothesis import given
from hypothesis import strategies as st
from tui_manager_protos.rules.facts import CUT, VALUE_LIMIT, cut_value

from tui_manager.domain.hosts.facts import NO_FACTS, PackedFacts

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,5}", fullmatch=True)
# What could be mistaken for the name of a fact.
HOSTILE = st.sampled_from(['a": "b', '"os": "', '\\"os\\": \\"', "os", '", "os": "x', "\\", "\x1b"])
VALUES = st.one_of(HOSTILE, st.text(max_size=8))


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.one_of(NAMES, HOSTILE))
def test_one_fact_is_found_as_in_a_dictionary(facts: dict[str, str], name: str) -> None:
    packed = PackedFacts.pack(facts)
    assert packed.get(name) == facts.get(name)
    assert all(packed[known] == value for known, value in facts.items())
    assert dict(packed) == facts
    assert len(packed) == len(facts)
    assert packed == facts
    assert packed == PackedFacts.pack(dict(reversed(facts.items())))


def test_a_value_is_not_taken_for_a_fact() -> None:
    packed = PackedFacts.pack({"b": '"os": "fake', "c": "os"})
    assert "os" not in packed
    assert packed.get('b": "') is None
    assert NO_FACTS.get("os") is None


@given(st.text(max_size=300))
def test_a_long_value_is_cut_with_a_mark(text: str) -> None:
    cut = cut_value(text)
    assert len(cut.encode()) <= VALUE_LIMIT
    assert "\0" not in cut
    if len(text.replace("\0", "\ufffd").encode()) > VALUE_LIMIT:
        assert cut.endswith(CUT)
    else:
        assert cut == text.replace("\0", "\ufffd")
