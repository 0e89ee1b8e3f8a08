"""What begins a session with a host: the command for its login shell, and what is sent first."""

import secrets
from dataclasses import field
from functools import cache
from importlib.resources import files

from tui_manager_protos.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session begins.

    Attributes:
        nonce: lines of `host.sh` begin with it.
        command: for the login shell of the host.
        data: what is sent at first; it may hold a password.
    """

    nonce: str
    command: str
    data: bytes = field(repr=False)


def make_opening(*, become: bool, password: str) -> Opening:
    """The beginning of a session, as the user who logs in or, by sudo, as root.

    The command is quoted so that every login shell, csh and fish too, gives it to `sh` unchanged.
    A shell that gets its script on stdin may read more than that, so another program reads it:
    `dd` byte for byte if something follows at once, else `head`, which is faster.
    """
    nonce = secrets.token_hex(8)
    script = f"nonce={nonce}\n".encode() + _source("host.sh")
    # What stands before the nonce is left over, such as a password that sudo did not need.
    skip = f'while IFS= read -r line; do [ "$line" = {nonce} ] && break; done'
    boot = f"{skip}; {_eval(f'head -c {len(script)}')}"
    rest = f"{nonce}\n".encode() + script
    if not become:
        return Opening(nonce, f"sh -c '{boot}'", rest)
    first = f"nonce={nonce}\nboot='{boot}'\n".encode() + _source("become.sh")
    data = first + f"{password}\n".encode() + rest
    begin = _eval(f"dd bs=1 count={len(first)} 2>/dev/null")
    return Opening(nonce, f"sh -c '{begin}'", data)


def _eval(reading: str) -> str:
    return f'eval "$({reading})"'


@cache
def _source(name: str) -> bytes:
    """A script of this package, without its comments."""
    text = files(__package__).joinpath(name).read_text("utf-8")
    kept = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return "".join(f"{line}\n" for line in kept).encode()
