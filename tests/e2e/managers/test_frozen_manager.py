"""A manager that is stopped: no command waits for it, and what it does later is done once."""

import signal

from tests.support.programs.processes import Machine

COMMANDS = (
    *("hosts", "hosts approve h1", "hosts reject h1", "hosts revoke h1", "task list"),
    *("task show 1", "task start 1", "task cancel 1", "output 1", "audit"),
    *("task pause 1", "task resume 1", "run @all --plan -- true"),
    *("run @all -- true", "run @all --no-start -- true", "run @all --json -- true"),
    *("token create", "token list", "token revoke 1"),
)


def test_every_command_gives_up_on_a_stopped_manager(machine: Machine) -> None:
    serve = machine.serve()
    machine.agents("h1")
    following = machine.start("following", "run", "h1", "--", "echo one; sleep 600")
    machine.wait_for("output", lambda: following.out, lambda seen: seen == "h1: one\n")
    serve.process.send_signal(signal.SIGSTOP)
    try:
        asked = {
            words: machine.start(f"command{number}", *words.split())
            for number, words in enumerate(COMMANDS)
        }
        for words, command in asked.items():
            assert command.wait() == 3, (words, command.story())
            assert f"manager on {machine.state_dir} has not answered for 10 s" in command.err
            assert command.out == ""
        assert "Task 1 may have started." in asked["task start 1"].err
        assert following.wait() == 3
        assert "Task 1 goes on without it; its hosts keep the results." in following.err
    finally:
        serve.process.send_signal(signal.SIGCONT)
    machine.json("task", "show", "1")  # it answers again
