"""How often hosts may enrol: from one address, with one key, and all together."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.transport.messages.token_bucket import Rate, TokenBucket, TokenBuckets

# A fleet may enrol from one address with one token. A wrong secret costs as much as ten right ones.
# Nobody can guess 192 bits; these rates protect the manager from load.
OF_AN_ADDRESS = Rate(per_second=10, burst=200)
OF_ALL = Rate(per_second=50, burst=500)
WRONG_SECRET_COST = 10
# Certificates of one host. Each is written into the audit.
OF_A_KEY = Rate(per_second=1 / 60, burst=10)


class EnrollmentRates:
    """Limits how often hosts enrol."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds."""
        self._all = TokenBucket(OF_ALL, monotonic)
        self._addresses = TokenBuckets(OF_AN_ADDRESS, monotonic)
        self._keys = TokenBuckets(OF_A_KEY, monotonic)

    def count_call(self, address: str) -> bool:
        """Counts a call from an `ip:port`. Returns False if it is too much."""
        return self._addresses.of(_network(address)).take() and self._all.take()

    def count_wrong_secret(self, address: str) -> None:
        """Counts a call whose token was wrong."""
        self._addresses.of(_network(address)).drain(WRONG_SECRET_COST)

    def check_key(self, key_hash: bytes) -> None:
        """Raises RefusedError if the host with this key has enrolled too often. Counts nothing."""
        if wait := self._keys.of(key_hash.hex()).wait():
            raise RefusedError(
                Refusal.OVERLOADED, f"This host enrols too often; try again in {wait:.0f} s."
            )

    def count_certificate(self, key_hash: bytes) -> None:
        """Counts a certificate that the host with this key has got."""
        self._keys.of(key_hash.hex()).drain(1)


def _network(address: str) -> str:
    """The network for which an `ip:port` is counted: the address, or for IPv6 its /64."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((ip, 64), strict=False)) if ip.version == 6 else host
