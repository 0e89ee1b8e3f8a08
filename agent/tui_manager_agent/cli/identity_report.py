"""`tui-manager-agent identity`: by which key and ids managers know this host.

The program that installs agents over ssh reads it before the agent starts, so that the manager
admits exactly this key.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.rules.identity_proof import signed_bytes

from tui_manager_agent import installation

_PRINTED, _UNUSABLE = 0, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityQuestion:
    """What the host's owner asks.

    Attributes:
        state_dir: made if it is missing, and a key in it.
        challenge: is signed, to prove that the key is here; empty: nothing is.
    """

    state_dir: Path
    challenge: bytes
    as_json: bool


def print_identity(question: IdentityQuestion) -> int:
    """Prints it, and returns the exit status."""
    from tui_manager_agent.identity.credentials import DamagedError
    from tui_manager_agent.identity.identity import StateError
    from tui_manager_agent.identity.keys import KeyProblemError

    try:
        shape = _read(question.state_dir, question.challenge)
    except (StateError, DamagedError, KeyProblemError) as error:
        return _fail(str(error))
    except OSError as error:
        problem = error.strerror or error
        return _fail(f"The state folder {question.state_dir} cannot be used: {problem}.")
    import json  # here, because a running agent does not need it

    sys.stdout.write(f"{json.dumps(shape)}\n" if question.as_json else _text(shape))
    return _PRINTED


def _read(state_dir: Path, challenge: bytes) -> dict[str, str]:
    """Raises StateError, DamagedError, KeyProblemError, OSError."""
    from tui_manager_agent.identity import credentials, keys
    from tui_manager_agent.identity.identity import read_or_make_ids

    ids = read_or_make_ids(state_dir)
    key = keys.load_or_make(credentials.folder_in(state_dir))
    key_hash = keys.key_hash(key)
    held = credentials.load(state_dir)
    ours = installation.find()
    ends = datetime.fromtimestamp(held.ends, UTC).isoformat() if held else ""
    proof = {
        "public_key": keys.public_key(key).hex(),
        "signature": keys.sign(key, signed_bytes(challenge)).hex(),
    }
    return {
        "key_sha256": key_hash.hex(),
        "fingerprint": fingerprint(key_hash),
        "manager_id": ids.manager_id or (held.manager_id if held else ""),
        "host_id": ids.host_id or (held.host_id if held else ""),
        "journal_id": ids.journal_id,
        "certificate_ends": ends.replace("+00:00", "Z"),
        "version": ours.version,
        "build": ours.build,
        **(proof if challenge else {}),
    }


def _text(shape: dict[str, str]) -> str:
    rows = (
        ("known by", shape["fingerprint"]),
        ("key", f"sha256 {shape['key_sha256']}"),
        ("manager", shape["manager_id"] or "none yet"),
        ("host", shape["host_id"] or "none yet"),
        (
            "certificate",
            f"ends {shape['certificate_ends']}" if shape["certificate_ends"] else "none",
        ),
        ("journal", shape["journal_id"]),
        ("agent", installation.with_build(shape["version"], shape["build"])),
    )
    return "".join(f"{name:<13}{value}\n" for name, value in rows)


def _fail(message: str) -> int:
    sys.stderr.write(f"tui-manager-agent: {message}\n")
    return _UNUSABLE
