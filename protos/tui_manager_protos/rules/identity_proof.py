"""How a host proves over ssh that it has a key: its agent signs a challenge of the operator. A file
of its own, because no other rule uses it."""

CHALLENGE_MAX = 64  # bytes
_SIGNED = b"tui-manager agent identity 1\n"


def signed_bytes(challenge: bytes) -> bytes:
    """What the signature is made of. A certificate request or a handshake never begins so."""
    return _SIGNED + challenge
