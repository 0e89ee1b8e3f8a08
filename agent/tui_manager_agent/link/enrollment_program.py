"""Requests this host's first certificate. It is a child program, so that the agent stays small.

    python -P -m tui_manager_agent.link.enrollment_program

reads one record from stdin: `address` of the manager, `port` of enrolment, `pin`, `folder` of the
credentials, and `request`, an EnrollRequest in hex that lacks the certificate request. It writes
one record to stdout: the fields of credentials, or `ending` and `detail`, which say why there are
none. The secret comes in through the pipe only, and is sent only to
the holder of the key that the token names.
"""

import base64
import hmac
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tui_manager_protos.v1 import enrollment_pb2 as wire
from tui_manager_protos.v1.agent_pb2 import Admission
from tui_manager_protos.v1.enrollment_pb2_grpc import EnrollmentServiceStub

from tui_manager_agent.identity import certificates, keys
from tui_manager_agent.identity.child_process import answer_agent
from tui_manager_agent.link.stream_endings import Ending

SERVER_NAME = "enroll.tui-manager.internal"
CONNECT_WITHIN = 10.0  # seconds
ANSWER_WITHIN = 30.0  # seconds
_ENDINGS = {
    grpc.StatusCode.UNAUTHENTICATED: Ending.BAD_TOKEN,
    grpc.StatusCode.INVALID_ARGUMENT: Ending.INVALID_HELLO,
    grpc.StatusCode.PERMISSION_DENIED: Ending.KEY_REFUSED,
    grpc.StatusCode.ABORTED: Ending.DUPLICATE_IDENTITY,
    grpc.StatusCode.FAILED_PRECONDITION: Ending.PROTOCOL_VERSION,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Ending.OVERLOADED,
    grpc.StatusCode.UNAVAILABLE: Ending.UNREACHABLE,
}


class NotEnrolledError(Exception):
    """The text is for the host's owner."""

    def __init__(self, ending: Ending, detail: str = "") -> None:
        super().__init__(detail)
        self.ending = ending


def enroll(order: dict[str, str]) -> dict[str, str]:
    """The fields of credentials, and `name`, `admission`.

    Raises NotEnrolledError; OSError and KeyProblemError when the folder cannot be used.
    """
    key = keys.load_or_make(Path(order["folder"]))
    host = order["address"].rpartition(":")[0]
    server = pinned_certificate(host.strip("[]"), int(order["port"]), order["pin"])
    request = wire.EnrollRequest.FromString(bytes.fromhex(order["request"]))
    request.csr_der = certificates.request(key)
    response = _call(f"{host}:{order['port']}", server, request)
    issued = response.certificate
    try:
        fields = certificates.accept(
            key, response.host_id, issued.certificates_der, issued.authorities_der
        )
    except keys.KeyProblemError as error:
        raise NotEnrolledError(Ending.ENROLMENT_FAILED, str(error)) from error
    return {
        **fields,
        "manager_id": response.manager_id,
        "host_id": response.host_id,
        "server_name": issued.server_name,
        "name": response.name,
        "admission": Admission.Name(response.admission).removeprefix("ADMISSION_").lower(),
    }


def pinned_certificate(host: str, port: int, pin: str) -> x509.Certificate:
    """The certificate of the server there, if its key is the pinned one. Sends nothing.

    Raises NotEnrolledError.
    """
    leaf = _leaf(host, port)
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        seen = base64.urlsafe_b64encode(keys.key_hash(certificate)).rstrip(b"=").decode()
    except certificates.UNREADABLE:  # no manager's
        seen = ""
    if not hmac.compare_digest(seen, pin):
        raise NotEnrolledError(
            Ending.WRONG_PIN,
            f"the key at {host}:{port} is another one. The token's secret was not sent",
        )
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= (now := datetime.now(UTC)) <= end:
        raise NotEnrolledError(
            Ending.ENROLMENT_FAILED,
            f"the manager's enrolment certificate is valid from {begin:%Y-%m-%d %H:%M} to "
            f"{end:%Y-%m-%d %H:%M} UTC, and this host's clock says {now:%Y-%m-%d %H:%M}; "
            "one of the two clocks is wrong",
        )
    return certificate


def _leaf(host: str, port: int) -> bytes:
    """The server's certificate in DER, not checked yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin decides, not a name or an authority
    context.set_alpn_protocols(["h2"])
    where = f"{host}:{port}, where hosts enrol"
    try:
        with (
            socket.create_connection((host, port), CONNECT_WITHIN) as plain,
            context.wrap_socket(plain, server_hostname=SERVER_NAME) as secured,
        ):
            leaf = secured.getpeercert(binary_form=True)
    except TimeoutError as error:
        raise NotEnrolledError(Ending.UNREACHABLE, f"no answer from {where}") from error
    except socket.gaierror as error:
        raise NotEnrolledError(Ending.UNREACHABLE, f"{host}: {error.strerror}") from error
    except ssl.SSLError as error:
        problem = f"what answers at {where}, speaks no TLS ({error.reason or error.strerror})"
        raise NotEnrolledError(Ending.ENROLMENT_FAILED, problem) from error
    except OSError as error:
        problem = f"{where}: {error.strerror or error}"
        raise NotEnrolledError(Ending.UNREACHABLE, problem) from error
    if leaf is None:
        raise NotEnrolledError(Ending.ENROLMENT_FAILED, f"{where}: no certificate was shown")
    return leaf


def _call(
    address: str, server: x509.Certificate, request: wire.EnrollRequest
) -> wire.EnrollResponse:
    credentials = grpc.ssl_channel_credentials(server.public_bytes(Encoding.PEM))
    options = (
        ("grpc.ssl_target_name_override", SERVER_NAME),
        ("grpc.enable_http_proxy", 0),  # the secret must go to the server whose key was checked
        ("grpc.enable_retries", 0),
    )
    with grpc.secure_channel(address, credentials, options=options) as channel:
        try:
            return EnrollmentServiceStub(channel).Enroll(request, timeout=ANSWER_WITHIN)
        except grpc.RpcError as error:
            ending = _ENDINGS.get(error.code(), Ending.ENROLMENT_FAILED)
            raise NotEnrolledError(ending, error.details() or error.code().name) from error


def _answer(order: dict[str, str]) -> dict[str, str]:
    try:
        return enroll(order)
    except NotEnrolledError as error:
        return {"ending": error.ending.name, "detail": str(error)}
    except (keys.KeyProblemError, OSError) as error:
        return {"problem": str(error)}


if __name__ == "__main__":
    answer_agent(_answer)
