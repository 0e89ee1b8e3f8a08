"""The options of the program, with what `--help` says about them."""

import argparse
from pathlib import Path
from typing import NoReturn

from tui_manager_agent import __version__
from tui_manager_agent.cli import option_values, policy_check
from tui_manager_agent.settings import CAPACITY, SPOOL_LIMIT

PROGRAM = "tui-manager-agent"
WRONG_USAGE = 2
ENVIRONMENT = "TUI_MANAGER_AGENT_"
TOKEN_OPTION = "join-token"
TOKEN_FILE_OPTION = "join-token-file"
TOKEN_VARIABLES = (f"{ENVIRONMENT}JOIN_TOKEN", f"{ENVIRONMENT}JOIN_TOKEN_FILE")
_EXIT_CODES = (
    "exit status: 0 ended by SIGTERM or SIGINT; 1 the state folder failed under it; 2 wrong usage, "
    "a policy or a state folder that cannot be used; 3 the manager refuses this agent or its join "
    "token for good"
)


class Parser(argparse.ArgumentParser):
    """Reports an error in two lines, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        program = f"{PROGRAM} run" if self.prog == PROGRAM else self.prog
        self.exit(WRONG_USAGE, f"{PROGRAM}: {message}\nSee `{program} --help`.\n")


def make_parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Runs what its tui-manager says on this host.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    run = commands.add_parser(
        "run",
        help="dial the manager and work for it until SIGTERM",
        description="Dials the manager and works for it until SIGTERM. An option that is not given "
        "is taken from the variable that its line names.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    run.set_defaults(action="run")
    _add_manager_options(run)
    _add_host_options(run)
    _add_running_options(run)
    _add_policy_option(run)
    identity = commands.add_parser(
        "identity",
        help="print by which key and ids managers know this host",
        description="Prints by which key and ids managers know this host. Makes the state folder "
        "and the key if they are missing. An agent may run meanwhile. To be asked as the agent's "
        "user.",
        epilog="exit status: 0 printed; 2 wrong usage, or a state folder that cannot be used",
        allow_abbrev=False,
    )
    identity.set_defaults(action="identity")
    _add_state_dir(identity)
    identity.add_argument(
        "--challenge",
        metavar="HEX",
        type=option_values.challenge,
        default=b"",
        help="up to 64 bytes, in hex, to sign: it proves that the key is here",
    )
    identity.add_argument("--json", action="store_true", help="print JSON, on one line")
    policy = commands.add_parser(
        "policy", help="ask what the host's policy says", allow_abbrev=False
    )
    questions = policy.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    check = questions.add_parser(
        "check",
        help="whether a command or files would be allowed; nothing is run",
        description="Says whether the policy allows a command, or to read or write files, by which "
        "rule, or why not. Nothing is run, read or written. To be asked as the agent's user.",
        epilog="exit status: 0 allowed; 1 refused; 2 wrong usage, or a policy that cannot be used",
        allow_abbrev=False,
    )
    check.set_defaults(action="policy check")
    policy_check.add_options(check)
    _add_policy_option(check)
    return parser


def _add_policy_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        help="the file with what this host's owner allows; by default policy.toml in the folder "
        f"{PROGRAM} of the user's configuration, for root in /etc/{PROGRAM}; without it everything "
        f"({ENVIRONMENT}POLICY)",
    )


def _add_manager_options(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--manager",
        metavar="HOST:PORT[,HOST:PORT…]",
        type=option_values.addresses,
        help="the manager to dial; of several managers on one database any, or all of them. They "
        f"tell the agent of each other ({ENVIRONMENT}MANAGER)",
    )
    run.add_argument(
        f"--{TOKEN_OPTION}",
        metavar="T",
        type=option_values.join_token,
        help="what `tui-manager token create` printed, to enrol this host; needed once. Another "
        f"one than before enrols it again, with the same key ({TOKEN_VARIABLES[0]})",
    )
    run.add_argument(
        f"--{TOKEN_FILE_OPTION}",
        metavar="FILE",
        type=Path,
        help="a file with the join token, which others cannot read. It is removed once the host "
        "has enrolled, and need not be there after that; what systemd has put into "
        f"$CREDENTIALS_DIRECTORY stays ({TOKEN_VARIABLES[1]})",
    )


def _add_host_options(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--name",
        type=option_values.name,
        help=f"the name of this host at the manager; by default its hostname ({ENVIRONMENT}NAME)",
    )
    run.add_argument(
        "--label",
        metavar="K=V",
        type=option_values.label,
        action="append",
        default=[],
        help="a label of this host; may be given more than once, and adds to those of "
        f"{ENVIRONMENT}LABELS=K=V,K=V",
    )
    run.add_argument(
        "--facts",
        metavar="FILE",
        type=Path,
        help="a file with facts of this host, which the manager shows and targets can use; by "
        f"default facts.toml beside policy.toml, if it is there ({ENVIRONMENT}FACTS)",
    )
    run.add_argument(
        "--insecure",
        action="store_true",
        help="no encryption and no enrolment; for a manager on this machine only",
    )


def _add_state_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state-dir",
        metavar="D",
        type=Path,
        help="the folder of journal and output until the manager has them; by default a folder "
        f"{PROGRAM} among the user's own state ({ENVIRONMENT}STATE_DIR)",
    )


def _add_running_options(run: argparse.ArgumentParser) -> None:
    _add_state_dir(run)
    run.add_argument(
        "--capacity",
        metavar="N",
        type=option_values.capacity,
        help="commands that run at once, 1 to 1000; more wait "
        f"(default: {CAPACITY}; {ENVIRONMENT}CAPACITY)",
    )
    run.add_argument(
        "--spool-limit",
        metavar="MIB",
        type=option_values.mebibytes,
        help="output of ended commands kept until the manager has it; past it the oldest output is "
        "dropped and shown as a gap, results stay "
        f"(default: {SPOOL_LIMIT >> 20}; {ENVIRONMENT}SPOOL_LIMIT)",
    )
    run.add_argument(
        "--log-level",
        metavar="|".join(option_values.LOG_LEVELS),
        type=option_values.log_level,
        help=f"what is written to stderr (default: info; {ENVIRONMENT}LOG_LEVEL)",
    )
