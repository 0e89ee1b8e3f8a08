"""The options of `tui-manager database`. Each group of commands has such a file."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json


def add_database_commands(database: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `database`, each with its options."""
    commands = database.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    migrate = commands.add_parser(
        "migrate",
        help="copy a SQLite database into PostgreSQL",
        description="Copy a SQLite database into the empty PostgreSQL database that "
        "the setting database names: all of it, or nothing. The file is only read. The manager "
        "must not run.",
        parents=[state],
        allow_abbrev=False,
    )
    migrate.set_defaults(database_action="migrate")
    migrate.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        required=True,
        help="the file of SQLite, such as manager.db in the state folder",
    )
    add_json(migrate)
    forget = commands.add_parser(
        "forget-keys",
        help="let the managers on a PostgreSQL database have other keys",
        description="Let the managers on the PostgreSQL database of the settings have another "
        "cluster.key, or another authority of your own, than until now: after these have leaked "
        "or are lost. The next manager that starts says which. No manager may run.",
        parents=[state],
        allow_abbrev=False,
    )
    forget.set_defaults(database_action="forget-keys")
