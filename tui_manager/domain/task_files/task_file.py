"""Task files: a task with typed parameters, as TOML. Reads them, fills in the parameters, makes one
of a task. They are written in write_task_file.py."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file_steps import (
    STEP_KEYS,
    ReadContent,
    ReadFiles,
    StepReader,
    read_options,
)
from tui_manager.domain.task_files.toml_table import FIELD, Number, Table, parse_toml
from tui_manager.domain.task_spec.script_and_stdin import CONTENTS_LENGTH
from tui_manager.domain.task_spec.step_and_task_options import (
    LIMIT_OPTIONS,
    ROLLOUT_OPTIONS,
    STEP_OPTIONS,
    TASK_OPTIONS,
    needed_option,
    with_task_options,
)
from tui_manager.domain.task_spec.task_parameters import PARAMETERS_MAX, Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

# Bytes of a task file: the contents of a task, and 2 MiB for everything else.
TASK_FILE_LENGTH = CONTENTS_LENGTH + 2 * 1024 * 1024

TEXT_KEYS = ("name", "target", "description")
TOP_KEYS = (
    *TEXT_KEYS, "params", *STEP_OPTIONS, "env", *LIMIT_OPTIONS, *TASK_OPTIONS, "rollout", "steps",
)  # fmt: skip
_UNKNOWN_SHOWN = 20  # unknown parameters that an error names
PARAMETER_KEYS = ("type", "default", "pattern", "choices", "help", "required")
ROLLOUT_KEYS = tuple(ROLLOUT_OPTIONS)


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task with parameters that have no values yet.

    Attributes:
        spec: its steps have neither parameters nor secrets; its target may be empty.
        parameters: in the order of the file.
    """

    spec: TaskSpec
    parameters: tuple[Parameter, ...] = ()

    @property
    def secrets(self) -> tuple[Parameter, ...]:
        """The parameters whose values are shown nowhere."""
        return tuple(one for one in self.parameters if one.secret)


def read_task_file(
    text: str,
    name: str,
    read_content: ReadContent | None = None,
    read_files: ReadFiles | None = None,
) -> TaskFile:
    """The task of a task file.

    Args:
        name: of the file, for errors.
        read_content: reads the file that `script` or `stdin` names; raises OSError or
            InvalidInputError. None: scripts and inputs must stand in the text.
        read_files: reads the files that `copy` names. None: the text must say that they are stored.

    Raises:
        InvalidInputError: something in it is wrong; the error names file, line and key.
    """
    _check_text(text, name)
    top = parse_toml(text.removeprefix("\ufeff"), name)
    _check_top_keys(top)
    parameters = _parameters(top)
    names = frozenset(one.name for one in parameters)
    steps = StepReader(top, read_content, read_files, names).read()
    spec = TaskSpec(
        target=top.text("target") or "",
        commands=steps,
        name=top.text("name") or "",
        description=top.text("description") or "",
    )
    rollout = top.table("rollout")
    if rollout is not None:
        rollout.check_keys(ROLLOUT_KEYS, "[rollout]")
        spec = with_task_options(spec, read_options(rollout, ROLLOUT_OPTIONS))
    spec = with_task_options(spec, read_options(top, TASK_OPTIONS))
    _check_task(top, rollout, spec)
    return TaskFile(spec, parameters)


def _check_text(text: str, name: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInputError(FIELD, f"{name}: it is not UTF-8.") from None
    if size > TASK_FILE_LENGTH:
        raise InvalidInputError(
            FIELD, f"{name}: a task file has at most {TASK_FILE_LENGTH} bytes; this one has more."
        )


def _check_top_keys(top: Table) -> None:
    for key in top.values:
        if key in ROLLOUT_OPTIONS:
            raise top.error(key, "it belongs under [rollout].")
        if key in STEP_KEYS and key not in TOP_KEYS:
            raise top.error(key, "it belongs to a step, under [[steps]].")
    top.check_keys(TOP_KEYS, "a task file")


def _check_task(top: Table, rollout: Table | None, spec: TaskSpec) -> None:
    """Checks what the steps do not hold."""
    for table in (top, rollout):
        for key in table.values if table is not None else ():
            if needed := needed_option(key, spec):
                assert table is not None
                raise table.error(key, f"it needs {needed.replace(' ', ' = ')}.")
    try:
        replace(spec, target=spec.target if spec.target.strip() else "@all").check()
    except InvalidInputError as error:
        if rollout is not None and error.field in ROLLOUT_KEYS:
            raise rollout.error(error.field, str(error)) from None
        raise top.error(error.field if error.field in TOP_KEYS else "", str(error)) from None


def _parameters(top: Table) -> tuple[Parameter, ...]:
    tables = top.table("params")
    if tables is None:
        return ()
    if len(tables.values) > PARAMETERS_MAX:
        raise top.error("params", f"a task file has at most {PARAMETERS_MAX} parameters.")
    found = []
    for name in tables.values:
        table = tables.table(name)
        assert table is not None
        found.append(_parameter(name, table))
    return tuple(found)


def _parameter(name: str, table: Table) -> Parameter:
    table.check_keys(PARAMETER_KEYS, "a parameter")
    word = table.text("type")
    types = tuple(ParameterType)
    if word is not None and word not in types:
        raise table.error("type", f"{word[:80]!r} is no type; there are {', '.join(types)}.")
    kind = ParameterType(word or ParameterType.TEXT)
    required = table.flag("required")
    parameter = Parameter(
        name,
        kind,
        default=_default(kind, table),
        pattern=table.text("pattern") or "",
        choices=table.texts("choices"),
        help=table.text("help") or "",
        required=True if required is None else required,
    )
    try:
        parameter.check()
    except InvalidInputError as error:
        raise table.error(error.field if error.field in table else "", str(error)) from None
    return parameter


def _default(kind: ParameterType, table: Table) -> str | None:
    """The default as typed, which must have the type of the parameter."""
    value = table.values.get("default")
    if value is None:
        return None
    match kind:
        case ParameterType.BOOLEAN:
            return "true" if table.flag("default") else "false"
        case ParameterType.INTEGER if type(value) is int:
            return table.plain("default")
        case ParameterType.INTEGER:
            raise table.error("default", "the default of an integer is a whole number: 12.")
        case ParameterType.NUMBER if type(value) is int or isinstance(value, Number):
            return table.plain("default")
        case ParameterType.NUMBER:
            raise table.error("default", "the default of a number is a number: 0.5.")
        case _:
            return table.text("default")


def missing(
    task_file: TaskFile, values: Iterable[str], secrets: Iterable[str]
) -> tuple[Parameter, ...]:
    """The parameters that need a value and have none.

    Args:
        values, secrets: the names of those that have one.
    """
    given = {*values, *secrets}
    return tuple(one for one in task_file.parameters if one.must_be_given and one.name not in given)


def fill(task_file: TaskFile, values: Mapping[str, str], secrets: Mapping[str, str]) -> TaskSpec:
    """The task, each of whose steps gets the values of the parameters.

    Args:
        values: as typed, of the parameters that are not secrets.
        secrets: of those that are.

    Raises:
        InvalidInputError: a value is not allowed, is missing, or has no parameter of its name.
    """
    check_names(task_file, values, secrets)
    if lacking := missing(task_file, values, secrets):
        names = ", ".join(f"{one.name} ({one.form})" for one in lacking)
        raise InvalidInputError("param", f"These parameters need a value: {names}.")
    shown: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for one in task_file.parameters:
        given = secrets if one.secret else values
        text = given.get(one.name, one.default)
        if text is not None:
            (hidden if one.secret else shown)[one.name] = one.check_value(text)
    commands = tuple(
        step if step.transfer else replace(step, parameters=shown, secrets=hidden)
        for step in task_file.spec.commands
    )
    described = tuple(replace(one, default=None) for one in task_file.parameters)
    return replace(task_file.spec, commands=commands, parameters=described)


def check_names(task_file: TaskFile, values: Iterable[str], secrets: Iterable[str]) -> None:
    """Raises InvalidInputError for a name that no parameter has, or one of the other sort."""
    known = {one.name: one for one in task_file.parameters}
    for field, names in (("param", values), ("secret", secrets)):
        names = tuple(names)
        if unknown := [name for name in names if name not in known]:
            raise InvalidInputError(field, _unknown(unknown, known))
        for name in names:
            if known[name].secret != (field == "secret"):
                kind = "a secret" if known[name].secret else "no secret"
                raise InvalidInputError(
                    field,
                    f"The parameter {name} is {kind}; give it as "
                    f"{'a secret' if known[name].secret else 'a parameter'}.",
                )


def _unknown(unknown: Sequence[str], known: Iterable[str]) -> str:
    shown = " or ".join(name[:80] for name in unknown[:_UNKNOWN_SHOWN])
    names = sorted(known)
    has = f"the parameters are {', '.join(names)}" if names else "there are no parameters"
    return f"There is no parameter {shown}; {has}."


def task_file_of(spec: TaskSpec) -> TaskFile:
    """A task file that makes the same task: the values of its parameters become their defaults, its
    secrets become secret parameters. A parameter that the task does not describe is a text. One
    whose value is not the same in all steps becomes a variable of each step.

    Raises:
        InvalidInputError: a name is a secret of one step and a variable of another one.
    """
    shared = _shared_parameters(spec)
    secrets = {name: None for step in spec.commands for name in step.secrets}
    for step in spec.commands:
        for name in (*step.parameters, *step.environment):
            if name in secrets:
                raise InvalidInputError(
                    "secret",
                    f"{name} is a secret of one step and a variable of another one; a task file "
                    "cannot say this.",
                )
    commands = tuple(
        replace(step, parameters={}, secrets={}, environment=_environment(step, shared))
        for step in spec.commands
    )
    made = [Parameter(name, default=value) for name, value in shared.items()]
    made += [Parameter(name, ParameterType.SECRET) for name in secrets]
    variables = {name for step in commands for name in step.environment}
    return TaskFile(
        replace(spec, commands=commands, created_by="", template=None, parameters=()),
        _as_described(made, [one for one in spec.parameters if one.name not in variables]),
    )


def _as_described(
    made: Sequence[Parameter], described: Sequence[Parameter]
) -> tuple[Parameter, ...]:
    """The parameters of a task with what is said of them, in that order; the others behind them.
    One whose value is not allowed, or which is no secret any more, stays as it is."""
    left = {one.name: one for one in made}
    found = []
    for one in described:
        value = left.pop(one.name, None)
        if value is None:  # it was left out
            found.append(replace(one, default=None))
        elif value.secret != one.secret:
            found.append(value)
        else:
            found.append(_with_default(one, value))
    return (*found, *left.values())


def _with_default(described: Parameter, value: Parameter) -> Parameter:
    parameter = replace(described, default=value.default)
    try:
        parameter.check()
    except InvalidInputError:
        return value
    return parameter


def _shared_parameters(spec: TaskSpec) -> dict[str, str]:
    """The parameters that have the same value in all steps that run something, and are no variable
    of a step."""
    counts = Counter(item for step in spec.commands for item in step.parameters.items())
    variables = {name for step in spec.commands for name in step.environment}
    running = sum(step.transfer is None for step in spec.commands)
    return {
        name: value
        for (name, value), count in counts.items()
        if count == running and name not in variables
    }


def _environment(step: CommandSpec, shared: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in step.parameters.items() if name not in shared}
    return {**step.environment, **own}  # in a command a parameter wins too
