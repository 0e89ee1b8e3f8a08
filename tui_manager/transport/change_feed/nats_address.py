"""The setting `change_feed`: how a URL of NATS is written, read, and shown without its password.

Nothing here needs the client for NATS: every command reads the settings.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from urllib.parse import unquote

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import split_address

_DEFAULT_PORT = 4222
_HIDDEN = "***"
_FORM = "expected a URL such as nats://USER:PASSWORD@HOST:PORT,HOST:PORT or tls://HOST:PORT"
_FILES = ("passfile", "sslrootcert", "sslcert", "sslkey")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where the servers of NATS are, and how a manager proves itself to them.

    Attributes:
        servers: hosts and ports; any of them will do.
        tls: whether nothing is sent without TLS.
        user: empty: none is asked for.
        passfile: a file with the password alone.
        sslrootcert: PEM file of the authorities that may sign the certificate of a server; None:
            those of the system.
        sslcert, sslkey: PEM files of the manager's own certificate for NATS; both or none.
    """

    servers: tuple[tuple[str, int], ...]
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    passfile: Path | None = None
    sslrootcert: Path | None = None
    sslcert: Path | None = None
    sslkey: Path | None = None


def check_nats_url(url: object) -> str:
    """The URL itself. Raises ValueError if it is none; the text repeats nothing of it, because it
    may hold a password."""
    if not isinstance(url, str):
        raise ValueError(_FORM)
    nats_address(url)
    return url


def nats_address(url: str) -> NatsAddress:
    """What a URL says. Raises ValueError as `check_nats_url` does."""
    scheme, mark, rest = url.partition("://")
    if scheme not in ("nats", "tls") or not mark:
        raise ValueError(_FORM)
    if not url.isprintable() or " " in url or _BAD_ESCAPE.search(url):
        raise ValueError(f"{_FORM}; write a space as %20 and a percent sign as %25")
    place, _, query = rest.partition("?")
    if "@" in query or "/" in place or place.count("@") > 1:
        raise ValueError(f"{_FORM}; in a name or a password write @ as %40, / as %2F, ? as %3F")
    user, at, hosts = place.rpartition("@")
    name, colon, password = user.partition(":")
    files = _files(query)
    if at and not (name and (colon or "passfile" in files)):
        raise ValueError(f"{_FORM}; a user needs a password, in the URL or with ?passfile=FILE")
    if "passfile" in files and (colon or not at):
        raise ValueError(f"{_FORM}; passfile goes with a user that has no password in the URL")
    if ("sslcert" in files) != ("sslkey" in files):
        raise ValueError("sslcert and sslkey go together")
    return NatsAddress(
        servers=tuple(_server(server) for server in hosts.split(",")),
        tls=scheme == "tls",
        user=unquote(name),
        password=unquote(password),
        **files,
    )


def hide_nats_password(url: str) -> str:
    """A checked URL as it may be shown, with `***` instead of the password; empty stays empty."""
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}{mark}{name}{colon and f':{_HIDDEN}'}{at}{place}"


def _files(query: str) -> dict[str, Path]:
    files = {}
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        path = Path(unquote(value))
        if name not in _FILES or not path.is_absolute():
            raise ValueError(
                f"{_FORM}; after the question mark stand {', '.join(_FILES)}, each with =/FILE"
            )
        files[name] = path
    return files


def _server(server: str) -> tuple[str, int]:
    for text in (server, f"{server}:{_DEFAULT_PORT}"):
        with contextlib.suppress(InvalidInputError):
            host, port = split_address(text)
            if port:
                return host, port
    raise ValueError(_FORM)


@contextlib.contextmanager
def nats_client_needed() -> Iterator[None]:
    """Import `nats_link` within this block. Raises InvalidInputError if nats-py is not installed;
    says what to install."""
    try:
        yield
    except ImportError as error:
        raise InvalidInputError(
            "change_feed",
            f"The client for NATS cannot be loaded ({error}). Install it with: "
            "pip install 'tui-manager[nats]', or leave the setting change_feed out: then managers "
            "tell each other of changes through the database.",
        ) from error
