"""Which parts of shell text are strings, variables, words of the shell, comments. Pure."""

from collections.abc import Iterator, Sequence

from pygments.lexers.shell import BashLexer
from pygments.token import Comment, Keyword, Name, String, _TokenType
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.ui.drawing.spans import Role

LENGTH_MAX = 20_000  # characters; longer text has no colours, as it is read at each key
_LEXER = BashLexer()
_ROLES = (
    (Comment, Role.MUTED),
    (Name.Variable, Role.ACTIVE),
    (String.Interpol, Role.ACTIVE),
    (String, Role.GOOD),
    (Keyword, Role.STRONG),
)


@dataclass(frozen=True, slots=True)
class Coloured:
    """A part of a line, from its character `start` to before `end`."""

    start: int
    end: int
    role: Role


def colour_shell(text: str) -> Sequence[Sequence[Coloured]]:
    """The parts of each line that have a role. Only "\\n" ends a line."""
    lines: list[list[Coloured]] = [[] for _ in range(text.count("\n") + 1)]
    if len(text) > LENGTH_MAX:
        return lines
    for row, part in _parts(text):
        lines[row].append(part)
    return lines


def _parts(text: str) -> Iterator[tuple[int, Coloured]]:
    row = column = 0
    # `get_tokens` would change line ends and drop a byte order mark.
    for _, kind, value in _LEXER.get_tokens_unprocessed(text):
        role = _role_of(kind)
        for number, piece in enumerate(value.split("\n")):
            if number:
                row, column = row + 1, 0
            if piece and role is not None:
                yield row, Coloured(column, column + len(piece), role)
            column += len(piece)


def _role_of(kind: _TokenType) -> Role | None:
    return next((role for parent, role in _ROLES if kind in parent), None)
