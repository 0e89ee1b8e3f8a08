"""The keys of the hosts' small agents. A process that imports what signs takes a third of a second,
so the process of the test answers for all hosts."""

import json
import socketserver
import threading
from pathlib import Path

from tui_manager_agent.identity import keys
from tui_manager_protos.rules.identity_proof import signed_bytes


def identity_of(state_dir: str, challenge: str) -> str:
    """What `tui-manager-agent identity --json` prints. A key is made if there is none."""
    state = Path(state_dir)
    key = keys.load_or_make(state)
    (state / "key.sha256").write_text(keys.key_hash(key).hex())
    ids = dict(part.split("=") for part in (state / "identity").read_text().split("\0") if part)
    return json.dumps(
        {
            "key_sha256": keys.key_hash(key).hex(),
            "manager_id": ids["manager_id"],
            "host_id": ids["host_id"],
            "certificate_ends": "2999-01-01T00:00:00Z" if ids["host_id"] else "",
            "public_key": keys.public_key(key).hex(),
            "signature": keys.sign(key, signed_bytes(bytes.fromhex(challenge))).hex(),
        }
    )


class _Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        state, challenge = (self.rfile.readline().decode().rstrip("\n") for _ in range(2))
        self.wfile.write(f"{identity_of(state, challenge)}\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128  # hosts that ask at once


class IdentityServer:
    """Answers `state folder` and `challenge`, a line each, on a port of this machine."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Request)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Waits for its end."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
