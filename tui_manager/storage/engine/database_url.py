"""The URL of a PostgreSQL database as an operator writes it: what is allowed, how it is shown, and
what is said if the client for PostgreSQL is missing.

Nothing here needs that client: every command reads the settings.
"""

import contextlib
import re
from collections.abc import Iterator
from urllib.parse import unquote

from tui_manager.domain.errors import InvalidInputError

SCHEMES = ("postgresql://", "postgres://")
HIDDEN = "***"
_FORM = "expected a URL such as postgresql://USER@HOST/DATABASE"
_SECRET = (
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


def check_url(url: object) -> str:
    """The URL itself. Raises ValueError if it is none; the text repeats nothing of it, because it
    may hold a password."""
    if not isinstance(url, str) or not url.startswith(SCHEMES):
        raise ValueError(_FORM)
    if not url.isprintable() or " " in url or _BAD_ESCAPE.search(url):
        raise ValueError(f"{_FORM}; write a space as %20 and a percent sign as %25")
    _, _, rest = url.partition("://")
    if "?" in rest.rpartition("@")[0]:
        raise ValueError(f"{_FORM}; in a name or a password write ? as %3F, elsewhere @ as %40")
    if "@" in rest.partition("@")[2] or ("@" in rest and "/" in rest.partition("@")[0]):
        raise ValueError(f"{_FORM}; in a name or a password write @ as %40 and / as %2F")
    return url


def hide_password(url: str) -> str:
    """A checked URL as it may be shown, with `***` instead of each password; empty stays empty."""
    if not url:
        return ""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    place, mark, query = place.partition("?")
    parameters = "&".join(map(_hide_parameter, query.split("&")))
    return f"{scheme}://{name}{colon and f':{HIDDEN}'}{at}{place}{mark}{parameters}"


def _hide_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={HIDDEN}" if equals and unquote(name) in _SECRET else parameter


@contextlib.contextmanager
def client_needed() -> Iterator[None]:
    """Import the room of PostgreSQL within this block. Raises InvalidInputError if its client is
    not installed; says what to install."""
    try:
        yield
    except ImportError as error:
        raise InvalidInputError(
            "database",
            f"The client for PostgreSQL cannot be loaded ({error}). Install it with: "
            "pip install 'tui-manager[postgresql]'",
        ) from error
