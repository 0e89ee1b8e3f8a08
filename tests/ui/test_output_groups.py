"""Hosts with the same output, and what is said about what is not shown of it. Pure."""

from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.output.groups_pane import comparison_notes, group_notes
from tui_manager.ui.output.output_groups import COMPARED, KEPT, OutputGroup, OutputGroups, compare


def groups_of(outputs: dict[str, list[bytes]]) -> list[OutputGroup]:
    groups = OutputGroups()
    for host, pieces in outputs.items():
        offset = 0
        for piece in pieces:
            groups.feed([OutputChunk(1, host, host, 0, Stream.STDOUT, offset, piece)])
            offset += len(piece)
    return groups.groups()


def notes(group: OutputGroup) -> list[str]:
    above, below = group_notes(group)
    return [plain(note).strip() for note in (*above, *below)]


def test_hosts_with_the_same_output_are_one_group_the_largest_first() -> None:
    groups = groups_of({"web01": [b"a\n"], "web02": [b"b\n"], "web03": [b"b", b"\n"]})
    assert [(group.hosts, group.lines) for group in groups] == [
        (("web02", "web03"), ("b",)),
        (("web01",), ("a",)),
    ]


def test_output_that_is_kept_whole_needs_no_note() -> None:
    (group,) = groups_of({"web01": [b"a\n"]})
    assert notes(group) == []


def test_a_group_says_how_much_it_does_not_show() -> None:
    pieces = [b"x" * KEPT, b"y" * 5_000_000]
    one, other = groups_of({"web01": pieces, "web02": [*pieces, b"z"]})
    assert notes(one) == ["… 5.0 MB more not shown here; hosts of a group have the same"]
    assert one.hosts != other.hosts, "what is not shown is compared all the same"


def test_a_comparison_says_what_it_did_not_compare() -> None:
    (largest,) = groups_of({"web01": [b"x\n" * (COMPARED + 5)]})
    (other,) = groups_of({"web02": [b"x\n" * KEPT, b"y" * 1000]})
    found = compare(largest.lines, largest.lines[:3])
    assert [plain(note).strip() for note in comparison_notes(found, largest, largest)] == [
        "… only the first 2,000 lines of each compared, 5 more lines not"
    ]
    short = compare(largest.lines[:3], largest.lines[:3])
    assert comparison_notes(short, largest, largest) == []
    assert [plain(note).strip() for note in comparison_notes(short, largest, other)] == [
        "… 1.0 kB more not kept here, and not compared line by line"
    ]
