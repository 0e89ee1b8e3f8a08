"""Thousands of connections need thousands of descriptors: more than a login usually gets."""

import resource

SPARE = 200  # descriptors that a process needs beside its connections


class TooFewFilesError(Exception):
    """This machine does not allow as many open files as there are connections."""


def allow_connections(count: int) -> None:
    """Lets this process, and what it starts, hold `count` connections. Raises TooFewFilesError."""
    needed = count + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _suffices(soft, needed):
        return
    try:
        most = hard if _suffices(hard, needed) else needed
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    except (ValueError, OSError) as error:
        raise TooFewFilesError(
            f"{count} connections need {needed} open files in one process, and this machine allows "
            f"{hard}. Raise it (`ulimit -Hn {needed}` as root, or LimitNOFILE of the service), or "
            "ask for fewer agents."
        ) from error


def _suffices(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
