"""A hypothesis strategy for any dataclass of the domain, so that no field is forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from tui_manager.domain.task_spec.script_and_stdin import Content, content_of

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    NoneType: st.none(),
    bool: st.booleans(),
    int: st.integers(0, 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Content: st.binary(max_size=20).map(content_of),
    timedelta: st.timedeltas(timedelta(days=-3_000_000), timedelta(days=3_000_000)),
}


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, with all their fields."""
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: made(hint) for name, hint in hints.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    origin, parts = get_origin(kind), [made(part) for part in get_args(kind) if part is not ...]
    if origin is UnionType:
        return st.one_of(parts)
    if origin is Mapping:
        return st.dictionaries(*parts, max_size=3)
    if origin in (tuple, Sequence):
        return st.lists(parts[0], max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(parts[0], max_size=3)
    raise TypeError(f"No strategy for {kind}")
