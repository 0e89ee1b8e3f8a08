"""Dataclasses that cost little to import.

The decorator of the standard library compiles six methods of a frozen class when its module is
imported, which takes about a millisecond, and three of another one. A command of the client, or an
agent, imports dozens of these classes, and makes objects of a few. Here a method is compiled when
it is first called; `dataclasses` still knows the fields, so that `replace`, `fields` and `asdict`
work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

_Class = TypeVar("_Class", bound=type)
_Fields = Sequence["dataclasses.Field[Any]"]
_UNSET = object()  # stands for an argument that is not given and has a default factory


def _dataclass(
    *, slots: bool, frozen: bool = False, eq: bool = True, kw_only: bool = False
) -> Callable[[_Class], _Class]:
    """As `dataclasses.dataclass(slots=True)`, which may be frozen. Each field is an argument of
    `__init__`."""
    if not slots or (frozen and not eq):
        raise TypeError("This decorator makes dataclasses with slots, and frozen ones have __eq__.")
    without_methods = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=kw_only
    )
    compiled = ["__init__", *(["__eq__"] if eq else []), *(["__hash__"] if frozen else [])]
    shared: dict[str, Any] = {"__repr__": _repr, **(_OF_FROZEN if frozen else {})}
    if eq and not frozen:
        shared["__hash__"] = None  # as of every class with `__eq__` alone

    def decorate(cls: _Class) -> _Class:
        cls.__doc__ = cls.__doc__ or cls.__name__  # otherwise `dataclasses` makes it of a signature
        own = vars(cls)
        made: Any = without_methods(cls)
        for name in compiled:
            if own.get(name) is None:
                setattr(made, name, _compiled_later(made, name, _CODE[name]))
        for name, method in shared.items():
            if name not in own:
                setattr(made, name, method)
        return cast("_Class", made)

    return decorate


if TYPE_CHECKING:  # type checkers know this one
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def _compiled_later(cls: type, name: str, code: Callable[[_Fields], str]) -> Callable[..., Any]:
    """A method that compiles itself when it is first called."""

    def method(self: object, *arguments: Any, **named: Any) -> Any:
        compiled = _compile(cls, name, code)
        setattr(cls, name, compiled)
        return compiled(self, *arguments, **named)

    return method


def _compile(cls: type, name: str, code: Callable[[_Fields], str]) -> Callable[..., Any]:
    known = dataclasses.fields(cls)
    names: dict[str, Any] = {"_set": object.__setattr__, "_UNSET": _UNSET}
    for field in known:
        names[f"_default_{field.name}"] = field.default
        names[f"_make_{field.name}"] = field.default_factory
    lines = code(known)
    if name == "__init__" and hasattr(cls, "__post_init__"):
        lines += "    self.__post_init__()\n"
    exec(lines, names)
    method: Callable[..., Any] = names[name]
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _init(known: _Fields) -> str:
    positional = [_parameter(field) for field in known if not field.kw_only]
    named = [_parameter(field) for field in known if field.kw_only]
    parameters = ["self", *positional, *(["*", *named] if named else [])]
    lines = [f"    _set(self, {field.name!r}, {_value(field)})\n" for field in known]
    return "".join((f"def __init__({', '.join(parameters)}):\n", *(lines or ["    pass\n"])))


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=_default_{field.name}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}=_UNSET"
    return field.name


def _value(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is dataclasses.MISSING:
        return field.name
    return f"_make_{field.name}() if {field.name} is _UNSET else {field.name}"


def _eq(known: _Fields) -> str:
    return (
        "def __eq__(self, other):\n"
        "    if other.__class__ is not self.__class__:\n"
        "        return NotImplemented\n"
        f"    return {_compared(known, 'self')} == {_compared(known, 'other')}\n"
    )


def _hash(known: _Fields) -> str:
    return f"def __hash__(self):\n    return hash({_compared(known, 'self')})\n"


def _compared(known: _Fields, of: str) -> str:
    """A tuple of the values that make two objects equal."""
    return f"({''.join(f'{of}.{field.name}, ' for field in known if field.compare)})"


def _repr(self: Any) -> str:
    shown = (field.name for field in dataclasses.fields(self) if field.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _setattr(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: Iterable[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_CODE = {"__init__": _init, "__eq__": _eq, "__hash__": _hash}
_OF_FROZEN = {
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
