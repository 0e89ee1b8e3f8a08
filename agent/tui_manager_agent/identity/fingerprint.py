"""The words by which people compare a host's key; the manager has the same lines."""

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def fingerprint(key_hash: bytes) -> str:
    """Three proquints of the first 6 bytes of a SHA-256 of a key: `lusab-babad-gutih`."""
    return "-".join(_proquint(key_hash[n] << 8 | key_hash[n + 1]) for n in (0, 2, 4))


def _proquint(number: int) -> str:
    consonants = (_CONSONANTS[number >> shift & 15] for shift in (12, 6, 0))
    vowels = (_VOWELS[number >> shift & 3] for shift in (10, 4))
    first, second, third = consonants
    return f"{first}{next(vowels)}{second}{next(vowels)}{third}"
