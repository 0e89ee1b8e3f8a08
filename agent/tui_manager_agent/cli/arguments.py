"""The command line and the variables of the agent, read into its settings."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from tui_manager_protos.rules.join_token import JoinToken
from tui_manager_protos.rules.names_and_labels import check_label_count

from tui_manager_agent import __version__
from tui_manager_agent.cli import option_values, policy_options
from tui_manager_agent.cli.policy_options import Question
from tui_manager_agent.identity import credentials, token_file
from tui_manager_agent.settings import SPOOL_LIMIT, Settings

PROGRAM = "tui-manager-agent"
WRONG_USAGE = 2
_ENVIRONMENT = "TUI_MANAGER_AGENT_"
_TOKEN_OPTION = "join-token"
_TOKEN_FILE_OPTION = "join-token-file"
TOKEN_VARIABLES = (f"{_ENVIRONMENT}JOIN_TOKEN", f"{_ENVIRONMENT}JOIN_TOKEN_FILE")
_CAPACITY = 5
_EXIT_CODES = (
    "exit status: 0 ended by SIGTERM or SIGINT; 1 the state folder failed under it; 2 wrong usage, "
    "a policy or a state folder that cannot be used; 3 the manager refuses this agent or its join "
    "token for good"
)
# Each is also a variable: how its text is read, and what holds when nothing is said.
_OPTIONS: Mapping[str, tuple[Callable[[str], object], object]] = {
    "manager": (option_values.address, ""),
    "join_token": (option_values.join_token, None),
    "join_token_file": (Path, None),
    "name": (option_values.name, ""),
    "state_dir": (Path, Path()),
    "capacity": (option_values.capacity, _CAPACITY),
    "spool_limit": (option_values.mebibytes, SPOOL_LIMIT),
    "log_level": (option_values.log_level, "info"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a host's owner asked for.

    Attributes:
        join_token: to enrol with, should that be necessary.
        token_file: the file that held it; None: it came in another way.
        log_level: name of the least that is logged.
    """

    settings: Settings
    join_token: JoinToken | None
    token_file: Path | None
    log_level: str


class _Parser(argparse.ArgumentParser):
    """Says in two lines what is wrong, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        program = f"{PROGRAM} run" if self.prog == PROGRAM else self.prog
        self.exit(WRONG_USAGE, f"{PROGRAM}: {message}\nSee `{program} --help`.\n")


def parse(arguments: list[str] | None) -> Arguments | Question:
    """Reads the command line, None for the program's own, and the environment.

    Raises SystemExit with status 2 for wrong usage, with 0 when only help was wanted.
    """
    parser = _parser()
    words = sys.argv[1:] if arguments is None else arguments
    if words[-1:] == ["--"] and words.index("--") == len(words) - 1:
        words = words[:-1]  # nothing stands behind it, and argparse would call it unknown
    chosen = parser.parse_args(words)
    if chosen.policy is None and (policy := os.environ.get(f"{_ENVIRONMENT}POLICY")):
        chosen.policy = Path(policy)
    if chosen.action == "policy check":
        return policy_options.question(chosen)
    _take_environment(parser, chosen)
    if not chosen.manager:
        parser.error("say which manager to dial: --manager HOST:PORT")
    held_in = _take_token_file(parser, chosen)
    state_dir = _state_dir(chosen.state_dir)
    _check_name(parser, chosen, state_dir)
    check = _check_insecure if chosen.insecure else _check_token
    check(parser, chosen, state_dir)
    labels = dict(chosen.label)
    try:
        check_label_count(len(labels))
    except ValueError as error:
        parser.error(str(error))
    settings = Settings(
        manager=chosen.manager,
        state_dir=state_dir,
        insecure=chosen.insecure,
        name=chosen.name,
        labels=labels,
        capacity=chosen.capacity,
        spool_limit=chosen.spool_limit,
        policy=chosen.policy,
    )
    return Arguments(
        settings=settings,
        join_token=chosen.join_token,
        token_file=held_in,
        log_level=chosen.log_level,
    )


def without_token(command_line: Sequence[str]) -> list[str]:
    """The same command line with no join token in it, and no file of one."""
    options = (f"--{_TOKEN_OPTION}", f"--{_TOKEN_FILE_OPTION}")
    kept, words = [], iter(command_line)
    for word in words:
        if word in options:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept


def _take_token_file(parser: _Parser, chosen: argparse.Namespace) -> Path | None:
    """Reads the token from its file, unless it is given; the file if it came from there."""
    path: Path | None = chosen.join_token_file
    if path is None or chosen.join_token is not None:
        return None
    try:
        chosen.join_token = token_file.read(path)
    except ValueError as error:
        parser.error(f"the file of the join token {path}: {error}")
    return path if chosen.join_token is not None else None


def _check_name(parser: _Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    try:
        option_values.check_own_name(chosen.name, known=_belongs(state_dir))
    except ValueError as error:
        parser.error(f"{error}; say with --name what this host is called")


def _belongs(state_dir: Path) -> bool:
    """Whether a manager has taken this host in; touches nothing."""
    from tui_manager_agent.identity.identity import host_id_in

    return credentials.exist(state_dir) or bool(host_id_in(state_dir))


def _check_insecure(parser: _Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    if not option_values.is_loopback(chosen.manager):
        parser.error(
            "--insecure is for a manager on this machine (localhost, 127.x.x.x or [::1]); "
            f"for another one leave it out and give a --{_TOKEN_OPTION}"
        )
    if credentials.exist(state_dir):
        parser.error(
            f"the state folder {state_dir} holds the identity that a manager with TLS gave to "
            "this host: leave out --insecure, or take another --state-dir"
        )
    if chosen.join_token is not None:
        parser.error(
            "--insecure and a join token exclude each other: leave out --insecure to enrol, or "
            f"--{_TOKEN_OPTION} ({TOKEN_VARIABLES[0]}) to do without TLS"
        )


def _check_token(parser: _Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    token: JoinToken | None = chosen.join_token
    if token is None and not credentials.exist(state_dir):
        missing = chosen.join_token_file
        problem = f" and there is no file {missing}" if missing else ""
        parser.error(
            f"this host has not enrolled yet{problem}: get a join token with "
            "`tui-manager token create` where the manager runs, and give it with "
            f"--{_TOKEN_OPTION}, --{_TOKEN_FILE_OPTION} or {TOKEN_VARIABLES[0]} "
            "(a manager on this machine may do without: --insecure)"
        )
    if token is not None and token.port is None and chosen.manager.endswith(":65535"):
        parser.error(
            "hosts enrol on the port next to the manager's, and 65535 has no next one: "
            "the manager needs --enroll-listen"
        )


def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        description="Runs what its tui-manager says on this host.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    run = commands.add_parser(
        "run",
        help="dial the manager and work for it until SIGTERM",
        description="Dials the manager and works for it until SIGTERM. An option that is not given "
        "is taken from the variable that its line names.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    run.set_defaults(action="run")
    _add_host_options(run)
    _add_running_options(run)
    _add_policy_option(run)
    policy = commands.add_parser(
        "policy", help="ask what the host's policy says", allow_abbrev=False
    )
    questions = policy.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    check = questions.add_parser(
        "check",
        help="whether a command would be allowed; nothing is run",
        description="Says whether the policy allows a command, by which rule, or why not. Nothing "
        "is run. To be asked as the agent's user.",
        epilog="exit status: 0 allowed; 1 refused; 2 wrong usage, or a policy that cannot be used",
        allow_abbrev=False,
    )
    check.set_defaults(action="policy check")
    policy_options.add_options(check)
    _add_policy_option(check)
    return parser


def _add_policy_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        help="what this host's owner allows; unless said, policy.toml in the user's configuration "
        f"folder {PROGRAM}, for root in /etc/{PROGRAM}, and without one everything "
        f"({_ENVIRONMENT}POLICY)",
    )


def _add_host_options(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--manager",
        metavar="HOST:PORT",
        type=option_values.address,
        help=f"the manager to dial ({_ENVIRONMENT}MANAGER)",
    )
    run.add_argument(
        f"--{_TOKEN_OPTION}",
        metavar="T",
        type=option_values.join_token,
        help="what `tui-manager token create` printed, to enrol this host; needed once. Another "
        f"one than before enrols it again, with the same key ({TOKEN_VARIABLES[0]})",
    )
    run.add_argument(
        f"--{_TOKEN_FILE_OPTION}",
        metavar="FILE",
        type=Path,
        help="a file with the join token, which others cannot read. It is removed once the host "
        "has enrolled, and need not be there after that; what systemd has put into "
        f"$CREDENTIALS_DIRECTORY stays ({TOKEN_VARIABLES[1]})",
    )
    run.add_argument(
        "--name",
        type=option_values.name,
        help="what this host is called at the manager; its hostname unless said "
        f"({_ENVIRONMENT}NAME)",
    )
    run.add_argument(
        "--label",
        metavar="K=V",
        type=option_values.label,
        action="append",
        default=[],
        help="a label of this host; may be given more than once, and adds to those of "
        f"{_ENVIRONMENT}LABELS=K=V,K=V",
    )
    run.add_argument(
        "--insecure",
        action="store_true",
        help="no encryption and no enrolment; for a manager on this machine only",
    )


def _add_running_options(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--state-dir",
        metavar="D",
        type=Path,
        help="where journal and output lie until the manager has them; unless said, a folder "
        f"{PROGRAM} among the user's own state ({_ENVIRONMENT}STATE_DIR)",
    )
    run.add_argument(
        "--capacity",
        metavar="N",
        type=option_values.capacity,
        help="commands that run at once, 1 to 1000; more wait "
        f"(default: {_CAPACITY}; {_ENVIRONMENT}CAPACITY)",
    )
    run.add_argument(
        "--spool-limit",
        metavar="MIB",
        type=option_values.mebibytes,
        help="output of ended commands kept until the manager has it; past it the oldest output is "
        "dropped and shown as a gap, results stay "
        f"(default: {SPOOL_LIMIT >> 20}; {_ENVIRONMENT}SPOOL_LIMIT)",
    )
    run.add_argument(
        "--log-level",
        metavar="|".join(option_values.LOG_LEVELS),
        type=option_values.log_level,
        help=f"what is written to stderr (default: info; {_ENVIRONMENT}LOG_LEVEL)",
    )


def _take_environment(parser: _Parser, chosen: argparse.Namespace) -> None:
    """Fills in what the command line left open; a variable with a wrong value is a wrong usage."""

    def take(name: str, read: Callable[[str], object], fallback: object) -> object:
        variable = _ENVIRONMENT + name
        if not (text := os.environ.get(variable)):
            return fallback
        try:
            return read(text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")

    for option, (read, fallback) in _OPTIONS.items():
        if getattr(chosen, option) is None:
            setattr(chosen, option, take(option.upper(), read, fallback))
    labels = cast("Iterable[tuple[str, str]]", take("LABELS", option_values.labels, ()))
    chosen.label = [*labels, *chosen.label]


def _state_dir(chosen: Path) -> Path:
    if chosen != Path():
        return chosen.absolute()
    from platformdirs import user_state_path  # 1.4 MB, for those who need it

    return user_state_path("tui-manager-agent")
