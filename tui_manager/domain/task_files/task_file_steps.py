"""Reads the steps of a task file, and the options of its steps and of the task."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.toml_table import Table
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet
from tui_manager.domain.task_spec.script_and_stdin import CONTENTS_LENGTH, Content, content_of
from tui_manager.domain.task_spec.step_and_task_options import (
    COPY_OPTIONS,
    LIMIT_OPTIONS,
    STEP_OPTIONS,
    TaskOption,
    with_step_options,
)
from tui_manager.domain.task_spec.task_spec import (
    COMMANDS_MAX,
    NAME_LENGTH,
    CommandSpec,
    OnFailure,
)
from tui_manager.domain.task_spec.text_and_variables import check_variable

_RULES = ("on_failure", "always", "barrier")
_COMMAND_KEYS = (
    "name", "run", "script", "script_text", "args", "stdin", "stdin_text", *STEP_OPTIONS, "env",
    *LIMIT_OPTIONS, *_RULES,
)  # fmt: skip
_COPY_KEYS = (
    "name", "copy", "to", *COPY_OPTIONS, "recursive", "stored", "timeout", *_RULES,
)  # fmt: skip
_FETCH_KEYS = ("name", "fetch", "to", "recursive", "timeout", *_RULES)
STEP_KEYS = tuple(dict.fromkeys((*_COMMAND_KEYS, *_COPY_KEYS, *_FETCH_KEYS)))
STORED_KEYS = ("sha256", "manifest_size", "size", "files", "bytes")
NO_UPDATE = (
    "An update of agents is no part of a task file, a template or a schedule: `tui-manager agent "
    "update` makes its task, which can be run again."
)
_KINDS = ("run", "script", "script_text", "copy", "fetch")

ReadContent = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """What a copy names on the machine of the operator, before it is stored.

    Attributes:
        paths: as typed.
        recursive: folders too, with what is in them.
    """

    paths: tuple[str, ...]
    recursive: bool = False


class ReadFiles(Protocol):
    """Reads the files that a copy names."""

    def __call__(self, paths: Sequence[str], *, recursive: bool) -> tuple[FileSet, Sequence[str]]:
        """The set that they make, and their names, to be shown. Raises InvalidInputError."""
        ...


def read_options(table: Table, options: Mapping[str, TaskOption]) -> dict[str, Any]:
    """The values of those options that the table has."""
    values: dict[str, Any] = {}
    for key, option in options.items():
        if key not in table:
            continue
        if option.read is None:
            values[key] = table.flag(key)
            continue
        typed = table.plain(key)
        assert typed is not None
        try:
            values[key] = option.read(typed)
        except ValueError as error:
            raise table.error(key, f"{typed[:80]!r}: {error}.") from None
    return values


class StepReader:
    """Reads the steps of a task file, whose top holds defaults for all."""

    def __init__(
        self,
        top: Table,
        read_content: ReadContent | None,
        read_files: ReadFiles | None,
        parameters: frozenset[str],
    ) -> None:
        self._top = top
        self._read_content = read_content
        self._read_files = read_files
        self._parameters = parameters
        self._size = 0  # bytes of all contents so far
        self._defaults = read_options(top, STEP_OPTIONS) | read_options(top, LIMIT_OPTIONS)
        self._environment = top.variables("env")
        self._check_environment(top)

    def read(self) -> tuple[CommandSpec, ...]:
        """All steps."""
        tables = self._top.tables("steps")
        if not tables:
            raise self._top.error("steps", 'a task file needs a step: [[steps]] with run = "…".')
        if len(tables) > COMMANDS_MAX:
            raise self._top.error("steps", f"a task file has at most {COMMANDS_MAX} steps.")
        return tuple(self._step(table) for table in tables)

    def _step(self, table: Table) -> CommandSpec:
        kind = _kind(table)
        if kind in ("copy", "fetch"):
            return self._transfer_step(table, kind)
        table.check_keys(_COMMAND_KEYS, "a step")
        self._check_environment(table)
        values = read_options(table, STEP_OPTIONS) | read_options(table, LIMIT_OPTIONS)
        if "args" in table and kind == "run":
            raise table.error("args", "a step with run has no args; they belong to a script.")
        step = CommandSpec(
            text=table.text("run") or "",
            environment=self._environment | table.variables("env"),
            name=_name(table),
            script=self._content(table, "script"),
            arguments=table.texts("args"),
            stdin=self._content(table, "stdin"),
            on_failure=_on_failure(table),
            always=table.flag("always") or False,
            barrier=table.flag("barrier") or False,
        )
        return self._checked(table, kind, with_step_options(step, self._defaults | values))

    def _transfer_step(self, table: Table, kind: str) -> CommandSpec:
        """A copy or a fetch, whose paths are literal."""
        table.check_keys(_COPY_KEYS if kind == "copy" else _FETCH_KEYS, f"a step with {kind}")
        step = CommandSpec(
            text="",
            name=table.text("name") or "",
            on_failure=_on_failure(table),
            always=table.flag("always") or False,
            barrier=table.flag("barrier") or False,
            copy=self._copy(table) if kind == "copy" else None,
            fetch=_fetch(table) if kind == "fetch" else None,
        )
        values = self._defaults | read_options(table, {"timeout": STEP_OPTIONS["timeout"]})
        return self._checked(table, kind, with_step_options(step, values))

    def _copy(self, table: Table) -> CopySpec:
        to = table.text("to")
        if to is None:
            raise table.error("", 'a step with copy needs a path on the hosts: to = "/…".')
        table.text("mode")  # a number would be read as decimal
        values = read_options(table, COPY_OPTIONS)
        files, sources = self._files(table)
        return CopySpec(files, to, sources=tuple(sources), **values)

    def _files(self, table: Table) -> tuple[FileSet, Sequence[str]]:
        """What a step copies, and the names of that."""
        paths, stored = table.text_or_texts("copy"), table.table("stored")
        if stored is not None:
            stored.check_keys(STORED_KEYS, "stored")
            numbers = (stored.number(key) for key in STORED_KEYS[1:])
            return FileSet(stored.text("sha256") or "", *numbers), paths
        if not paths or "" in paths:
            raise table.error("copy", "it names no file.")
        if self._read_files is None:
            raise table.error("copy", "no file can be read here; the text must say what is stored.")
        try:
            return self._read_files(paths, recursive=table.flag("recursive") or False)
        except InvalidInputError as error:
            raise table.error("copy", str(error)) from None

    def _checked(self, table: Table, kind: str, step: CommandSpec) -> CommandSpec:
        try:
            step.check()
        except InvalidInputError as error:
            raise self._step_error(table, kind, error) from None
        return step

    def _step_error(self, table: Table, kind: str, error: InvalidInputError) -> InvalidInputError:
        """The error of a check, at the key that it is about: of the step, or of the top."""
        key = error.field.replace("-", "_")
        of_kind = dict.fromkeys(("command", "script", "files", "paths"), kind)
        key = {**of_kind, "arguments": "args"}.get(key, key)
        if key == "stdin" and "stdin_text" in table:
            key = "stdin_text"
        if key not in table and key in self._top and key in (*STEP_OPTIONS, *LIMIT_OPTIONS):
            return self._top.error(key, str(error))
        return table.error(key if key in table else "", str(error))

    def _check_environment(self, table: Table) -> None:
        for name, value in table.variables("env").items():
            env = table.table("env")
            assert env is not None
            try:
                check_variable("env", name, value)
            except InvalidInputError as error:
                raise env.error(name, str(error)) from None
            if name in self._parameters:
                raise env.error(name, "it is a parameter too; take another name for one of them.")

    def _content(self, table: Table, key: str) -> Content | None:
        """The bytes of `script` or `stdin`, or of `script_text` or `stdin_text`."""
        text_key = f"{key}_text"
        if key in table and text_key in table:
            raise table.error(text_key, f"the step has {key} too; leave one of them out.")
        if (text := table.text(text_key)) is not None:
            return self._counted(table, text_key, text.encode())
        if (path := table.text(key)) is None:
            return None
        if self._read_content is None:
            raise table.error(
                key, f"no file can be read here; put what is in it into the text: {text_key}."
            )
        try:
            data = self._read_content(path)
        except OSError as error:
            raise table.error(key, f"{path}: {error.strerror or error}.") from None
        except ValueError:  # of a path with a NUL
            raise table.error(key, f"{path!r} is not the path of a file.") from None
        except InvalidInputError as error:
            raise table.error(key, f"{path}: {error}") from None
        return self._counted(table, key, data)

    def _counted(self, table: Table, key: str, data: bytes) -> Content:
        self._size += len(data)
        if self._size > CONTENTS_LENGTH:
            raise table.error(
                key,
                f"the scripts and inputs up to here have more than {CONTENTS_LENGTH} bytes, and "
                "no task may have more.",
            )
        return content_of(data)


def _name(table: Table) -> str:
    """The name of the step; if it has none, that of the file of its script."""
    path = table.text("script") or ""
    return table.text("name") or PurePath(path).name[:NAME_LENGTH]


def _kind(table: Table) -> str:
    """What the step does: the one key of _KINDS that it has."""
    kinds = [key for key in _KINDS if key in table]
    if len(kinds) > 1:
        raise table.error(kinds[1], f"the step has {kinds[0]} too; make two steps of it.")
    if not kinds and "update" in table:
        raise table.error("update", f"{NO_UPDATE[0].lower()}{NO_UPDATE[1:]}")
    if not kinds:
        close = [
            get_close_matches(key, _KINDS, n=1) for key in table.values if key not in STEP_KEYS
        ]
        hint = next((f" (did you mean {words[0]}?)" for words in close if words), "")
        raise table.error("", f'a step needs run = "…", script = "FILE", copy or fetch{hint}.')
    return kinds[0]


def _fetch(table: Table) -> FetchSpec:
    return FetchSpec(
        table.text_or_texts("fetch"),
        recursive=table.flag("recursive") or False,
        to=table.text("to") or "",
    )


def _on_failure(table: Table) -> OnFailure:
    word = table.text("on_failure")
    if word is None:
        return OnFailure.STOP
    if word not in tuple(OnFailure):
        raise table.error("on_failure", f"{word[:80]!r}: expected {' or '.join(OnFailure)}.")
    return OnFailure(word)
