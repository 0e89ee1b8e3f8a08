"""What a host may be called and labelled, by the manager's rules: a slip is said on the host."""

import re

LABELS_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEPT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # of hosts that an older manager let in
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}")


def check_name(name: str, *, known: bool = False) -> None:
    """Raises ValueError unless `name` can be a host's name.

    Args:
        known: the host belongs to a manager, which decides whether it keeps a name that no other
            host may have.
    """
    if not (_KEPT_NAME if known else _NAME).fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is not 1 to 64 of letters, digits, '.', '_', '-', a letter or digit "
            "first"
        )


def check_label(key: str, value: str) -> None:
    """Raises ValueError unless it can be a host's label."""
    if not _LABEL_KEY.fullmatch(key):
        raise ValueError(
            f"{key[:80]!r} is not a label's key: up to 63 of letters, digits and "
            "'.', '_', '/', '-', a letter or digit first"
        )
    if not _LABEL_VALUE.fullmatch(value):
        raise ValueError(
            f"the value of {key} ({value[:80]!r}) may hold up to 128 of letters, digits and "
            "'.', '_', ':', '/', '@', '+', '-'"
        )
