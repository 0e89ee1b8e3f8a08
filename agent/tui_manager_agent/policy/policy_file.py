"""The file with the owner's policy: where it is, whether it can be trusted, what it says.

It is read again when it has changed. If it cannot be read, understood or trusted, nothing is
allowed. It may be read while it is written: then only its first part is there. That part allows no
more than the whole file. A file without a rule is an error, and in TOML the limits that hold for
all rules come before the first rule.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tui_manager_agent.policy import users
from tui_manager_agent.policy.control_characters import may_match_line_break
from tui_manager_agent.policy.file_rules import (
    FileAccess,
    FilePatterns,
    PathPattern,
    TransferRequest,
)
from tui_manager_agent.policy.pattern import Pattern
from tui_manager_agent.policy.policy import (
    Policy,
    RefusedError,
    Request,
    Rule,
    ScriptRule,
    UpdateRequest,
    Verdict,
    parse_limit,
)
from tui_manager_agent.policy.trusted_file import (
    UntrustedFileError,
    configuration_folder,
    read_trusted,
    signature,
)

FILE = "policy.toml"
_WORDS = 500  # characters of the owner's reason
_LIMITS = (
    *("reason", "users", "max_timeout", "environment", "folders"),
    *("allow", "scripts", "files", "update"),
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}[0-9A-Za-z.+]{0,16}")
_LOG = logging.getLogger(__name__)


class PolicyError(Exception):
    """The policy cannot be used; the text is for the host's owner."""


def default_path() -> Path:
    """Where the policy is, unless its owner names another file."""
    return configuration_folder() / FILE


class PolicyFile:
    """The policy as its file says now. Threads may share it."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file that the owner names; None: the default one, if it exists."""
        self.path = path.absolute() if path else default_path()
        self._must_be_there = path is not None
        self._signature: tuple[int, ...] = ()
        self._policy: Policy | None = None
        self._problem = ""
        self._logged = ""
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises PolicyError if it cannot be used. Logs nothing."""
        self._current()

    def read(self) -> bool:
        """Whether there is a policy, which is logged. Raises PolicyError if it cannot be used."""
        policy = self._current()
        self._log_state(logging.INFO, policy)
        return policy is not None

    def warnings(self) -> list[str]:
        """What its owner may have overlooked, a sentence each. Raises PolicyError."""
        policy = self._current()
        return [
            f"warning: [allow.{rule.name}]: {regex.pattern} matches line breaks too. A command "
            "with a line break is refused unless the regex names it: \\n."
            for rule in (policy.rules if policy else ())
            for regex in rule.regexes
            if may_match_line_break(regex)
        ]

    def require_allowed(self, request: Request) -> None:
        """Raises RefusedError if the policy does not allow it."""
        _require(self.judge(request))

    def require_write(self, path: bytes, *, is_folder: bool = False, mode: int = 0) -> None:
        """See FileRules."""
        _require(self.judge_path(path, FileAccess.WRITE, is_folder=is_folder, mode=mode))

    def require_read(self, path: bytes, *, is_folder: bool | None = False) -> None:
        """See FileRules."""
        _require(self.judge_path(path, FileAccess.READ, is_folder=is_folder))

    def update_keys(self, request: UpdateRequest) -> tuple[str, ...] | None:
        """The public keys of which one must have signed an update; None if there is no policy.

        Raises RefusedError if the policy does not allow this update.
        """
        keys: list[tuple[str, ...]] = []

        def judge(policy: Policy) -> Verdict:
            keys.append(policy.update_keys)
            return policy.judge_update(request)

        _require(self._judge(judge))
        return keys[0] if keys else None

    def refuse_bundle(self, problem: str) -> RefusedError:
        """The error for a bundle that none of these keys has signed, in the owner's words."""
        return RefusedError(
            "rejected", self._judge(lambda policy: policy.refuse_bundle(problem)).refusal or problem
        )

    def judge(self, request: Request) -> Verdict:
        """What the policy says now. The paths of a transfer are judged one by one, when they are
        known."""
        own_user = users.own().name
        if isinstance(request, UpdateRequest):
            return self._judge(lambda policy: policy.judge_update(request))
        if isinstance(request, TransferRequest):
            return self._judge(lambda policy: policy.judge_transfer(request, own_user))
        return self._judge(lambda policy: policy.judge(request, own_user))

    def judge_path(
        self, path: bytes, access: FileAccess, *, is_folder: bool | None, mode: int = 0
    ) -> Verdict:
        """What the policy says now of a path without links.

        Args:
            is_folder: None: it may be either.
            mode: that a file is given.
        """
        text = os.fsdecode(path)
        if is_folder and not text.endswith("/"):
            text += "/"
        either = is_folder is None
        return self._judge(
            lambda policy: policy.judge_path(text, access, mode=mode, may_be_folder=either)
        )

    def _judge(self, ask: Callable[[Policy], Verdict]) -> Verdict:
        with self._lock:
            try:
                policy = self._current()
            except PolicyError as error:
                self._log_state(logging.ERROR, f"policy unusable, nothing is allowed: {error}")
                return Verdict(refusal=f"refused by this host's policy (file): {error}")
            self._log_state(logging.INFO, policy)
        return ask(policy) if policy else Verdict()

    def _current(self) -> Policy | None:
        try:
            found = signature(os.stat(self.path))
        except FileNotFoundError:
            if self._must_be_there:
                raise PolicyError(f"There is no policy {self.path}.") from None
            return None
        except OSError as error:
            raise PolicyError(f"{self.path} cannot be read: {error.strerror}.") from error
        self._must_be_there = True  # from now on: editors may remove a file and make it anew
        if found != self._signature:
            self._read()
        if self._problem:
            raise PolicyError(self._problem)
        return self._policy

    def _read(self) -> None:
        self._policy, self._problem = None, ""
        try:
            text, self._signature = read_trusted(self.path)
            self._policy = parse(text)
        except OSError as error:
            self._problem = f"{self.path} cannot be read: {error.strerror}."
        except (UntrustedFileError, PolicyError) as error:
            self._problem = f"{self.path}: {error}"

    def _log_state(self, level: int, what: Policy | str | None) -> None:
        """Logs the state of the policy, once."""
        if what is None:
            what = f"no policy, every command is allowed: file={self.path}"
        elif isinstance(what, Policy):
            scripts = [f"scripts.{rule.name}" for rule in what.scripts]
            files = [f"files.{access}" for access in FileAccess if what.files.of(access)]
            update = ["update"] if what.update_keys else []
            names = ",".join([*(rule.name for rule in what.rules), *scripts, *files, *update])
            what = f"policy: file={self.path} rules={names}"
        if what != self._logged:
            self._logged = what
            _LOG.log(level, "%s", what)


def _require(verdict: Verdict) -> None:
    if verdict.refusal:
        raise RefusedError("rejected", verdict.refusal)


def parse(text: str) -> Policy:
    """The policy in the text of a file. Raises PolicyError."""
    import tomllib

    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{error}.") from error
    for name in fields:
        if name not in _LIMITS:
            raise PolicyError(f"There is no {name!r} in a policy; there are {', '.join(_LIMITS)}.")
    rules, scripts = fields.get("allow", {}), fields.get("scripts", {})
    files = _file_rules(fields["files"]) if "files" in fields else FilePatterns()
    update_keys, at_least = _update_rules(fields["update"]) if "update" in fields else ((), "")
    are_tables = isinstance(rules, dict) and isinstance(scripts, dict)
    if not are_tables or not (rules or scripts or fields.keys() & {"files", "update"}):
        raise PolicyError(
            'It allows no command. Name some: [allow.NAME], and below it commands = ["…"].'
        )
    return Policy(
        rules=tuple(_rule(name, rule) for name, rule in rules.items()),
        scripts=tuple(_script_rule(name, rule) for name, rule in scripts.items()),
        users=frozenset(_texts(fields, "users")) if "users" in fields else None,
        max_timeout=_duration(fields["max_timeout"]) if "max_timeout" in fields else 0,
        variables=tuple(map(Pattern, _texts(fields, "environment"))),
        folders=tuple(map(Pattern, _texts(fields, "folders"))),
        reason=_reason(fields.get("reason", "")),
        files=files,
        update_keys=update_keys,
        update_at_least=at_least,
    )


def _rule(name: str, fields: object) -> Rule:
    where = f"allow.{name}"
    if not isinstance(fields, dict) or not fields.keys() & {"commands", "regex"}:
        raise PolicyError(f"[{where}] must hold commands, or regex, or both.")
    _check_keys(fields, ("commands", "regex", "stdin"), where)
    try:
        regexes = tuple(map(re.compile, _texts(fields, "regex", where)))
    except re.error as error:
        raise PolicyError(f"regex of [{where}] is none: {error}.") from error
    patterns = tuple(map(Pattern, _texts(fields, "commands", where)))
    return Rule(name, patterns, regexes, stdin=_stdin(fields, where))


def _script_rule(name: str, value: object) -> ScriptRule:
    """Its hash alone, or a table with more."""
    where = f"scripts.{name}"
    fields = value if isinstance(value, dict) else {"sha256": value}
    _check_keys(fields, ("sha256", "arguments", "stdin"), where)
    sha256 = fields.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise PolicyError(f"[{where}] must hold the SHA-256 of a script: 64 hex digits.")
    return ScriptRule(
        name,
        sha256.lower(),
        arguments=tuple(map(Pattern, _texts(fields, "arguments", where))),
        stdin=_stdin(fields, where),
    )


def _file_rules(fields: object) -> FilePatterns:
    if not isinstance(fields, dict) or not fields:
        raise PolicyError('[files] must hold lists of paths: read = ["…"], or write, or both.')
    _check_keys(fields, tuple(FileAccess), "files")
    try:
        patterns = {name: tuple(map(PathPattern, _texts(fields, name, "files"))) for name in fields}
    except ValueError as error:
        raise PolicyError(f"A pattern of [files] can match no path: {error}.") from error
    return FilePatterns(**patterns)


def _update_rules(fields: object) -> tuple[tuple[str, ...], str]:
    """The keys that may sign an update, and the oldest version; empty: any."""
    from tui_manager_protos.rules.files import agent_bundle  # for those who need it

    where = "update"
    if not isinstance(fields, dict) or not fields.get("keys"):
        raise PolicyError('[update] must hold public keys: keys = ["ed25519:…"].')
    _check_keys(fields, ("keys", "at_least"), where)
    keys, oldest = _texts(fields, "keys", where), fields.get("at_least", "")
    try:
        for key in keys:
            agent_bundle.parse_key(key)
    except agent_bundle.BundleError as error:
        raise PolicyError(f"keys of [update]: {error}") from error
    if "at_least" in fields and not (isinstance(oldest, str) and _VERSION.fullmatch(oldest)):
        raise PolicyError(f'at_least of [update] must be a version ("0.3.0"), not {oldest!r}.')
    return tuple(keys), str(oldest)


def _check_keys(fields: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for name in fields:
        if name not in known:
            raise PolicyError(f"There is no {name!r} in [{where}]; there are {', '.join(known)}.")


def _stdin(fields: Mapping[str, object], where: str) -> bool:
    value = fields.get("stdin", False)
    if not isinstance(value, bool):
        raise PolicyError(f"stdin of [{where}] must be true or false.")
    return value


def _texts(fields: Mapping[str, object], name: str, where: str = "") -> list[str]:
    value = fields.get(name, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        of = f" of [{where}]" if where else ""
        raise PolicyError(f"{name}{of} must be a list of texts, none of them empty.")
    return texts


def _duration(value: object) -> int:
    """Nanoseconds."""
    try:
        return parse_limit(str(value))
    except ValueError as error:
        raise PolicyError(f"max_timeout: {error}.") from error


def _reason(value: object) -> str:
    if not isinstance(value, str) or len(value) > _WORDS:
        raise PolicyError(f"reason must be a text of at most {_WORDS} characters.")
    return " ".join(value.split())
