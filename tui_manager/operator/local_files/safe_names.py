"""The names that fetched files get on this machine. What a host calls its files may be hostile, or
not possible here."""

import hashlib
import re

NAME_LENGTH = 255  # bytes: what file systems take
_DIGEST_LENGTH = 8  # of the hash that replaces the end of a name that is too long
# Names of devices on Windows, with any extension.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])( *\..*|:.*| *)", re.IGNORECASE)
_DRIVE = re.compile(r"([A-Za-z]):")


def safe_name(part: bytes) -> str:
    """The name for one part of a path of a host, or for the host itself: printable text, and none
    that another system reads as a device, a drive or several parts. What is replaced becomes `%0A`;
    `%` itself stays."""
    text = part.decode(errors="surrogateescape")
    text = "".join(one if _is_plain(one) else _escaped(one) for one in text)
    text = _DRIVE.sub(r"\1%3A", text, count=1) if _DRIVE.match(text) else text
    if _DEVICE.fullmatch(text) or text in ("", ".", ".."):
        text = f"_{text}"
    return _shortened(text)


def numbered(name: str, number: int) -> str:
    """Another name, for a file whose name another file has here: `name~2`."""
    return _shortened(name, f"~{number}")


def _is_plain(character: str) -> bool:
    return character.isprintable() and character not in "\\/"


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogateescape"))


def _shortened(name: str, end: str = "") -> str:
    """The name with this end, cut if it is too long; then it has a hash of the whole name."""
    data = name.encode()
    if len(data) + len(end) <= NAME_LENGTH:
        return name + end
    mark = f"~{hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH]}{end}"
    return data[: NAME_LENGTH - len(mark)].decode(errors="ignore") + mark


def folder_name(host: str) -> str:
    """The name of the folder of a host's files."""
    return safe_name(host.encode(errors="surrogateescape"))
