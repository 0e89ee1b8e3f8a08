"""Compiles the methods of dataclasses before a process forks, instead of in each fork."""

from collections.abc import Iterator

from tui_manager_protos import lazy_dataclass


def compile_methods() -> None:
    """Compiles the methods of all classes that are imported."""
    for cls in _subclasses(object):
        for name, code in lazy_dataclass._CODE.items():
            method = vars(cls).get(name)
            if getattr(method, "__module__", "") == lazy_dataclass.__name__:
                setattr(cls, name, lazy_dataclass._compile(cls, name, code))


def _subclasses(cls: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(cls)
    for subclass in subclasses:
        yield subclass
        yield from _subclasses(subclass)
