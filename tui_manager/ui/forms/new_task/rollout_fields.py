"""What is typed about a rollout in the form for a new task, and its errors. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import parse_duration

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.rollout_spec import HOLD_TIMEOUT, HoldRule, Order, RolloutSpec

FIELDS = ("batches", "delay", "max_concurrency", "order", "max_failures", "hold")
_NEEDS_BATCHES = ("delay", "hold")
_STRICT = "strict"
# Two values are typed into one field.
_FIELD_OF = {"strict": "max_failures", "hold_timeout": "hold"}


@dataclass(frozen=True, slots=True)
class RolloutTexts:
    """The texts as they are typed; all empty: all hosts at once."""

    batches: str = ""
    delay: str = ""
    max_concurrency: str = ""
    order: str = ""
    max_failures: str = ""
    hold: str = ""

    def spec(self) -> RolloutSpec:
        """The rollout that is asked for. Raises InvalidInputError with one of FIELDS."""
        max_failures, strict = _parse_failures(self.max_failures)
        hold, hold_timeout = _parse_hold(self.hold)
        spec = RolloutSpec(
            batches=self.batches.strip(),
            order=_parse_order(self.order),
            delay=_duration("delay", self.delay, timedelta(0)),
            max_concurrency=self.max_concurrency.strip(),
            max_failures=max_failures,
            strict=strict,
            hold=hold,
            hold_timeout=hold_timeout,
        )
        try:
            spec.check()
        except InvalidInputError as error:
            field = _FIELD_OF.get(error.field, error.field)
            raise InvalidInputError(field, str(error)) from error
        return spec

    def problems(self) -> Mapping[str, str]:
        """The errors by field. An empty field has none."""
        found: dict[str, str] = {}
        for field in FIELDS:
            if not getattr(self, field).strip():
                continue
            # Each field is checked alone, beside the batches if it needs them.
            others = {}
            if field in _NEEDS_BATCHES:
                others["batches"] = "1" if "batches" in found else self.batches
            try:
                RolloutTexts(**{**others, field: getattr(self, field)}).spec()
            except InvalidInputError as error:
                found[field] = str(error)
        return found

    @property
    def is_valid(self) -> bool:
        """Whether all of it together is a rollout."""
        try:
            self.spec()
        except InvalidInputError:
            return False
        return True

    @property
    def summary(self) -> str:
        """The rollout in a line."""
        if not self.is_valid:
            return "not valid yet"
        return "; ".join(self.spec().texts) or "all hosts at once"


ALL_AT_ONCE = RolloutTexts()


def _parse_failures(text: str) -> tuple[str, bool]:
    """`1`, `10%` or `1 strict`: how many hosts may fail, and whether no more can."""
    words = text.split()
    strict = words[1:] == [_STRICT] or words == [_STRICT]
    if len(words) > 1 and not strict:
        raise InvalidInputError("max_failures", "Hosts that may fail: 1, 10%, or 1 strict.")
    return ("" if words[:1] == [_STRICT] else "".join(words[:1])), strict


def _parse_hold(text: str) -> tuple[HoldRule, timedelta]:
    """`each`, `first`, or `each 6h`: after which batches the task waits, and how long."""
    word, _, limit = text.strip().partition(" ")
    if word in ("", "no") and not limit:
        return HoldRule.NEVER, HOLD_TIMEOUT
    if word not in (HoldRule.EACH, HoldRule.FIRST):
        raise InvalidInputError("hold", "Hold after a batch: each, first, or each 6h.")
    return HoldRule(word), _duration("hold", limit, HOLD_TIMEOUT)


def _parse_order(text: str) -> Order:
    word = text.strip() or Order.NAME
    if word not in tuple(Order):
        raise InvalidInputError("order", "The order of the hosts: name or random.")
    return Order(word)


def _duration(field: str, text: str, default: timedelta) -> timedelta:
    if not text.strip():
        return default
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInputError(field, "A time is like 90s, 5m, 1h30m or 2d.") from error
