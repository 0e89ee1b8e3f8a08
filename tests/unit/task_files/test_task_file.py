"""Task files: what is read, what an error says, and which values the steps get."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import (
    TaskFile,
    fill,
    missing,
    read_task_file,
    task_file_of,
)
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import HoldRule, RolloutSpec
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, OnFailure, TaskSpec

STEP = '[[steps]]\nrun = "uptime"\n'

DEPLOY = """
name = "deploy"
target = "role=web"
description = "Installs a version on the web servers."
timeout = "5m"
user = "deploy"
offline = "wait"
delivery_timeout = "2h"

[env]
LANG = "C"

[params.VERSION]
pattern = '[0-9]+\\.[0-9]+'
help = "which version"

[params.RESTART]
type = "boolean"
default = true

[params.NOTE]
required = false

[params.TOKEN]
type = "secret"

[rollout]
batches = "1,10%,rest"
max_failures = 2
hold = "first"

[[steps]]
name = "install"
run = "install --version $VERSION"
memory_max = "512M"
[steps.env]
DEBUG = "1"
LANG = "en"

[[steps]]
run = "systemctl restart web"  # a comment
barrier = true
user = "root"
timeout = 90
on_failure = "continue"

[[steps]]
run = "rm -rf /tmp/install"
always = true
"""


def read(text: str) -> TaskFile:
    return read_task_file(text, "deploy.toml")


def error_of(text: str) -> str:
    with pytest.raises(InvalidInputError) as error:
        read(text)
    assert len(str(error.value)) < 500
    return str(error.value)


def test_the_whole_file_is_read() -> None:
    deploy = CommandSpec(
        "", timeout=timedelta(minutes=5), environment={"LANG": "C"}, run_as_user="deploy"
    )
    install, restart, clean = (
        replace(
            deploy,
            name="install",
            text="install --version $VERSION",
            environment={"LANG": "en", "DEBUG": "1"},
            limits=ResourceLimits(memory_max=512 << 20),
        ),
        replace(
            deploy,
            text="systemctl restart web",
            barrier=True,
            run_as_user="root",
            timeout=timedelta(seconds=90),
            on_failure=OnFailure.CONTINUE,
        ),
        replace(deploy, text="rm -rf /tmp/install", always=True),
    )
    assert read(DEPLOY) == TaskFile(
        TaskSpec(
            "role=web",
            (install, restart, clean),
            name="deploy",
            description="Installs a version on the web servers.",
            offline=Offline.WAIT,
            delivery_timeout=timedelta(hours=2),
            rollout=RolloutSpec(batches="1,10%,rest", max_failures="2", hold=HoldRule.FIRST),
        ),
        (
            Parameter("VERSION", pattern=r"[0-9]+\.[0-9]+", help="which version"),
            Parameter("RESTART", ParameterType.BOOLEAN, default="true"),
            Parameter("NOTE", required=False),
            Parameter("TOKEN", ParameterType.SECRET),
        ),
    )


def test_a_file_of_windows_is_read() -> None:
    assert read("\ufeff" + DEPLOY.replace("\n", "\r\n")) == read(DEPLOY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = \n" + STEP, "deploy.toml, line 1: it is not TOML: Invalid value"),
        ('name = "a\n' + STEP, "line 1: it is not TOML: the text in quotes does not end on its"),
        ("name = 'a\n" + STEP, "it is not TOML: the text in quotes does not end on its line"),
        ("name = 'a\nb = 'c'\n" + STEP, "the text in quotes does not end on its line"),
        ('name = """a\n' + STEP, "it is not TOML: a text between three quotes has no end"),
        ("name = '''a\n" + STEP, "it is not TOML: a text between three quotes has no end"),
        (STEP + STEP + "run = 'x'\n", "deploy.toml, line 5: it is not TOML: Cannot overwrite"),
        ('x = { ' + '"a".' * 200 + 'a = 1 }', "deploy.toml, line 1: it has more than 100 dots"),
        ("name = '\udcff'", "deploy.toml: it is not UTF-8"),
        ("nmae = 'x'\n" + STEP, "line 1: nmae: a task file has no such key; did you mean name?"),
        ("batches = '1'\n" + STEP, "line 1: batches: it belongs under [rollout]"),
        ("run = 'x'\n" + STEP, "line 1: run: it belongs to a step, under [[steps]]"),
        ("", "deploy.toml: steps: a task file needs a step"),
        ("steps = 'x'", "line 1: steps: it is text; write tables"),
        (STEP * 101, "deploy.toml: steps: a task file has at most 100 steps"),
        (STEP + "[[steps]]\nname = 'x'\n", "line 3: steps[1]: a step needs run"),
        (STEP + "[[steps]]\nrunn = 'x'\n", "line 3: steps[1]: a step needs run = \"…\", script = "
         '"FILE", copy or fetch (did you mean run?)'),
        (STEP + "script_text = 'x'\n", "line 3: steps[0].script_text: the step has run too"),
        (STEP + "copy = 'x'\n", "line 3: steps[0].copy: the step has run too"),
        (STEP + "args = ['x']\n", "line 3: steps[0].args: a step with run has no args"),
        (STEP + "timeuot = 5\n", "line 3: steps[0].timeuot: a step has no such key; did you mean "
         "timeout?"),
        (STEP + "timeout = '5 years'\n", "line 3: steps[0].timeout: '5 years': expected a number"),
        (STEP + "timeout = '8d'\n", "line 3: steps[0].timeout: A timeout must be from 1 s to 7 d"),
        ("timeout = '8d'\n" + STEP, "line 1: timeout: A timeout must be from 1 s to 7 d"),
        (STEP + "timeout = true\n", "line 3: steps[0].timeout: it is true or false; write text"),
        (STEP + "timeout = 2026-01-01\n", "line 3: steps[0].timeout: it is a date; write text"),
        (STEP + "always = 'yes'\n", "line 3: steps[0].always: it is text; write true or false"),
        (STEP + "on_failure = 'go'\n", "line 3: steps[0].on_failure: 'go': expected stop or"),
        (STEP + "user = ''\n", "line 3: steps[0].user: '': the name is empty"),
        (STEP + "user = '-x'\n", "line 3: steps[0].user: '-x' is not a user's name"),
        (STEP + "tasks_max = 0\n", "line 3: steps[0].tasks_max: '0': it must be more than 0"),
        (STEP + "memory_max = 5\n", "line 3: steps[0].memory_max: A memory limit must be from"),
        (STEP + "env = { A = 1 }\n", "line 3: steps[0].env.A: it is a whole number; write text"),
        (STEP + "[steps.env]\nA = 1.5\n", "line 4: steps[0].env.A: it is a number; write text"),
        (STEP + "env.TUI_MANAGER_X = ''\n", "line 3: steps[0].env.TUI_MANAGER_X: TUI_MANAGER_X"),
        ("[env]\nA = ''\n[params.A]\n" + STEP, "line 2: env.A: it is a parameter too"),
        (STEP + "env.A = ''\n[params.A]\n", "line 3: steps[0].env.A: it is a parameter too"),
        ("[[steps]]\nrun = 1\n", "line 2: steps[0].run: it is a whole number; write text"),
        ("[[steps]]\nrun = ' '\n", "line 2: steps[0].run: The command is empty"),
        ("[[steps]]\nscript = 'x'\n", "line 2: steps[0].script: no file can be read here"),
        ("[rollout]\nbatch = 1\n" + STEP, "line 2: rollout.batch: [rollout] has no such key; did "
         "you mean batches?"),
        ("[rollout]\nbatches = '0'\n" + STEP, "line 2: rollout.batches: 0 is out of bounds"),
        ("[rollout]\nhold = 'each'\n" + STEP, "line 2: rollout.hold: it needs batches"),
        ("[rollout]\nstrict = true\n" + STEP, "line 2: rollout.strict: it needs max_failures"),
        ("[rollout]\nmax_failures = ''\n" + STEP, "line 2: rollout.max_failures: '': the value is"),
        ("delivery_timeout = 9\n" + STEP, "line 1: delivery_timeout: it needs offline"),
        ("rollout = 1\n" + STEP, "line 1: rollout: it is a whole number; write a table: [rollout]"),
        (f"name = '{'x' * 201}'\n" + STEP, "line 1: name: A name has at most 200 characters"),
        ("[params.A]\ntype = 'int'\n" + STEP, "line 2: params.A.type: 'int' is no type; there are "
         "text, integer, number, boolean, choice, secret"),
        ("[params.A]\ntype = 'integer'\ndefault = '3'\n" + STEP, "line 3: params.A.default: the "
         "default of an integer is a whole number: 12"),
        ("[params.A]\ntype = 'integer'\ndefault = true\n" + STEP, "line 3: params.A.default: the"),
        ("[params.A]\ntype = 'number'\ndefault = inf\n" + STEP, "line 3: params.A.default: The "
         "default is not allowed: A cannot be 'inf'"),
        ("[params.A]\ntype = 'boolean'\ndefault = 1\n" + STEP, "line 3: params.A.default: it is a"),
        ("[params.A]\ndefault = 3\n" + STEP, "line 2: params.A.default: it is a whole number; write"
         " text"),
        ("[params.A]\ntype = 'choice'\n" + STEP, "line 1: params.A: A choice needs choices"),
        ("[params.A]\npattern = '('\n" + STEP, "line 2: params.A.pattern: '(' is not a regular"),
        ("[params.A]\npattern = 'a'\ndefault = 'b'\n" + STEP, "line 3: params.A.default: The"),
        ("[params.TUI_MANAGER_X]\n" + STEP, "line 1: params.TUI_MANAGER_X: TUI_MANAGER_X: names"),
        ("[params.'a b']\n" + STEP, "line 1: params.'a b': 'a b' is not a variable's name"),
        ("".join(f"[params.P{number}]\n" for number in range(101)) + STEP, "at most 100 param"),
        ("params = 1\n" + STEP, "line 1: params: it is a whole number; write a table: [params]"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_and_key(text: str, expected: str) -> None:
    assert expected in error_of(text)


def test_the_line_of_a_key_is_not_that_of_a_text_that_looks_like_it() -> None:
    text = """\
description = '''
[[steps]]
timeout = 5 '''
env.A = "[[steps]]\\"timeout"  # [[steps]] timeout = 1
steps = [ # one
  { run = "a" },
  { run = "b", timeuot = 7 }, ]
"""
    assert error_of(text).startswith("deploy.toml: steps[1].timeuot: a step has no such key")
    own = text.partition("steps = ")[0] + '\n[[ "steps" ]]\nrun = """a""""\n\'timeuot\' = 7\n'
    assert error_of(own).startswith("deploy.toml, line 8: steps[0].timeuot: ")


HUGE = f"0x{'f' * 5000}"
HOSTILE = {
    "deep": ("x = " + "[" * 5000 + "]" * 5000, "deploy.toml: it is nested too deeply"),
    "digits": ("x = " + "9" * 5000, "deploy.toml: it is not TOML: Exceeds the limit"),
    "number": (f"timeout = {HUGE}\n{STEP}", "line 1: timeout: the number is too large"),
    "default": (
        f"[params.A]\ntype = 'integer'\ndefault = {HUGE}\n",
        "line 3: params.A.default: the number is too large",
    ),
    "key": ("\n" + ".".join("a" * 100_000) + " = 1", "line 2: it has more than 100 dots"),
    "header": ("[" + ".".join("a" * 100_000) + "]", "line 1: it has more than 100 dots"),
    "keys": ("".join(f"k{n}=1\n" for n in range(20_001)), "it has more than 20000 keys"),
    "triple": ('"""\n' + '\\"""\n' * 200_000, "line 1: it is not TOML"),
    "double": ('name = "' + '\\"' * 500_000, "deploy.toml: it is not TOML"),
    "single": ("name = '" + "\n'" * 500_000, "line 1: it is not TOML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_without_much_work(name: str) -> None:
    """A quadratic reader would need minutes or hours."""
    text, expected = HOSTILE[name]
    assert expected in error_of(text)


def test_texts_may_hold_many_dots_and_brackets() -> None:
    dots = ".=[" * 30_000
    step = read(f"[[steps]]\nrun = '''\n{dots}'''  # {dots}\n").spec.commands[0]
    assert step.text == dots


def test_a_file_that_is_too_large_is_refused() -> None:
    assert "at most 18874368 bytes" in error_of(f"# {'x' * (20 << 20)}")


def test_steps_get_the_values_of_the_parameters() -> None:
    spec = fill(read(DEPLOY), {"VERSION": "1.2"}, {"TOKEN": "hunter2"})
    assert len(spec.commands) == 3
    for step in spec.commands:
        assert step.parameters == {"VERSION": "1.2", "RESTART": "true"}
        assert step.secrets == {"TOKEN": "hunter2"}
    spec.check()


@pytest.mark.parametrize(
    ("values", "secrets", "expected"),
    [
        ({}, {}, "These parameters need a value: VERSION (text), TOKEN (secret)"),
        ({"VERSION": "1"}, {"TOKEN": "x"}, "VERSION cannot be '1'"),
        ({"VERSION": "1.2", "FORCE": "1"}, {"TOKEN": "x"}, "There is no parameter FORCE; the "
         "parameters are NOTE, RESTART, TOKEN, VERSION"),
        ({"VERSION": "1.2", "TOKEN": "x"}, {}, "TOKEN is a secret; give it as a secret"),
        ({}, {"VERSION": "1.2", "TOKEN": "x"}, "VERSION is no secret; give it as a parameter"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(
    values: dict[str, str], secrets: dict[str, str], expected: str
) -> None:
    with pytest.raises(InvalidInputError) as error:
        fill(read(DEPLOY), values, secrets)
    assert expected in str(error.value)


def test_a_file_without_parameters_says_so() -> None:
    with pytest.raises(InvalidInputError, match="no parameter X; there are no parameters"):
        fill(read(STEP), {"X": "1"}, {})


def test_what_must_be_given_is_known() -> None:
    names = [one.name for one in missing(read(DEPLOY), {"VERSION": ""}, {})]
    assert names == ["TOKEN"]


def test_a_task_becomes_a_file_that_makes_the_same_task() -> None:
    spec = TaskSpec(
        "@all",
        (
            CommandSpec(
                "one",
                parameters={"A": "1", "B": "\n", "C": "x"},
                environment={"E": "2", "D": "env"},
                secrets={"S": ""},
            ),
            CommandSpec("two", parameters={"A": "1", "C": "y", "D": "4"}, secrets={"S": ""}),
        ),
        created_by="alice@pts/1",
    )
    made = task_file_of(spec)
    assert made.parameters == (Parameter("A", default="1"), Parameter("S", ParameterType.SECRET))
    filled = fill(made, {}, {"S": "hunter2"})
    assert filled.created_by == ""
    for step, original in zip(filled.commands, spec.commands, strict=True):
        # As commands get them: a parameter wins over a variable of the same name.
        assert {**step.environment, **step.parameters} == {
            **original.environment,
            **original.parameters,
        }
        assert step.secrets == {"S": "hunter2"}


DESCRIBED = """\
target = "@all"

[params.SERVICE]
type = "choice"
choices = ["nginx", "mysql"]
help = "what is restarted"

[params.COUNT]
type = "integer"
pattern = "[1-9]"
default = 3

[params.NOTE]
required = false

[params.KEY]
type = "secret"
help = "of the vault"

[[steps]]
run = "restart $SERVICE"
"""


def test_a_task_keeps_what_its_file_says_of_its_parameters() -> None:
    task_file = read_task_file(DESCRIBED, "restart")
    spec = fill(task_file, {"SERVICE": "mysql", "COUNT": "7"}, {"KEY": "x"})
    assert all(one.default is None for one in spec.parameters), "the steps have the values"
    again = task_file_of(spec)
    values = {"SERVICE": "mysql", "COUNT": "7"}
    assert again.parameters == tuple(
        replace(one, default=values.get(one.name)) for one in task_file.parameters
    )
    assert again.spec.parameters == ()
    assert fill(again, {}, {"KEY": "x"}) == spec


def test_a_value_that_is_not_allowed_and_one_that_is_not_described_are_texts() -> None:
    step = CommandSpec("x", parameters={"COUNT": "many", "MORE": "1"}, secrets={"NOTE": ""})
    described = read_task_file(DESCRIBED, "restart").parameters[1:3]
    made = task_file_of(TaskSpec("@all", (step,), parameters=described))
    assert made.parameters == (
        Parameter("COUNT", default="many"),
        Parameter("NOTE", ParameterType.SECRET),
        Parameter("MORE", default="1"),
    )


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ((Parameter("A"), Parameter("A")), "A parameter is described twice."),
        ((Parameter("A", default="x", type=ParameterType.INTEGER),), "The default is not allowed"),
        (tuple(Parameter(f"A{n}") for n in range(101)), "A task has at most 100 parameters."),
    ],
)
def test_a_task_with_wrong_parameters_is_refused(
    parameters: tuple[Parameter, ...], problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        TaskSpec("@all", (CommandSpec("x"),), parameters=parameters).check()


def test_a_name_that_is_a_secret_and_a_variable_is_no_task_file() -> None:
    steps = (CommandSpec("a", secrets={"S": ""}), CommandSpec("b", environment={"S": "1"}))
    with pytest.raises(InvalidInputError, match="S is a secret of one step and a variable"):
        task_file_of(TaskSpec("@all", steps))


SCRIPT = b"#!/bin/sh\necho \xff\n"


def contents(path: str) -> bytes:
    match path:
        case "a.sh":
            return SCRIPT
        case "missing":
            raise FileNotFoundError(2, "No such file or directory")
        case "fifo":
            raise InvalidInputError("file", "it is not a regular file.")
        case _:
            return b"x" * 1024 * 1024


def test_scripts_and_inputs_are_read() -> None:
    text = """
        [[steps]]
        script = "a.sh"
        args = ["-v", "$VERSION"]
        stdin_text = ""
        [[steps]]
        script_text = '''
#!/bin/sh
echo \\ '''
        stdin = "big"
    """
    first, second = read_task_file(text, "x.toml", contents).spec.commands
    assert first.script == content_of(SCRIPT)
    assert first.script is not None
    assert first.script.data == SCRIPT
    assert first.arguments == ("-v", "$VERSION")
    assert first.stdin == content_of(b"")
    assert second.script == content_of(b"#!/bin/sh\necho \\ ")
    assert second.stdin == content_of(contents("big"))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("script = 'missing'", "line 2: steps[0].script: missing: No such file or directory."),
        ("script = 'fifo'", "line 2: steps[0].script: fifo: it is not a regular file."),
        ("script = 'big'", "line 2: steps[0].script: The first line of a script must name"),
        ("script_text = ''", "line 2: steps[0].script_text: The first line of a script must"),
        ("script_text = '#!/bin/sh'\nstdin_text = ''\nstdin = 'a.sh'", "line 3: "
         "steps[0].stdin_text: the step has stdin too; leave one of them out"),
        ("run = 'x'\nstdin_text = 1", "line 3: steps[0].stdin_text: it is a whole number"),
        ("script_text = '#!/bin/sh'\nargs = [1]", "line 3: steps[0].args: it is an array; write "
         "an array of texts"),
        ("script_text = '#!/bin/sh'\nargs = [\"\\u0000\"]", "line 3: steps[0].args: A NUL char"),
    ],
)  # fmt: skip
def test_an_error_of_a_script_names_its_key(step: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        read_task_file(f"[[steps]]\n{step}\n", "x.toml", contents)
    assert expected in str(error.value)


def test_the_contents_of_a_task_are_bounded_while_they_are_read() -> None:
    read: list[str] = []

    def count(path: str) -> bytes:
        read.append(path)
        return contents(path)

    with pytest.raises(InvalidInputError, match=r"line 51: steps\[16\].stdin: the scripts and inp"):
        read_task_file("[[steps]]\nrun = 'x'\nstdin = 'big'\n" * 100, "x.toml", count)
    assert len(read) == 17


def test_a_task_file_has_no_update_of_agents() -> None:
    with pytest.raises(InvalidInputError, match="an update of agents is no part of a task file"):
        read_task_file('target = "@all"\n[[steps]]\nupdate = "agent.bundle"\n', "t.toml")
