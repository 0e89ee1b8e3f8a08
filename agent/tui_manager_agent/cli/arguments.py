"""Reads the command line and the variables of the agent into its settings."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.join_token import JoinToken
from tui_manager_protos.rules.manager_address import is_loopback
from tui_manager_protos.rules.names_and_labels import check_label_count

from tui_manager_agent.cli import option_values, policy_check
from tui_manager_agent.cli.identity_report import IdentityQuestion
from tui_manager_agent.cli.options import (
    ENVIRONMENT,
    TOKEN_FILE_OPTION,
    TOKEN_OPTION,
    TOKEN_VARIABLES,
    Parser,
    make_parser,
)
from tui_manager_agent.cli.policy_check import Question
from tui_manager_agent.identity import credentials, token_file
from tui_manager_agent.settings import CAPACITY, SPOOL_LIMIT, Settings

# Each is also a variable. For each: how its text is read, and its default.
_OPTIONS: Mapping[str, tuple[Callable[[str], object], object]] = {
    "manager": (option_values.addresses, ()),
    "join_token": (option_values.join_token, None),
    "join_token_file": (Path, None),
    "name": (option_values.name, ""),
    "state_dir": (Path, Path()),
    "facts": (Path, None),
    "capacity": (option_values.capacity, CAPACITY),
    "spool_limit": (option_values.mebibytes, SPOOL_LIMIT),
    "log_level": (option_values.log_level, "info"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a host's owner asked for.

    Attributes:
        join_token: to enrol with, if that is necessary.
        token_file: the file that it came from; None: it came in another way.
        log_level: the least severe messages that are logged.
    """

    settings: Settings
    join_token: JoinToken | None
    token_file: Path | None
    log_level: str


def parse(arguments: list[str] | None) -> Arguments | Question | IdentityQuestion:
    """Reads the command line, None for the program's own, and the environment.

    Raises SystemExit with status 2 for wrong usage, with 0 when only help was wanted.
    """
    parser = make_parser()
    words = sys.argv[1:] if arguments is None else arguments
    if words[-1:] == ["--"] and words.index("--") == len(words) - 1:
        words = words[:-1]  # argparse would call a last `--` unknown
    chosen = parser.parse_args(words)
    if chosen.action == "identity":
        if chosen.state_dir is None:
            chosen.state_dir = Path(os.environ.get(f"{ENVIRONMENT}STATE_DIR", ""))
        return IdentityQuestion(
            state_dir=_state_dir(chosen.state_dir),
            challenge=chosen.challenge,
            as_json=chosen.json,
        )
    if chosen.policy is None and (policy := os.environ.get(f"{ENVIRONMENT}POLICY")):
        chosen.policy = Path(policy)
    if chosen.action == "policy check":
        return policy_check.question(chosen)
    _apply_environment(parser, chosen)
    if not chosen.manager:
        parser.error("say which manager to dial: --manager HOST:PORT")
    token_path = _read_token_file(parser, chosen)
    state_dir = _state_dir(chosen.state_dir)
    _check_name(parser, chosen, state_dir)
    check = _check_insecure if chosen.insecure else _check_token
    check(parser, chosen, state_dir)
    settings = Settings(
        managers=chosen.manager,
        state_dir=state_dir,
        insecure=chosen.insecure,
        name=chosen.name,
        labels=_labels(parser, chosen),
        capacity=chosen.capacity,
        spool_limit=chosen.spool_limit,
        policy=chosen.policy,
        facts=chosen.facts,
    )
    return Arguments(
        settings=settings,
        join_token=chosen.join_token,
        token_file=token_path,
        log_level=chosen.log_level,
    )


def without_token(command_line: Sequence[str]) -> list[str]:
    """The same command line without a join token, and without the file of one."""
    options = (f"--{TOKEN_OPTION}", f"--{TOKEN_FILE_OPTION}")
    kept, words = [], iter(command_line)
    for word in words:
        if word in options:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept


def _read_token_file(parser: Parser, chosen: argparse.Namespace) -> Path | None:
    """Reads the token from its file, unless it is given. Returns the file if it came from there."""
    path: Path | None = chosen.join_token_file
    if path is None or chosen.join_token is not None:
        return None
    try:
        chosen.join_token = token_file.read(path)
    except ValueError as error:
        parser.error(f"the file of the join token {path}: {error}")
    return path if chosen.join_token is not None else None


def _labels(parser: Parser, chosen: argparse.Namespace) -> dict[str, str]:
    labels = dict(chosen.label)
    try:
        check_label_count(len(labels))
    except ValueError as error:
        parser.error(str(error))
    return labels


def _check_name(parser: Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    try:
        option_values.check_own_name(chosen.name, known=_is_known(state_dir))
    except ValueError as error:
        parser.error(f"{error}; say with --name what this host is called")


def _is_known(state_dir: Path) -> bool:
    """Whether a manager knows this host. Changes nothing."""
    from tui_manager_agent.identity.identity import host_id_in

    return credentials.exist(state_dir) or bool(host_id_in(state_dir))


def _check_insecure(parser: Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    if elsewhere := [one for one in chosen.manager if not is_loopback(one)]:
        parser.error(
            "--insecure is for a manager on this machine (localhost, 127.x.x.x or [::1]), and not "
            f"for {elsewhere[0]}: leave it out and give a --{TOKEN_OPTION}"
        )
    if credentials.exist(state_dir):
        parser.error(
            f"the state folder {state_dir} holds the identity that a manager with TLS gave to "
            "this host: leave out --insecure, or take another --state-dir"
        )
    if chosen.join_token is not None:
        parser.error(
            "--insecure and a join token exclude each other: leave out --insecure to enrol, or "
            f"--{TOKEN_OPTION} ({TOKEN_VARIABLES[0]}) to do without TLS"
        )


def _check_token(parser: Parser, chosen: argparse.Namespace, state_dir: Path) -> None:
    token: JoinToken | None = chosen.join_token
    if token is None and not credentials.exist(state_dir):
        missing = chosen.join_token_file
        problem = f" and there is no file {missing}" if missing else ""
        parser.error(
            f"this host has not enrolled yet{problem}: get a join token with "
            "`tui-manager token create` where the manager runs, and give it with "
            f"--{TOKEN_OPTION}, --{TOKEN_FILE_OPTION} or {TOKEN_VARIABLES[0]} "
            "(a manager on this machine may do without: --insecure)"
        )
    last = [one for one in chosen.manager if one.endswith(":65535")]
    if token is not None and token.port is None and last:
        parser.error(
            f"hosts enrol on the port next to the manager's, and {last[0]} has no next one: "
            "the manager needs --enroll-listen"
        )


def _apply_environment(parser: Parser, chosen: argparse.Namespace) -> None:
    """Takes what the command line leaves open from the variables. A wrong value is wrong usage."""

    def take(name: str, read: Callable[[str], object], fallback: object) -> object:
        variable = ENVIRONMENT + name
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
