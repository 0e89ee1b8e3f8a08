"""Names of hosts in a line of a given width."""

import pytest

from tui_manager.domain.text.host_name_ranges import summarize_names

WEB = [f"web{number:04}" for number in range(1, 1201)]
DB = [f"db{number}" for number in range(1, 81, 2)]
CACHE = [f"cache-eu-{number}" for number in (1, 5, 9)]


@pytest.mark.parametrize(
    ("names", "width", "text"),
    [
        ([], 40, ""),
        (["web01"], 40, "web01"),
        (["web02", "web01", "web02"], 40, "web[01-02]"),
        (WEB, 40, "web[0001-1200]"),
        ([*WEB, *DB, *CACHE], 40, "web 1,200, db 40, cache-eu 3"),
        ([*WEB, *DB, *CACHE], 27, "web 1,200, db 40, 3 others"),
        ([*WEB, *DB, *CACHE], 20, "web 1,200, 43 others"),
        ([*WEB, *DB, *CACHE], 12, "1,243 hosts"),
        (["alpha", "beta", *WEB[::7]], 30, "web 172, alpha, beta"),
        ([f"10-0-{a}-{b}" for a in range(0, 99, 7) for b in (1, 4)], 20, "* 30"),
    ],
)
def test_names_are_folded_or_counted(names: list[str], width: int, text: str) -> None:
    assert summarize_names(names, width) == text
    assert len(text) <= width


def test_every_host_is_counted_at_any_width() -> None:
    names = [f"{prefix}{number}" for prefix in "abcdefghij" for number in range(0, 60, 3)]
    for width in range(12, 120):
        text = summarize_names(names, width)
        counts = [int(part.split()[-1 if part[0].isalpha() else 0]) for part in text.split(", ")]
        assert (sum(counts), len(text) <= width) == (200, True), text
