"""Which of two versions is newer. A file of its own: the manager orders agents by it, and a host's
policy compares an update with it."""

import re
from functools import lru_cache

_VERSION = re.compile(r"(\d{1,9}(?:\.\d{1,9}){0,5})(.*)", re.DOTALL)


@lru_cache(maxsize=256)  # a fleet has few versions
def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Orders versions: 0.9 before 0.10, 1.0rc1 before 1.0. What is no version comes first."""
    match = _VERSION.match(version)
    if match is None:
        return (), False, version
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), not match[2], match[2]
