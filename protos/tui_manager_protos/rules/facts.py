"""Which facts a host may have. The agent keeps to these rules; the manager checks them again. A
file of its own, because no other rule uses it."""

from tui_manager_protos.rules.names_and_labels import is_label_key

FACTS_LIMIT = 200  # facts of one host
VALUE_LIMIT = 255  # bytes of a value in UTF-8
CUT = "…"  # at the end of a value that was longer


def is_fact_name(name: str) -> bool:
    """Whether a fact may have this name: it is like the key of a label."""
    return is_label_key(name)


def cut_value(text: str) -> str:
    """`text`, or as much of its beginning as a fact may hold, with a mark. NUL is replaced: C ends
    a text there."""
    text = text.replace("\0", "\ufffd")
    encoded = text.encode(errors="replace")
    if len(encoded) <= VALUE_LIMIT:
        return encoded.decode()
    return encoded[: VALUE_LIMIT - len(CUT.encode())].decode(errors="ignore") + CUT
