"""Hosts with the same output, and how they are shown. Pure."""

from dataclasses import replace

import pytest

from tests.operator.recording import COMMAND_HOST
from tui_manager.domain.output import output_groups
from tui_manager.domain.output.output_buffer import OutputBuffer
from tui_manager.domain.output.output_groups import (
    COMPARED,
    OutputGroup,
    OutputGroups,
    compare,
    masked,
)
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.drawing.spans import Role, plain
from tui_manager.ui.output.group_lines import GroupDifference, GroupText, group_head, group_lines

DONE = replace(
    COMMAND_HOST, status=CommandHostStatus.COMPLETED, reason=Reason.NONE, exit_code=0, command=0
)


def chunks_of(host: str, pieces: list[bytes], stream: Stream = Stream.STDOUT) -> list[OutputChunk]:
    offsets = [sum(map(len, pieces[:number])) for number in range(len(pieces))]
    return [
        OutputChunk(1, host, host, 0, stream, offset, piece)
        for offset, piece in zip(offsets, pieces, strict=True)
    ]


def grouped(outputs: dict[str, list[bytes]], *, masks: bool = False) -> OutputGroups:
    groups = OutputGroups(masks=masks)
    for host, pieces in outputs.items():
        groups.feed(chunks_of(host, pieces))
    return groups


def hosts_of(groups: list[OutputGroup]) -> list[tuple[str, ...]]:
    return [group.hosts for group in groups]


def text_of(pieces: list[bytes], more: int = 0, stream: Stream = Stream.STDOUT) -> GroupText:
    buffer = OutputBuffer()
    buffer.feed(chunks_of("web01", pieces, stream))
    return GroupText(buffer.lines, more)


def test_hosts_with_the_same_output_are_one_group_the_largest_first() -> None:
    groups = grouped({"web01": [b"a\n"], "web02": [b"b\n"], "web03": [b"b", b"\n"]}).groups()
    assert hosts_of(groups) == [("web02", "web03"), ("web01",)]


def test_only_output_that_has_grown_is_digested_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    digest = output_groups._Digest.digest

    def counted(self: output_groups._Digest) -> bytes:
        made.append(self)
        return digest(self)

    monkeypatch.setattr(output_groups._Digest, "digest", counted)
    groups = grouped({f"web{number}": [b"a\n"] for number in range(12)})
    assert [group.folded for group in groups.groups()] == ["web[0-11]"]
    assert len(made) == 12  # the stream of each that has output
    made.clear()
    groups.feed(chunks_of("web2", [b"b\n"]))
    first, second = groups.groups()
    assert len(made) == 1
    assert first.hosts == (*(f"web{number}" for number in (0, 1, *range(3, 12))),)
    assert second.hosts == ("web2",)


def test_another_exit_code_or_stderr_is_another_group() -> None:
    groups = grouped({f"web{number}": [b"a\n"] for number in range(5)})
    groups.feed(chunks_of("web0", [b"why\n"], Stream.STDERR))
    failed = replace(DONE, status=CommandHostStatus.FAILED, exit_code=3)
    for number, row in enumerate((DONE, DONE, DONE, failed, DONE)):
        name = f"web{number}"
        groups.set_states([replace(row, execution_id=name, host=name)])
    made = groups.groups()
    assert [(group.folded, group.state, group.stderr) for group in made] == [
        ("web[1-2,4]", "exit 0", False),
        ("web0", "exit 0", True),
        ("web3", "exit 3", False),
    ]
    assert hosts_of(groups.groups(failed_only=True)) == [("web3",)]
    assert [plain(group_head(group, chosen=False)) for group in made] == [
        "▸ 3 hosts  exit 0  web[1-2,4]",
        "▸ 1 host  exit 0 ┃  web0",
        "▸ ✘ 1 host  exit 3  web3",
    ]


def test_a_host_without_output_is_in_a_group_once_it_runs() -> None:
    groups = OutputGroups()
    waiting = replace(
        DONE, status=CommandHostStatus.PENDING, exit_code=None, started_at=None, execution_id="w"
    )
    running = replace(DONE, status=CommandHostStatus.RUNNING, exit_code=None, execution_id="r")
    groups.set_states([waiting, running])
    (group,) = groups.groups()
    assert group.state == "running"
    assert plain(group_head(group, chosen=True, steps=True)) == "▾ #1  1 host  running  web01"
    head, body = group_lines([group], 0, {"r": GroupText((), 0)})
    assert (head.head, plain(body.before)) == (True, "  No output.")


def test_masked_outputs_differ_in_more_than_numbers_and_addresses() -> None:
    outputs = {
        "a": [b"took 3 ms on 10.0.0.", b"7 at 0x7fe, fd00::13, 02:42:ac:11:00:02\nend 1"],
        "b": [b"took 45 ms on 10.1.0.70 at 0xffa7, fd00::1, 02:42:ac:11:00:03\nen", b"d 22"],
        "c": [b"took 45 s on 10.1.0.70 at 0xffa7, fd00::1, 02:42:ac:11:00:03\nend 22"],
    }
    assert hosts_of(grouped(outputs, masks=True).groups()) == [("a", "b"), ("c",)]
    assert len(grouped(outputs).groups()) == 3
    assert masked(b"no change") == b"no change"


def test_the_text_of_the_chosen_group_keeps_the_mark_of_stderr_and_says_what_is_left_out() -> None:
    groups = grouped({"web01": [b"a\n"], "web02": [b"b\n"]}).groups()
    text = text_of([b"one\ntwo\n"], 5_000_000, Stream.STDERR)
    lines = group_lines(groups, 0, {"web01": text})
    assert [(plain(line.before), line.text) for line in lines if not line.head] == [
        ("  ┃ ", "one"),
        ("  ┃ ", "two"),
        ("  … 5.0 MB more not shown here", ""),
    ]
    assert [line.group for line in lines if line.head] == [0, 1]


def test_a_comparison_says_what_it_did_not_compare() -> None:
    found = compare(["x"] * (COMPARED + 5), ["x"] * 3)
    assert (found.compared, found.left_out) == (COMPARED, 5)
    assert [sign for sign, _ in found.lines] == [" "] * 3 + ["-"] * (COMPARED - 3)
    groups = grouped({"web01": [b"a\n"], "web02": [b"b\n"]}).groups()
    texts = {"web01": text_of([b"same\na\n"]), "web02": text_of([b"same\nb\n"], 1000)}
    (waits,) = group_lines(groups, 1, texts, compares=True)[2:]
    assert plain(waits.before) == "  … comparing…"
    made = GroupDifference.between(texts["web01"], texts["web02"])
    lines = group_lines(groups, 1, texts, compares=True, difference=made)[2:]
    assert [(plain(line.before).strip(), line.text) for line in lines] == [
        ("", "same"),
        ("-", "a"),
        ("+", "b"),
        ("… 1.0 kB more not read, and not compared line by line", ""),
    ]
    assert [line.before[0].role for line in lines[1:3]] == [Role.MUTED, Role.STRONG]


def test_lines_that_are_alike_are_compared_in_bounded_time() -> None:
    one = ["first", *["x", "y"] * 990, "end"]
    other = ["first", "new", *["y", "x", "x"] * 660, "end"]
    found = compare(one, other)
    assert 100 < found.compared < COMPARED
    assert found.left_out == len(one) + len(other) - 2 * found.compared
    assert [line for sign, line in found.lines if sign != "+"] == one[: found.compared]
    assert [line for sign, line in found.lines if sign != "-"] == other[: found.compared]


def test_the_same_beginning_and_end_need_no_comparison() -> None:
    same = ["x"] * 900
    found = compare([*same, "old", *same], [*same, "new", "newer", *same])
    changed = [("-", "old"), ("+", "new"), ("+", "newer")]
    assert [line for line in found.lines if line[0] != " "] == changed
    assert (found.compared, found.left_out, len(found.lines)) == (COMPARED, 0, 1803)
