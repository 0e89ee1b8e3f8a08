"""What a host's owner allows, and whether it allows one command.

The file of the policy is read in `policy_file.py`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import field
from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import command_defaults
from tui_manager_protos.rules.duration import format_duration, parse_duration
from tui_manager_protos.rules.version_order import version_key

from tui_manager_agent.policy.control_characters import controls, named_controls
from tui_manager_agent.policy.file_rules import (
    SPECIAL_BITS,
    FileAccess,
    FilePatterns,
    TransferRequest,
    pattern_for,
    show_path,
)
from tui_manager_agent.policy.pattern import Pattern
from tui_manager_agent.supervisor import clock

LONGEST_GRACE = 3600 * clock.SECOND  # the longest that a manager's settings allow
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = timedelta.max.days * 86400  # seconds
_SHOWN = 80  # characters of a name from the manager
_DONE = {FileAccess.READ: "read", FileAccess.WRITE: "written"}


def nanoseconds_of(duration: timedelta) -> int:
    """As the supervisor counts time."""
    return duration // timedelta(microseconds=1) * 1000


class RefusedError(Exception):
    """This agent does not run a command; the text is for the operator.

    Attributes:
        reason: the result's reason.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command that the manager asks for, as far as a policy judges it.

    Attributes:
        command: the whole shell text; empty with a script.
        user: the user who would run it.
        folder: the operator's folder for it; empty: the user's home folder.
        variables: the names of all variables that the operator adds.
        timeout, kill_grace: ns.
        script_sha256: 64 hex digits; empty: it runs the command.
        arguments: of the script.
        has_stdin: it is given something to read from stdin.
    """

    command: str
    user: str
    folder: str = ""
    variables: tuple[str, ...] = ()
    timeout: int = nanoseconds_of(command_defaults.TIMEOUT)
    kill_grace: int = nanoseconds_of(command_defaults.KILL_GRACE)
    script_sha256: str = ""
    arguments: tuple[str, ...] = ()
    has_stdin: bool = False


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """An update of the agent itself, as far as a policy judges it before there is a bundle.

    Attributes:
        version: to which one.
    """

    version: str


Request = CommandRequest | TransferRequest | UpdateRequest


@dataclass(frozen=True, slots=True)
class Rule:
    """Commands that are allowed, under a name.

    Attributes:
        regexes: each must match the whole command.
        stdin: they may be given something to read from stdin.
    """

    name: str
    patterns: tuple[Pattern, ...] = ()
    regexes: tuple["re.Pattern[str]", ...] = ()
    stdin: bool = False

    def allows(self, command: str) -> bool:
        """A line break or another control character is allowed only if the rule names it. Otherwise
        a regex such as `[^;]` would allow one that its owner had not thought of."""
        return any(pattern.matches(command) for pattern in self.patterns) or any(
            regex.fullmatch(command) and controls(command) <= named_controls(regex)
            for regex in self.regexes
        )


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """One script that is allowed, under a name.

    Attributes:
        sha256: 64 hex digits.
        arguments: each of its arguments must match one of these; empty: it may have none.
        stdin: as of a rule.
    """

    name: str
    sha256: str
    arguments: tuple[Pattern, ...] = ()
    stdin: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a command.

    Attributes:
        rule: the rule that allows it; empty if there is no policy.
        refusal: why not, with the name of the limit, as a result's detail has it; empty: it
            is allowed.
    """

    rule: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an owner allows. What is not named is not allowed, except for the timeout.

    Attributes:
        users: commands may run as these; None: as the agent's own user only.
        max_timeout: ns; 0: no limit.
        variables: names of variables that the operator may set.
        folders: where a command may run, beside the home folder.
        reason: the owner's text for those who are refused.
        scripts: by the hash of their bytes.
        files: which may be written and read.
        update_keys: public keys as text; one of them must have signed an update.
        update_at_least: the oldest version to which the agent may be updated; empty: any.
    """

    rules: tuple[Rule, ...]
    users: frozenset[str] | None = None
    max_timeout: int = 0
    variables: tuple[Pattern, ...] = ()
    folders: tuple[Pattern, ...] = ()
    reason: str = ""
    scripts: tuple[ScriptRule, ...] = ()
    files: FilePatterns = field(default_factory=FilePatterns)
    update_keys: tuple[str, ...] = ()
    update_at_least: str = ""

    def judge(self, request: CommandRequest, own_user: str) -> Verdict:
        """Allowed only if a rule names the command or script and it is within every limit."""
        judge = self._judge_script if request.script_sha256 else self._judge_text
        allowed = judge(request)
        return allowed if allowed.refusal else self._judge_limits(request, own_user, allowed)

    def judge_transfer(self, request: TransferRequest, own_user: str) -> Verdict:
        """Allowed if it is within every limit and may write or read any file at all. Each file is
        judged by its path when that is known."""
        access = request.access
        if not self.files.of(access):
            problem = f'no file may be {_DONE[access]}. To allow some: [files] {access} = ["/PATH"]'
            return self._refuse("files", problem)
        owner = request.owner.partition(":")[0]
        if owner and owner not in self._users(own_user):
            return self._refuse("users", f"files may not be given to {owner[:_SHOWN]}")
        if request.mode is not None and request.mode & SPECIAL_BITS:
            return self._refuse_special_bits(f"files with mode {request.mode:04o}")
        refusal = self._refuse_timeout(request.timeout)
        return refusal or Verdict(rule=f"files.{access}")

    def judge_path(
        self, path: str, access: FileAccess, *, mode: int = 0, may_be_folder: bool = False
    ) -> Verdict:
        """Whether a file or folder may be written or read.

        Args:
            path: its real path; that of a folder ends in `/`.
            mode: that a file is given.
            may_be_folder: also if it does not end so.
        """
        shown = show_path(path)
        forms = (path, f"{path.rstrip('/')}/") if may_be_folder else (path,)
        if not any(self.files.allows(access, form) for form in forms):
            patterns = ", ".join(f'"{text}"' for text in dict.fromkeys(map(pattern_for, forms)))
            pattern = f"[files] {access} = [{patterns}]"
            problem = f"{shown} may not be {_DONE[access]}. To allow it: {pattern}"
            return self._refuse("files", problem)
        if mode & SPECIAL_BITS and not path.endswith("/"):
            return self._refuse_special_bits(f"{shown} with mode {mode:04o}")
        return Verdict(rule=f"files.{access}")

    def judge_update(self, request: UpdateRequest) -> Verdict:
        """Allowed if any key may have signed it, which is known only later, and if it is not too
        old."""
        oldest = self.update_at_least
        if oldest and version_key(request.version) < version_key(oldest):
            problem = f"{request.version[:_SHOWN]} is older than at_least, {oldest}"
            return self._refuse("update", problem)
        if self.update_keys:
            return Verdict(rule="update")
        problem = 'no update is allowed. To allow some: [update] keys = ["ed25519:…"]'
        return self._refuse("update", problem)

    def refuse_bundle(self, problem: str) -> Verdict:
        """No key of `update_keys` has signed an update; `problem` is a sentence that says so."""
        return self._refuse(
            "update", f"{problem.rstrip('.')}. To allow it, add the key to [update]"
        )

    def _refuse_special_bits(self, what: str) -> Verdict:
        problem = "it would run with the rights of its owner or group, whoever starts it"
        return self._refuse("files", f"{what} may not be written: {problem}")

    def _judge_text(self, request: CommandRequest) -> Verdict:
        command = request.command.strip(" \n")
        rules = [rule for rule in self.rules if rule.allows(command)]
        if not rules:
            return self._refuse("allow", "no rule allows this command")
        if not request.has_stdin:
            return Verdict(rule=rules[0].name)
        for rule in rules:
            if rule.stdin:
                return Verdict(rule=rule.name)
        return self._refuse_stdin(f"allow.{rules[0].name}")

    def _judge_script(self, request: CommandRequest) -> Verdict:
        sha256 = request.script_sha256
        rules = [rule for rule in self.scripts if rule.sha256 == sha256]
        if not rules:
            problem = f'no rule allows this script. To allow it: [scripts] NAME = "{sha256}"'
            return self._refuse("scripts", problem)
        for argument in request.arguments:
            rules, before = [rule for rule in rules if _any(rule.arguments, argument)], rules
            if not rules:
                shown = repr(argument[:_SHOWN])
                problem = f"[scripts.{before[0].name}] has no pattern in arguments for {shown}"
                return self._refuse("arguments", problem)
        for rule in rules:
            if rule.stdin or not request.has_stdin:
                return Verdict(rule=f"scripts.{rule.name}")
        return self._refuse_stdin(f"scripts.{rules[0].name}")

    def _refuse_stdin(self, rule: str) -> Verdict:
        problem = f"[{rule}] allows nothing to read from stdin. To allow it: stdin = true"
        return self._refuse("stdin", problem)

    def _judge_limits(self, request: CommandRequest, own_user: str, allowed: Verdict) -> Verdict:
        if request.user not in self._users(own_user):
            return self._refuse("users", f"commands may not run as {request.user[:_SHOWN]}")
        if too_long := self._refuse_timeout(request.timeout):
            return too_long
        if self.max_timeout and request.kill_grace > LONGEST_GRACE:
            problem = f"a kill grace of at most {format_limit(LONGEST_GRACE)}"
            return self._refuse("max_timeout", problem)
        for name in request.variables:
            if not (_VARIABLE.fullmatch(name) and _any(self.variables, name)):
                return self._refuse("environment", f"{name[:_SHOWN]} may not be set")
        if request.folder and not _any(self.folders, request.folder):
            return self._refuse("folders", f"not in {request.folder[:_SHOWN]}")
        return allowed

    def _users(self, own_user: str) -> Collection[str]:
        return {own_user} if self.users is None else self.users

    def _refuse_timeout(self, timeout: int) -> Verdict | None:
        """None: it is not too long."""
        if not self.max_timeout or timeout <= self.max_timeout:
            return None
        limit, asked = format_limit(self.max_timeout), format_limit(timeout)
        problem = f"at most {limit}, not {asked}; ask for less with --timeout"
        return self._refuse("max_timeout", problem)

    def _refuse(self, limit: str, problem: str) -> Verdict:
        words = f": {self.reason}" if self.reason else ""
        return Verdict(refusal=f"refused by this host's policy ({limit}): {problem}{words}")


def parse_limit(text: str) -> int:
    """Nanoseconds, more than 0. Raises ValueError."""
    try:
        limit = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a duration: {error}") from None
    if limit <= timedelta(0):
        raise ValueError(f"{text!r} is not more than 0")
    return nanoseconds_of(limit)


def format_limit(nanoseconds: int) -> str:
    """As `parse_limit` reads it. A manager may send more than a timedelta holds."""
    return format_duration(timedelta(seconds=min(nanoseconds / clock.SECOND, _LONGEST)))


def _any(patterns: Iterable[Pattern], text: str) -> bool:
    return any(pattern.matches(text) for pattern in patterns)
