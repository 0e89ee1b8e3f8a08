"""What `task` can do, and the options of each."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json, task_id


def add_task_commands(task: argparse.ArgumentParser, state: Parser) -> None:
    """What can be done with tasks, each with its options."""
    commands = task.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, text in (
        ("list", "list the tasks, the newest first"),
        ("show", "a task and how it stands on its hosts"),
        ("start", "start a pending task"),
        ("cancel", "cancel a task: what runs of it is killed"),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(task_action=name)
        if name != "list":
            command.add_argument("task_id", metavar="ID", type=task_id, help="the task's number")
        add_json(command)
