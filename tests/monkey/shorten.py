"""Makes a list of inputs that fails shorter: the fewest of them that still fail."""

from collections.abc import Callable, Sequence

from tests.monkey.inputs import Input

Numbered = Sequence[tuple[int, Input]]


def shorten(inputs: Numbered, fails: Callable[[Numbered], bool]) -> Numbered:
    """Leaves out parts, smaller and smaller ones, as long as the rest still fails (ddmin).

    Args:
        inputs: that fail.
        fails: whether these do.
    """
    parts = 2
    while len(inputs) > 1:
        size = -(-len(inputs) // parts)
        for start in range(0, len(inputs), size):
            rest = [*inputs[:start], *inputs[start + size :]]
            if rest and fails(rest):
                inputs, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(inputs))
    return inputs


def story(inputs: Numbered) -> str:
    """A line for each."""
    return "\n".join(f"{number:>5} {item!r}" for number, item in inputs)


def numbers(inputs: Numbered) -> str:
    """`1,5-9`, as `chosen` reads them."""
    spans: list[list[int]] = []
    for number, _ in inputs:
        if spans and spans[-1][-1] == number - 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ",".join("-".join(map(str, span)) for span in spans)


def chosen(inputs: Numbered, which: str) -> Numbered:
    """Those with these numbers; all for an empty text."""
    if not which:
        return inputs
    wanted: set[int] = set()
    for span in which.split(","):
        first, _, last = span.partition("-")
        wanted.update(range(int(first), int(last or first) + 1))
    return [item for item in inputs if item[0] in wanted]
