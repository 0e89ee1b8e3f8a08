"""The field of a target, which offers what the last term can become, and what is said below it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.suggester import Suggester

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.targets.target_completion import last_term
from tui_manager.domain.targets.target_notation import check_notation
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.text.host_name_ranges import summarize_names
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.questions import left_out_text

OFFERED = 12  # terms at once
_NAMES_WIDTH = 100  # characters of the names below the target
_GOES_ON = ("=", "fact.")  # what a term ends with behind which more must be typed
Complete = Callable[[str, int], Awaitable[Sequence[str]]]


class TargetField(LineInput):
    """A line for a target. The first term that fits stands dim behind the cursor, and `right` takes
    it; `down` and `up` put one after the other into the field.

    Args:
        complete: finds the terms, as the operator's call does.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "take_next(1)", show=False),
        Binding("up", "take_next(-1)", show=False),
    ]

    class Offered(Message):
        """Other terms are offered. `chosen` is the place of the one that is in the field, or -1."""

        def __init__(self, terms: Sequence[str], chosen: int) -> None:
            super().__init__()
            self.terms = terms
            self.chosen = chosen

    def __init__(self, complete: Complete, value: str = "") -> None:
        super().__init__(value, id="target", compact=True, suggester=_TermSuggester(self.ask))
        self._complete = complete
        self._before = ""  # the target without its last term
        self._terms: Sequence[str] = ()
        self._chosen = -1
        self._asked: str | None = None  # the target that they were looked up for
        self._put = ""  # what was put into the field from these

    async def ask(self, target: str) -> Sequence[str]:
        """The terms for what is typed; none while the operator goes through those before."""
        if target and target == self._put:
            return ()
        try:
            terms = await self._complete(target, OFFERED)
        except ManagerError:  # the look-up of the hosts tells it
            terms = ()
        if target == self.value:  # no other one was typed meanwhile
            self._before, self._terms, self._chosen = last_term(target)[0], terms, -1
            self._asked = target
            self.post_message(self.Offered(terms, -1))
        return terms

    def action_take_next(self, step: int) -> None:
        """Puts the next term into the field, or the one before it. Textual asks no suggestion for
        an empty field: its terms are looked up first."""
        if not self.value and self._asked != "":
            self.run_worker(self.ask(""), exclusive=True)
        elif self._terms:
            first = 0 if step > 0 else len(self._terms) - 1
            place = self._chosen + step if self._chosen >= 0 else first
            self.take(place % len(self._terms))

    def take(self, place: int) -> None:
        """Puts one of the terms into the field. After a key the values are offered, and not the
        other terms."""
        if 0 <= place < len(self._terms):
            term = self._terms[place]
            self._chosen = place
            self._put = "" if term.endswith(_GOES_ON) else self._before + term
            self.value = self._before + term
            self.cursor_position = len(self.value)
            self.post_message(self.Offered(self._terms, place))


class _TermSuggester(Suggester):
    """The target with the first of its terms."""

    def __init__(self, ask: Callable[[str], Awaitable[Sequence[str]]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._ask = ask

    async def get_suggestion(self, value: str) -> str | None:
        terms = await self._ask(value)
        return last_term(value)[0] + terms[0] if terms else None


def hosts_line(target: str, preview: TargetPreview) -> Content:
    """`14 hosts, 1 offline, 1 in maintenance   web[01-14]`."""
    counts = [f", {len(preview.offline):,} offline"] if preview.offline else []
    if preview.left_out:
        counts.append(f", {left_out_text(target, preview)}")
    names = safe_line(summarize_names(preview.hosts, _NAMES_WIDTH))
    hosts = Content(count_of(len(preview.hosts), "host")).stylize("bold")
    return Content.assemble(hosts, *counts, Content(f"   {names}").stylize("dim"))


def may_end(error: ManagerError, target: str, changes: Changes) -> bool:
    """Whether the look-up of a target that failed may succeed after these changes."""
    if not isinstance(error, InvalidInputError):
        return changes.hosts or changes.manager
    try:
        check_notation(target)
    except InvalidInputError:
        return False  # only another text ends this error
    return changes.hosts


def terms_line(terms: Sequence[str], chosen: int) -> Content:
    """The terms in one line; a click takes one."""
    if not terms:
        return Content("")
    line = Content("↓ ")
    for place, term in enumerate(terms):
        style = Style.from_meta({"@click": f"screen.take_term({place})"})
        if place == chosen:
            style += Style(reverse=True)
        line = Content.assemble(line, Content(safe_line(term)).stylize(style), "  ")
    return line
