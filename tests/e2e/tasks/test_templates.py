"""Templates with a real manager and real agents: saved, run, run again, handed on, deleted."""

from tests.support.programs.processes import Done, Machine
from tui_manager.domain.tasks.task import TaskDetail

JOB = """\
target = "@all"

[params.WORD]
pattern = "[a-z]+"

[params.KEY]
type = "secret"

[[steps]]
name = "say"
run = 'echo "$WORD $TUI_MANAGER_HOST ${#KEY}"'

[[steps]]
name = "script"
script = "parts/work.sh"
args = ["a b"]
stdin = "input"
"""


def write_job(machine: Machine) -> str:
    """A task file with a script and an input beside it."""
    (machine.folder / "parts").mkdir()
    (machine.folder / "parts" / "work.sh").write_text('#!/bin/sh\necho "$1 $WORD $(cat)"\n')
    (machine.folder / "input").write_text("typed ü\n")
    job = machine.folder / "job.toml"
    job.write_text(JOB)
    return str(job)


def template_run(machine: Machine, *words: str) -> Done:
    """`template run`, with the secret on stdin."""
    return machine.run("template", "run", *words, "--secret", "KEY:0", stdin=b"hunter2\n")


def test_a_template_is_saved_run_and_handed_on(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1", "h2")
    assert machine.run("template", "save", "job", write_job(machine)).out == b"job@1\n"
    for wrong in ("WORD=X", "NOWORD=x"):
        assert template_run(machine, "job", "--param", wrong).code == 2
    assert machine.tasks() == []

    done = template_run(machine, "job", "--param", "WORD=hello")
    assert done.code == 0, done
    assert sorted(done.out.decode().splitlines()) == [
        "h1: a b hello typed ü",
        "h1: hello h1 7",
        "h2: a b hello typed ü",
        "h2: hello h2 7",
    ]
    (task,) = machine.json("task", "list")
    assert task["template"] == {"name": "job", "version": 1}

    # The manager that it is handed on to is the same one: what is printed makes the same template.
    exported = machine.folder / "exported.toml"
    exported.write_bytes(machine.run("template", "export", "job").out)
    again = machine.run("template", "save", "job", str(exported))
    assert (again.code, again.out) == (0, b"job@1\n")
    assert "has the same text" in again.err

    # A task becomes a template, whose values are those that it ran with.
    assert machine.run("template", "save", "of-task", "1").out == b"of-task@1\n"
    done = template_run(machine, "of-task", "--target", "h1")
    assert done.code == 0, done
    assert sorted(done.out.decode().splitlines()) == ["h1: a b hello typed ü", "h1: hello h1 7"]
    shown = machine.json("template", "show", "of-task")
    assert [(one["name"], one["type"], one["default"]) for one in shown["parameters"]] == [
        ("WORD", "text", "hello"),
        ("KEY", "secret", None),
    ]
    assert "hunter2" not in shown["text"]


def test_templates_outlive_the_manager_and_count_on(machine: Machine) -> None:
    first = machine.serve()
    machine.agents("h1")
    job = machine.folder / "job.toml"
    job.write_text('target = "h1"\n[[steps]]\nrun = "exit 3"\n')
    assert machine.run("template", "save", "job", str(job)).out == b"job@1\n"
    first.stop()
    machine.serve("--listen", machine.address)
    machine.wait_until_online("h1")
    assert machine.run("template", "run", "job").code == 1
    assert machine.run("template", "delete", "job").code == 0
    assert machine.run("template", "run", "job").code == 2
    # The task of a template that is gone runs again, and says from which it was made.
    assert machine.run("task", "rerun", "1").code == 1
    named = [task["template"] for task in machine.json("task", "list")]
    assert named == [{"name": "job", "version": 1}] * 2
    assert machine.run("template", "save", "job", str(job)).out == b"job@2\n"


def test_a_template_of_16_mib_is_kept_byte_for_byte(machine: Machine) -> None:
    """As much as a task may have. It is saved, printed, and makes a task again."""
    machine.serve()
    script = ("#!/bin/sh\n" + "echo 'ü' \\\\ \"x\"\n" * 60_000).encode().ljust(1 << 20, b"#")
    (machine.folder / "work.sh").write_bytes(script)
    job = machine.folder / "job.toml"
    steps = '[[steps]]\nscript = "work.sh"\n'
    job.write_text(f'target = "@all"\n{steps * 16}')
    assert machine.run("template", "save", "job", str(job)).out == b"job@1\n"
    exported = machine.folder / "exported.toml"
    exported.write_bytes(machine.run("template", "export", "job").out)
    again = machine.run("template", "save", "job", str(exported))
    assert (again.code, again.out) == (0, b"job@1\n"), again
    done = machine.run("template", "run", "job", "--no-start", "--target", "h1")
    assert (done.code, done.out) == (0, b"1\n"), done

    def sizes(detail: TaskDetail) -> set[int]:
        return {one.spec.contents["script"].size for one in detail.commands}

    detail = machine.ask(lambda operator: operator.get_task(1))
    assert (len(detail.commands), sizes(detail)) == (16, {1 << 20})
    job.write_text(f'target = "@all"\n{steps * 17}')
    refused = machine.run("template", "save", "job", str(job))
    assert (refused.code, refused.out) == (2, b"")
    assert "job.toml, line 35" in refused.err
