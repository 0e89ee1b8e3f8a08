"""Reads the value of an option or a variable from its text.

A wrong text raises ArgumentTypeError with a sentence for the person who typed it.
"""

import argparse
import socket

from tui_manager_protos.rules.identity_proof import CHALLENGE_MAX
from tui_manager_protos.rules.join_token import JoinToken
from tui_manager_protos.rules.manager_address import ADDRESSES_MAX
from tui_manager_protos.rules.names_and_labels import check_host_name, check_label

LOG_LEVELS = ("debug", "info", "warning", "error")


def addresses(text: str) -> tuple[str, ...]:
    """One or more, with commas between them; each once."""
    found = tuple(dict.fromkeys(map(_address, text.split(","))))
    if len(found) > ADDRESSES_MAX:
        raise argparse.ArgumentTypeError(f"{len(found)} addresses are more than {ADDRESSES_MAX}")
    return found


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not host or not colon or not digits or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


def name(text: str) -> str:
    """Empty: its hostname. `check_own_name` says how it must begin."""
    try:
        if text:
            check_host_name(text, admitted=True)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def check_own_name(name: str, *, known: bool) -> None:
    """Raises ValueError unless this host can be called so.

    Args:
        name: empty: its hostname.
        known: the host belongs to a manager already.
    """
    check_host_name(name or socket.gethostname(), admitted=known)


def join_token(text: str) -> JoinToken | None:
    try:
        return JoinToken.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not K=V")
    try:
        check_label(key, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return key, value


def labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(label(part) for part in text.split(",") if part)


def challenge(text: str) -> bytes:
    """What is to be signed."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not hex") from error
    if not 0 < len(data) <= CHALLENGE_MAX:
        raise argparse.ArgumentTypeError(f"a challenge has from 1 to {CHALLENGE_MAX} bytes")
    return data


def log_level(text: str) -> str:
    if text not in LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(LOG_LEVELS)}")
    return text


def capacity(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def mebibytes(text: str) -> int:
    """Bytes."""
    if not text.isdigit() or not 0 < int(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of MiB from 1 to {1 << 20}")
    return int(text) << 20
