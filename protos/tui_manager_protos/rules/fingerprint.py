"""The fingerprint of a host's key: words by which people compare a key on the host and a key on the
manager's screen. No other rule uses it, so it has its own file."""

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
_LETTERS = ((_CONSONANTS, 12), (_VOWELS, 10), (_CONSONANTS, 6), (_VOWELS, 4), (_CONSONANTS, 0))
_HASH_BYTES = 6  # of the hash, which the words show


def fingerprint(key_hash: bytes) -> str:
    """The first 48 bits of a key's SHA-256 as three proquints, such as `lusab-babad-gutih`."""
    return "-".join(
        _proquint(int.from_bytes(key_hash[at : at + 2], "big")) for at in range(0, _HASH_BYTES, 2)
    )


def _proquint(number: int) -> str:
    """16 bits as a word of five letters: 4 bits a consonant, 2 bits a vowel, the highest first."""
    return "".join(letters[number >> shift & len(letters) - 1] for letters, shift in _LETTERS)
