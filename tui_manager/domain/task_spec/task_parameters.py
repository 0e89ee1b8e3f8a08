"""The typed parameters of a task file: what they are, and which values they take."""

import math
import re
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.text_and_variables import check_variable
from tui_manager.domain.text.regular_expressions import compile_pattern

PARAMETERS_MAX = 100  # of one task file
CHOICES_MAX = 100
CHOICE_LENGTH = 200  # characters
HELP_LENGTH = 1000  # characters
_SHOWN = 80  # characters of a wrong value in an error
_INTEGER = r"[+-]?[0-9]{1,18}"
# As TOML and JSON write numbers.
_NUMBER = r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_NUMBER_LENGTH = 100  # characters


class ParameterType(StrEnum):
    """What a value of a parameter must be."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    SECRET = "secret"


_WITHOUT_PATTERN = (ParameterType.BOOLEAN, ParameterType.CHOICE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a task file. Its value reaches each step as an environment variable.

    Attributes:
        name: of the variable.
        default: as typed; None: there is none. A secret has none.
        pattern: a regular expression (RE2) that the whole value must match; empty: any.
        choices: values of which it must be one; empty unless it is a choice.
        help: a sentence for whoever gives the value.
        required: it must be given if it has no default; else it is left out.
    """

    name: str
    type: ParameterType = ParameterType.TEXT
    default: str | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    help: str = ""
    required: bool = True

    @property
    def secret(self) -> bool:
        """Whether its value is shown nowhere."""
        return self.type is ParameterType.SECRET

    @property
    def must_be_given(self) -> bool:
        """Whether a task needs a value for it."""
        return self.required and self.default is None

    @property
    def form(self) -> str:
        """What a value must be, for people: `integer`, `one of: blue, green`."""
        return f"one of: {', '.join(self.choices)}" if self.choices else str(self.type)

    def check(self) -> None:
        """Raises InvalidInputError, naming the attribute, if something is wrong with it."""
        check_variable("name", self.name, "")
        self._check_choices()
        if len(self.help) > HELP_LENGTH:
            raise InvalidInputError("help", f"A help has at most {HELP_LENGTH} characters.")
        if self.pattern:
            if self.type in _WITHOUT_PATTERN:
                raise InvalidInputError("pattern", f"A {self.type} has no pattern.")
            compile_pattern(self.pattern)
        if self.default is None:
            return
        if self.secret:
            raise InvalidInputError(
                "default", "A secret has no default, because a task file can be read."
            )
        try:
            self.check_value(self.default)
        except InvalidInputError as error:
            raise InvalidInputError("default", f"The default is not allowed: {error}") from None

    def _check_choices(self) -> None:
        if self.type is ParameterType.CHOICE and not self.choices:
            raise InvalidInputError("choices", 'A choice needs choices = ["…", "…"].')
        if self.choices and self.type is not ParameterType.CHOICE:
            raise InvalidInputError(
                "choices", f'A {self.type} has no choices; type = "choice" has.'
            )
        if len(self.choices) > CHOICES_MAX:
            raise InvalidInputError("choices", f"There are more than {CHOICES_MAX} choices.")
        for choice in self.choices:
            if not choice or len(choice) > CHOICE_LENGTH:
                raise InvalidInputError(
                    "choices", f"Each choice has from 1 to {CHOICE_LENGTH} characters."
                )
            check_variable("choices", self.name, choice)
        if len(set(self.choices)) < len(self.choices):
            raise InvalidInputError("choices", "A choice is given twice.")

    def check_value(self, text: str) -> str:
        """The value as commands get it, from the value as typed.

        Raises InvalidInputError("param"); the error never shows the value of a secret.
        """
        check_variable("param", self.name, text)
        if self.secret and not text:
            raise InvalidInputError("param", f"The secret {self.name} is empty.")
        value = self._typed(text)
        if self.pattern and compile_pattern(self.pattern).fullmatch(value) is None:
            raise self._refusal(text, f"a value that matches {self.pattern}")
        return value

    def _typed(self, text: str) -> str:
        match self.type:
            case ParameterType.INTEGER:
                if not re.fullmatch(_INTEGER, text):
                    raise self._refusal(text, "a whole number such as 12, of at most 18 digits")
                return str(int(text))
            case ParameterType.NUMBER:
                if len(text) > _NUMBER_LENGTH or not re.fullmatch(_NUMBER, text):
                    raise self._refusal(text, "a number such as 0.5, 12 or 1e6")
                if not math.isfinite(float(text)):
                    raise self._refusal(text, "a number that is not as large")
            case ParameterType.BOOLEAN:
                if text not in ("true", "false"):
                    raise self._refusal(text, "true or false")
            case ParameterType.CHOICE:
                if text not in self.choices:
                    raise self._refusal(text, self.form)
        return text

    def _refusal(self, text: str, expected: str) -> InvalidInputError:
        if self.secret:
            return InvalidInputError("param", f"The secret {self.name} is wrong: give {expected}.")
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        return InvalidInputError("param", f"{self.name} cannot be {shown!r}: give {expected}.")
