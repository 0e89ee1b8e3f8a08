"""The field of one typed parameter: what is typed, and what is wrong with it."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.form import TickBox
from tui_manager.ui.forms.line_input import LineInput, show_text

_NAME_WIDTH = 18  # cells
_CHOICE_WIDTH = 60
NEEDED = "A value is needed."


class ParameterField(Vertical):
    """A tick for a boolean, a list for a choice, else a line to type in. Below it stands the help,
    or the error."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(classes="parameter")
        self.parameter = parameter

    def compose(self) -> ComposeResult:
        """The name, the field, and a line for the help or an error."""
        with Horizontal(classes="field"):
            name = shorten(safe_line(self.parameter.name), _NAME_WIDTH)
            yield Label(name, classes="name wide", markup=False)
            yield self._make_field()
        yield Label("", classes="hint wide-hint", markup=False)

    def _make_field(self) -> Widget:
        parameter = self.parameter
        if parameter.choices:
            return _select(parameter.choices, parameter.default)
        if parameter.type is ParameterType.BOOLEAN:
            if parameter.default is None and not parameter.required:
                return _select(("true", "false"), None)  # a tick cannot say: not given
            return TickBox("yes", parameter.default == "true", compact=True)
        return LineInput(parameter.default or "", password=parameter.secret, compact=True)

    @property
    def field(self) -> Widget:
        """What has the focus while it is filled in."""
        return self.query_one("Input, TickBox, Select")

    @property
    def given(self) -> str | None:
        """The value as typed; None if none is given. An empty one replaces a default."""
        match self.field:
            case TickBox() as box:
                return "true" if box.value else "false"
            case Select() as select:
                return None if select.is_blank() else str(select.value)
            case Input() as line if line.value or self.parameter.default is not None:
                return line.value
            case _:
                return None

    @property
    def lacks_value(self) -> bool:
        """Whether a value must be given, and is not."""
        return self.given is None and self.parameter.must_be_given

    @property
    def problem(self) -> str:
        """What is wrong with what is typed; empty if nothing is, also if nothing is typed yet."""
        if self.given is None:
            return ""
        try:
            self.parameter.check_value(self.given)
        except InvalidInputError as error:
            return safe_line(str(error))
        return ""

    def check(self) -> None:
        """Shows what is wrong, or the help."""
        self.show(self.problem)

    def show(self, problem: str) -> None:
        """Shows a problem; without one the help."""
        hint = self.query_one(".hint", Label)
        hint.set_class(bool(problem), "problem")
        show_text(hint, problem or _help(self.parameter))


def _select(choices: tuple[str, ...], default: str | None) -> Select[str]:
    # A plain string would be read as markup.
    options = [(Text(shorten(safe_line(choice), _CHOICE_WIDTH)), choice) for choice in choices]
    return Select(
        options,
        prompt="choose",
        allow_blank=default is None,
        value=Select.NULL if default is None else default,
        compact=True,
    )


def _help(parameter: Parameter) -> str:
    """`integer, optional: how many`."""
    form = "" if parameter.choices or parameter.type is ParameterType.TEXT else str(parameter.type)
    optional = not parameter.required and parameter.default is None
    words = ", ".join(word for word in (form, "optional" if optional else "") if word)
    texts = (word for word in (words, safe_line(parameter.help)) if word)
    return ": ".join(texts)
