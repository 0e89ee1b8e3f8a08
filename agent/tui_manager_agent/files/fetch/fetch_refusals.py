"""Refuses a fetch without saying what is at a path that nobody may read: a file, a folder, a link
or nothing."""

import os

from tui_manager_agent.policy.file_rules import FileRules, show_path
from tui_manager_agent.policy.policy import RefusedError

_LINKS_LIMIT = 40  # as many as the kernel follows


def check_given_path(path: bytes, real: bytes, rules: FileRules, *, is_recursive: bool) -> None:
    """Raises RefusedError for a path of the operator that leads to what may not be read.

    The text depends only on what was asked for, on the policy, and on links that may be read.

    Args:
        real: without links. It is named only if the policy allows the path that leads there.
    """
    known = _known(path, rules)
    for place in (known, real):
        try:
            rules.require_read(place, is_folder=None if is_recursive else False)
        except RefusedError as error:
            raise (error if place == path else refusal_by_link(path, error)) from None


def refusal_by_link(path: bytes, error: RefusedError) -> RefusedError:
    """The refusal of a place, with the path by which it was reached."""
    refusal = str(error).removesuffix(".")
    return RefusedError(error.reason, f"{refusal}. {show_path(path)} leads there.")


def _known(path: bytes, rules: FileRules) -> bytes:
    """A path with those links followed that may be read themselves."""
    pending = path.split(b"/")[::-1]
    known = b""
    links = 0
    while pending:
        part = pending.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            known = os.path.dirname(known)
            continue
        here = known.rstrip(b"/") + b"/" + part
        target = _target(here, rules) if links < _LINKS_LIMIT else b""
        if target:
            links += 1
            known = b"" if target.startswith(b"/") else known
            pending += target.split(b"/")[::-1]
        else:
            known = here
    return known or b"/"


def _target(link: bytes, rules: FileRules) -> bytes:
    """Where a link leads that may be read; empty: it is none, or may not be read."""
    try:
        rules.require_read(link)
        return os.readlink(link)
    except (RefusedError, OSError):
        return b""
