"""Parameters of a task file: which values they take, and what commands get."""

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType

INTEGER, NUMBER = ParameterType.INTEGER, ParameterType.NUMBER
BOOLEAN, CHOICE, SECRET = ParameterType.BOOLEAN, ParameterType.CHOICE, ParameterType.SECRET


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (ParameterType.TEXT, " $(rm) \n", " $(rm) \n"),
        (ParameterType.TEXT, "", ""),
        (INTEGER, "12", "12"),
        (INTEGER, "+007", "7"),
        (INTEGER, "-0", "0"),
        (NUMBER, "0.50", "0.50"),
        (NUMBER, "-1e6", "-1e6"),
        (NUMBER, "3", "3"),
        (BOOLEAN, "true", "true"),
        (BOOLEAN, "false", "false"),
        (SECRET, "pässword", "pässword"),
    ],
)
def test_a_value_reaches_the_command_as_text(kind: ParameterType, typed: str, value: str) -> None:
    assert Parameter("P", kind).check_value(typed) == value


@pytest.mark.parametrize(
    ("kind", "typed", "expected"),
    [
        (INTEGER, "1.5", "a whole number"),
        (INTEGER, "", "a whole number"),
        (INTEGER, "0x10", "a whole number"),
        (INTEGER, "٣", "a whole number"),
        (INTEGER, "9" * 19, "18 digits"),
        (NUMBER, "nan", "a number"),
        (NUMBER, "inf", "a number"),
        (NUMBER, "1e999", "not as large"),
        (NUMBER, "1_000", "a number"),
        (NUMBER, "1" * 101, "a number"),
        (BOOLEAN, "yes", "true or false"),
        (BOOLEAN, "True", "true or false"),
        (ParameterType.TEXT, "a\0b", "NUL"),
        (ParameterType.TEXT, "\udcff", "UTF-8"),
        (ParameterType.TEXT, "x" * 131072, "longer than 131071 bytes"),
    ],
)
def test_a_wrong_value_is_refused(kind: ParameterType, typed: str, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected) as error:
        Parameter("P", kind).check_value(typed)
    assert error.value.field == "param"
    assert len(str(error.value)) < 300


def test_a_choice_is_one_of_its_choices() -> None:
    colour = Parameter("COLOUR", CHOICE, choices=("blue", "green"))
    colour.check()
    assert colour.check_value("green") == "green"
    with pytest.raises(InvalidInputError, match="COLOUR cannot be 'gre': give one of: blue, green"):
        colour.check_value("gre")


def test_a_pattern_matches_the_whole_value() -> None:
    version = Parameter("VERSION", pattern=r"[0-9]+\.[0-9]+")
    assert version.check_value("1.20") == "1.20"
    for wrong in ("1.20\n", "v1.20", "1.2.3", ""):
        with pytest.raises(InvalidInputError, match="VERSION cannot be"):
            version.check_value(wrong)


def test_a_pattern_takes_time_linear_in_the_value() -> None:
    """A backtracking engine would not end before the sun does."""
    evil = Parameter("P", pattern="(a+)+$")
    assert evil.check_value("a" * 100_000)
    with pytest.raises(InvalidInputError, match="matches"):
        evil.check_value("a" * 100_000 + "b")


@pytest.mark.parametrize(
    "pattern", ["(a", r"(a)\1", "a(?=b)", "(" * 900, "((a{100}){100}){100}", "a" * 1001, "\udcff"]
)
def test_a_pattern_that_re2_does_not_take_is_refused(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInputError) as error:
        Parameter("P", pattern=pattern).check()
    assert error.value.field == "pattern"
    assert capfd.readouterr() == ("", "")


def test_the_value_of_a_secret_is_in_no_error() -> None:
    with pytest.raises(InvalidInputError) as error:
        Parameter("TOKEN", SECRET, pattern="[0-9]+").check_value("hunter2")
    assert "hunter2" not in str(error.value)
    with pytest.raises(InvalidInputError, match="The secret TOKEN is empty"):
        Parameter("TOKEN", SECRET).check_value("")


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        (Parameter("1A"), "name"),
        (Parameter("TUI_MANAGER_X"), "name"),
        (Parameter("P", default="x", pattern="y"), "default"),
        (Parameter("P", INTEGER, default="x"), "default"),
        (Parameter("P", SECRET, default="x"), "default"),
        (Parameter("P", CHOICE), "choices"),
        (Parameter("P", CHOICE, choices=("a", "a")), "choices"),
        (Parameter("P", CHOICE, choices=("",)), "choices"),
        (Parameter("P", CHOICE, choices=("a\0",)), "choices"),
        (Parameter("P", CHOICE, choices=tuple(map(str, range(101)))), "choices"),
        (Parameter("P", choices=("a",)), "choices"),
        (Parameter("P", CHOICE, choices=("a",), default="b"), "default"),
        (Parameter("P", BOOLEAN, pattern="true"), "pattern"),
        (Parameter("P", help="x" * 1001), "help"),
    ],
)
def test_a_wrong_parameter_names_what_is_wrong(parameter: Parameter, field: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        parameter.check()
    assert error.value.field == field
