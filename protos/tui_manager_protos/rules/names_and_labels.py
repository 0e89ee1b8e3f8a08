"""Which names and labels a host may have. The agent checks them before it sends them, so that its
user reads the error on the host; the manager checks them again. Templates and schedules have the
same names."""

import re
from collections.abc import Mapping

LABELS_LIMIT = 64  # labels of one host
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OLD_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # an older manager admitted hosts with these
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}")
_SHOWN = 80  # characters of a wrong value in an error


def is_name(text: str) -> bool:
    """Whether a new host, a template or a schedule may have this name."""
    return bool(_NAME.fullmatch(text))


def check_host_name(name: str, *, admitted: bool = False) -> None:
    """Raises ValueError if a host cannot have this name.

    Args:
        admitted: the host is known to a manager already. It may keep a name that an older manager
            admitted and that no new host may have.
    """
    if not (_OLD_NAME if admitted else _NAME).fullmatch(name):
        raise ValueError(
            f"{name[:_SHOWN]!r} is not a host's name: 1 to 64 letters, digits, '.', '_' and '-', "
            "of which the first is a letter or a digit"
        )


def is_label_key(key: str) -> bool:
    """Whether a label may have this key."""
    return bool(_LABEL_KEY.fullmatch(key))


def check_label(key: str, value: str) -> None:
    """Raises ValueError if a host cannot have this label."""
    if not is_label_key(key):
        raise ValueError(
            f"{key[:_SHOWN]!r} is not a label's key: 1 to 63 letters, digits, '.', '_', '/' "
            "and '-', of which the first is a letter or a digit"
        )
    if not _LABEL_VALUE.fullmatch(value):
        raise ValueError(
            f"{value[:_SHOWN]!r} is not a value for the label {key}: up to 128 letters, digits, "
            "'.', '_', ':', '/', '@', '+' and '-'"
        )


def check_label_count(count: int) -> None:
    """Raises ValueError if a host cannot have so many labels."""
    if count > LABELS_LIMIT:
        raise ValueError(f"a host has at most {LABELS_LIMIT} labels, not {count:,}")


def check_labels(labels: Mapping[str, str]) -> None:
    """Raises ValueError if a host cannot have all of these labels."""
    check_label_count(len(labels))
    for key, value in labels.items():
        check_label(key, value)
