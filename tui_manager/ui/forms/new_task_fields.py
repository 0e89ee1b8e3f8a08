"""The fields of the form for a new task, and their errors. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec import (
    DELIVERY_TIMEOUT,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
    check_delivery_timeout,
)
from tui_manager.ui.forms.rollout_texts import ALL_AT_ONCE, RolloutTexts


@dataclass(frozen=True, slots=True)
class FormFields:
    """The texts as they are typed."""

    target: str = ""
    command: str = ""
    name: str = ""
    timeout: str = ""
    offline: str = ""
    rollout: RolloutTexts = ALL_AT_ONCE

    def spec(self) -> TaskSpec:
        """The task that is asked for. Raises InvalidInputError with the field."""
        command = CommandSpec(self.command.strip("\n"), parse_timeout(self.timeout))
        offline, within = parse_offline(self.offline)
        spec = TaskSpec(
            self.target.strip(),
            (command,),
            self.name.strip(),
            offline=offline,
            delivery_timeout=within,
            rollout=self.rollout.spec(),
        )
        spec.check()
        return spec

    def problems(self) -> Mapping[str, str]:
        """The errors by field, without those of the rollout. An empty field has none yet."""
        found: dict[str, str] = {}
        example = FormFields("@all", "true")
        # Each field is checked alone, with valid values in place of the others.
        for field, text in (
            ("command", self.command),
            ("name", self.name),
            ("timeout", self.timeout),
            ("offline", self.offline),
        ):
            if not text.strip():
                continue
            changed: dict[str, Any] = {field: text}
            try:
                replace(example, **changed).spec()
            except InvalidInputError as error:
                found[field] = str(error)
        return found


def parse_timeout(text: str) -> timedelta:
    """The duration that is typed; empty for the default of one hour.

    Raises InvalidInputError("timeout") when it is something else.
    """
    if not text.strip():
        return TIMEOUT_DEFAULT
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError("timeout", "A timeout is like 90s, 5m, 1h30m or 2d.") from error


def parse_offline(text: str) -> tuple[Offline, timedelta]:
    """`fail`, `wait`, or `wait 6h`: what the task does on offline hosts, and how long it waits.

    Raises InvalidInputError("offline") when it is something else.
    """
    word, _, within = text.strip().partition(" ")
    if word in ("", Offline.FAIL) and not within:
        return Offline.FAIL, DELIVERY_TIMEOUT
    if word != Offline.WAIT:
        raise InvalidInputError("offline", "For hosts that are offline: fail, wait, or wait 6h.")
    try:
        limit = parse_timeout(within) if within.strip() else DELIVERY_TIMEOUT
        check_delivery_timeout(limit)
    except InvalidInputError as error:
        raise InvalidInputError("offline", "Waiting takes from 1 s to 30 d, like 6h.") from error
    return Offline.WAIT, limit


def marked_target(names: Iterable[str]) -> str:
    """A target that names hosts one by one."""
    return ",".join(sorted(names))
