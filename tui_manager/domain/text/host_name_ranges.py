"""Sets of host names: expands ranges, folds names into ranges, sorts names naturally."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby, pairwise, product
from math import prod
from operator import itemgetter, sub

from ClusterShell.RangeSet import RangeSet, RangeSetException

from tui_manager.domain.errors import InvalidInputError

NAMES_MAX = 100_000  # names that one target may contain after its ranges are expanded
_FOLDED_MAX = 2_000  # names that a summary tries to fold
_NAMES_KEPT = 1 << 16  # names whose sort keys are cached
_DIGITS_MAX = 18  # digits of a number in a range
_BRACKETS_MAX = 8  # ranges of one name
_LITERAL_MAX = 128  # characters of one name without its brackets

_NUMBER = re.compile(r"([0-9]+)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BOUNDS = re.compile(r"([0-9]+)(?:-([0-9]+)(?:/([0-9]+))?)?")


@lru_cache(maxsize=_NAMES_KEPT)
def natural_key(name: str) -> str:
    """A key that sorts `web2` before `web10`: the length of a number stands before it."""
    texts, numbers = _split(name)
    key = texts[0]
    for number, text in zip(numbers, texts[1:], strict=True):
        digits = number.lstrip("0")
        key += str(len(digits)).zfill(3) + digits + text
    return f"{key}\0{name}"


@lru_cache(maxsize=_NAMES_KEPT)
def _split(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts around the numbers of a name, and the numbers."""
    pieces = _NUMBER.split(name)
    return tuple(pieces[::2]), tuple(pieces[1::2])


def fold_names(names: Iterable[str]) -> str:
    """Host names in ClusterShell notation, `db1,web[01-14]`, in natural order.

    Of several numbers in a name only the one that varies most becomes a range: to find the best
    boxes in several dimensions takes time that grows with the square of the names.
    """
    return fold_sorted_names(sorted(dict.fromkeys(names), key=natural_key))


def fold_sorted_names(names: Iterable[str]) -> str:
    """The same of different names that are in natural order."""
    patterns: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for texts, group in groupby(map(_split, names), itemgetter(0)):
        patterns[texts].extend(map(itemgetter(1), group))
    return ",".join(part for texts, rows in patterns.items() for part in _fold_pattern(texts, rows))


def _fold_pattern(texts: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Folds names that differ only in their numbers; `texts` are the parts between the numbers."""
    if len(texts) == 1:
        return [texts[0]]
    if len(texts) == 2:  # the usual case
        return [_join(texts, [""], 0, _fold_numbers([*chain.from_iterable(rows)]))]
    axis = max(range(len(texts) - 1), key=lambda i: len({row[i] for row in rows}))
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        groups[(*row[:axis], "", *row[axis + 1 :])].append(row[axis])
    return [_join(texts, rest, axis, _fold_numbers(found)) for rest, found in groups.items()]


def _fold_numbers(numbers: Sequence[str]) -> str:
    """Folds different numbers in ascending order."""
    if len(numbers) == 1:
        return numbers[0]
    if len(set(map(len, numbers))) == 1:
        return f"[{','.join(_runs(numbers))}]"
    ranges = RangeSet()
    ranges.update(numbers)
    return f"[{ranges}]"


def _runs(numbers: Sequence[str]) -> Iterator[str]:
    """The same for numbers of one width, several times faster than a RangeSet."""
    values = list(map(int, numbers))
    steps = map(sub, values[1:], values)
    gaps = [i for i, step in enumerate(steps, 1) if step != 1]
    for begin, end in pairwise([0, *gaps, len(numbers)]):
        first, last = numbers[begin], numbers[end - 1]
        yield first if first == last else f"{first}-{last}"


def _join(texts: Sequence[str], numbers: Sequence[str], axis: int, folded: str) -> str:
    spelled = [*numbers[:axis], folded, *numbers[axis + 1 :], ""]
    return "".join(text + number for text, number in zip(texts, spelled, strict=True))


def summarize_names(names: Iterable[str], width: int) -> str:
    """Host names in at most `width` characters: folded if they fit, else counted by the text before
    the first number, `web 1,200, db 40, 12 others`, the most frequent first."""
    names = list(dict.fromkeys(names))
    # Folding takes time, and at most two characters a name are saved by it.
    if len(names) <= _FOLDED_MAX and len(folded := fold_names(names)) <= width:
        return folded
    counts = Counter(map(_prefix, names))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], natural_key(item[0])))
    parts: list[str] = []
    left = len(names)
    for prefix, count in ordered:
        part = prefix if count == 1 else f"{prefix} {count:,}"
        rest = f", {left - count:,} others" if left > count else ""
        if len(", ".join([*parts, part])) + len(rest) > width:
            break
        parts.append(part)
        left -= count
    if not parts:
        return f"{left:,} hosts"
    return ", ".join([*parts, *([f"{left:,} others"] if left else [])])


def _prefix(name: str) -> str:
    """The text before the first number, without what separates the two; `10-0-0-1` has `*`."""
    texts, numbers = _split(name)
    return (texts[0].rstrip("-._") or "*") if numbers else name


def unfold_names(text: str, limit: int = NAMES_MAX) -> tuple[str, ...]:
    """The names that `text`, one name with or without ranges (`web[01-20]`), spells out.

    Args:
        text: a name, its ranges in brackets.
        limit: how many names it may spell out; checked before one is made.

    Raises InvalidInputError("target").
    """
    if "[" not in text and "]" not in text:
        return (text,)
    literal, brackets = _BRACKET.sub("", text), _BRACKET.findall(text)
    if "[" in literal or "]" in literal:
        raise _bad(text, "its brackets do not pair.")
    if len(literal) > _LITERAL_MAX:
        raise _bad(text, f"it is longer than {_LITERAL_MAX} characters.")
    if len(brackets) > _BRACKETS_MAX:
        raise _bad(text, f"a name has at most {_BRACKETS_MAX} ranges.")
    if prod(_count(text, bracket) for bracket in brackets) > limit:
        raise _bad(text, f"a target spells out at most {NAMES_MAX} names.")
    # Not NodeSet: it reads web1[8-10] as web[18-110], which is more than was counted here.
    pieces = [
        _numbers(text, piece) if i % 2 else (piece,) for i, piece in enumerate(_BRACKET.split(text))
    ]
    return tuple(map("".join, product(*pieces)))


def _numbers(text: str, bracket: str) -> Sequence[str]:
    try:
        return tuple(RangeSet(bracket))
    except RangeSetException as error:
        raise _bad(text, "its ranges cannot be read; write web[01-20] or web[1,3-5].") from error


def _count(text: str, bracket: str) -> int:
    """How many numbers a bracket contains; overlapping ranges count twice."""
    return sum(_count_range(text, part) for part in bracket.split(","))


def _count_range(text: str, part: str) -> int:
    bounds = _BOUNDS.fullmatch(part)
    if bounds is None:
        raise _bad(text, f"{part[:40]!r} is not a number or a range such as 01-20.")
    first, last, step = bounds[1], bounds[2] or bounds[1], bounds[3] or "1"
    if max(map(len, (first, last, step))) > _DIGITS_MAX:
        raise _bad(text, f"a number in a range has at most {_DIGITS_MAX} digits.")
    if int(first) > int(last):
        raise _bad(text, f"the range {part} runs backwards.")
    if not int(step):
        raise _bad(text, f"the range {part} has the step 0.")
    if len(first) != len(last) and (first[0] == "0" or last[0] == "0"):
        width = max(len(first), len(last))
        raise _bad(
            text, f"the range {part} mixes widths; write {first.zfill(width)}-{last.zfill(width)}."
        )
    return (int(last) - int(first)) // int(step) + 1


def _bad(text: str, why: str) -> InvalidInputError:
    shown = text if len(text) <= 80 else text[:77] + "…"
    return InvalidInputError("target", f"{shown!r} cannot be used: {why}")
