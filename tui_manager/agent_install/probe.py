"""What a host says before anything is changed there, and whether an agent can run there."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.fingerprint import fingerprint
from tui_manager_protos.rules.identity_proof import signed_bytes

from tui_manager.agent_install.outcomes import HostProblemError
from tui_manager.agent_install.ssh.host_session import Answer, first_value

_KEY = re.compile("[0-9a-f]{64}")
_NUMBER = re.compile("[0-9]{1,18}")
_PLACES = {
    "read_only": "{place} is on a read-only file system, so no agent can be put there.",
    "noexec": "Programs cannot be run in {place}: its file system is mounted with noexec.",
    "no_space": "The disk of {place} is full.",
    "not_writable": "{user} cannot write to {place}{hint}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIdentity:
    """What `tui-manager-agent identity` says.

    Attributes:
        key_sha256: of the host's key.
        manager_id: of the manager that the host belongs to; empty: none.
        host_id: that this manager gave it; empty: none.
        certificate_ends: None: it has no certificate.
    """

    key_sha256: bytes
    manager_id: str
    host_id: str
    certificate_ends: datetime | None

    @property
    def fingerprint(self) -> str:
        """The words for its key."""
        return fingerprint(self.key_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What there is on a host.

    Attributes:
        system, arch: such as `linux` and `x86_64`.
        libc: such as `glibc 2.36`; empty: not known.
        user: as whom the requests are carried out.
        host: what the host calls itself.
        root: the folder of the agent.
        service: what would keep an agent running: `systemd`, `user` (systemd of this user), `loop`.
        other: user and folder of an agent of another user of the machine; empty: none is seen.
        package: `deb` or `rpm` if an agent of a package is there.
        current: the version and build that is installed, `VERSION-BUILD`; empty: none.
        settings: the lines of the agent's settings that `agent_settings` knows.
        active: an agent runs, or is started again when it ends.
        free: kB of the disk; None: not known.
        problems: why an agent cannot be put there, each with the folder.
        manager_id, host_id: in the agent's state folder; empty: it has not enrolled.
        identity: None: there is none yet, or the program that says it does not run.
    """

    system: str
    arch: str
    libc: str
    user: str
    host: str
    root: str
    service: str
    other: str
    package: str
    current: str
    settings: Sequence[str]
    active: bool
    free: int | None
    problems: Sequence[tuple[str, str]]
    manager_id: str
    host_id: str
    identity: HostIdentity | None

    def check(self, *, become: bool) -> None:
        """Raises HostProblemError if no agent can be put there."""
        if self.package:
            raise HostProblemError(
                f"Its agent comes from a {self.package} package: the package manager looks after "
                "it. Remove the package first, or leave it and give the host a join token."
            )
        for problem, place in self.problems:
            is_root = self.user == "root"
            hint = "" if is_root or become else ": log in as another user, or use --become"
            sentence = _PLACES.get(problem, "{place} cannot be used.")
            raise HostProblemError(sentence.format(place=place, user=self.user, hint=hint))

    @property
    def service_words(self) -> str:
        """What would keep an agent running."""
        return {
            "systemd": "a service of systemd",
            "user": f"a service of systemd for the user {self.user}",
        }.get(self.service, "without systemd, kept running by a script")

    @property
    def other_words(self) -> str:
        """Whose the agent of another user is, and where."""
        user, _, folder = self.other.partition(" ")
        return f"of {user} in {folder}"

    @property
    def other_login(self) -> str:
        """What an operator does to reach that one."""
        user = self.other.partition(" ")[0]
        return "use --become or log in as root" if user == "root" else f"log in as {user}"


def read_probe(answer: Answer, challenge: str) -> Probe:
    """What a host has answered.

    Args:
        challenge: that its agent had to sign, in hex.
    """
    problems = [problem.partition(" ") for problem in answer.get("problem", ())]
    free = first_value(answer, "free")
    said = first_value(answer, "identity")
    return Probe(
        system=first_value(answer, "system").lower(),
        arch=first_value(answer, "arch"),
        libc=first_value(answer, "libc"),
        user=first_value(answer, "user"),
        host=first_value(answer, "host"),
        root=first_value(answer, "root"),
        service=first_value(answer, "service"),
        other=first_value(answer, "other"),
        package=first_value(answer, "package"),
        current=first_value(answer, "current"),
        settings=tuple(map(_printable, answer.get("setting", ()))),
        active=first_value(answer, "active") == "yes",
        free=int(free) if _NUMBER.fullmatch(free) else None,
        problems=tuple((problem, place) for problem, _, place in problems),
        manager_id=first_value(answer, "manager_id"),
        host_id=first_value(answer, "host_id"),
        identity=read_identity(said, challenge) if said else None,
    )


def read_identity(text: str, challenge: str) -> HostIdentity:
    """What `tui-manager-agent identity --json` has printed.

    Raises:
        HostProblemError: it is none, or the host has not proven that it has this key.
    """
    wrong = HostProblemError(f"its agent gives no identity: {text[:200]!r}.")
    try:
        shape = json.loads(text)
        key, ends = shape["key_sha256"], shape["certificate_ends"]
        ends_at = datetime.fromisoformat(ends) if ends else None
        if not _KEY.fullmatch(key) or (ends_at and ends_at.tzinfo is None):
            raise wrong
        public, signature = bytes.fromhex(shape["public_key"]), bytes.fromhex(shape["signature"])
        _check_proof(bytes.fromhex(key), public, signature, bytes.fromhex(challenge))
        return HostIdentity(
            key_sha256=bytes.fromhex(key),
            manager_id=str(shape["manager_id"]),
            host_id=str(shape["host_id"]),
            certificate_ends=ends_at,
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise wrong from error


def _check_proof(key_sha256: bytes, public: bytes, signature: bytes, challenge: bytes) -> None:
    """Raises HostProblemError unless the holder of the key has signed the challenge: a host could
    name the key of another one."""
    try:
        key = load_der_public_key(public)
        if hashlib.sha256(public).digest() != key_sha256 or not isinstance(
            key, EllipticCurvePublicKey
        ):
            raise InvalidSignature
        key.verify(signature, signed_bytes(challenge), ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise HostProblemError("it names a key, and cannot prove that it has it.") from error


def _printable(line: str) -> str:
    """A line of a file on a host, which may hold anything, as one that can be sent back."""
    return "".join(letter for letter in line if letter.isprintable()).rstrip()
