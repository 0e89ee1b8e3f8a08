"""The typed parameters of a task file: what they are, and which values they take."""

from dataclasses import dataclass
from enum import StrEnum


class ParameterType(StrEnum):
    """What a value of a parameter must be."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a task file. Its value reaches each step as an environment variable.

    Attributes:
        name: of the variable.
        default: as typed; None: there is none. A secret has none.
        pattern: a regular expression that the whole value must match; empty: any.
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
