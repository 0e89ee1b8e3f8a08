"""How the line that is pasted on a host fits a screen."""

_BREAK = "\\"


def broken(line: str, width: int) -> tuple[str, ...]:
    """`line` in pieces of `width` cells that a shell reads as one: whoever copies them from the
    screen by mouse gets the same command.

    The backslash stands in the last column, so that no blanks are copied behind it.
    """
    if len(line) <= width:
        return (line,)
    step = max(1, width - len(_BREAK))
    pieces = [line[at : at + step] for at in range(0, len(line), step)]
    return (*(piece + _BREAK for piece in pieces[:-1]), pieces[-1])
