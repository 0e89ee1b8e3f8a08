"""Checks every message of an agent before anything else is done with it.

    order    Hello comes first and once; then reports; a certificate request when one was asked for;
             file parts that were asked for
    sizes    of ids, items of a message, bytes of one Output; gRPC limits the whole message
    files    hashes, sizes, offsets and lengths; see `file_message_guard`
    facts    how many, and their names
    values   enums that this protocol has
    rates    of messages and what is in them: see `message_rates`

A correct agent stays within these bounds. A message beyond them is a violation, and the session
ends. Values that are only unusual, such as a long detail, are clamped in `field_limits`. Whether
an execution belongs to the host is checked when the report is stored.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from tui_manager_protos.rules.facts import FACTS_LIMIT, is_fact_name
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH
from tui_manager_protos.rules.names_and_labels import LABELS_LIMIT
from tui_manager_protos.rules.protocol_version import PROTOCOL_VERSION
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import enrollment_pb2

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.file_transfer import FilePiece
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert_files, convert_messages
from tui_manager.transport.messages.file_message_guard import (
    wrong_files,
    wrong_request,
    wrong_transfer,
)
from tui_manager.transport.messages.message_rates import (
    FACTS,
    VITALS_A_HEARTBEAT,
    WORK,
    MessageRates,
)
from tui_manager.transport.messages.requested_parts import RequestedParts
from tui_manager.transport.messages.token_bucket import TokenBucket

ID_MAX = 128  # characters
ITEMS_MAX = 20_000  # of one report; a correct agent sends at most 6,000 (768 KiB, 128 bytes each)
HELD_MAX = 50_000  # executions in Hello

_SHOWN = 80  # characters of a wrong name in an error

Kind = Literal["hello", "report", "certificate_request", "file_request", "file_part", "files_found"]
_IDS = ("journal_id", "machine_id", "boot_id", "instance_id", "host_id", "manager_id")


class ViolationError(RefusedError):
    """A violation of the protocol that is not yet recorded."""

    def __init__(self, what: str) -> None:
        super().__init__(Refusal.PROTOCOL_ERROR, what)


class MessageGuard:
    """The bounds of one stream, and how much of its rates is used.

    Attributes:
        asked_parts: the parts of files that the manager has asked for.
    """

    __slots__ = ("_greeted", "_rates", "_renewal_expected", "_window", "asked_parts")

    def __init__(
        self, limits: Limits, monotonic: Callable[[], float], unknown: TokenBucket | None = None
    ) -> None:
        """
        Args:
            monotonic: returns seconds.
            unknown: bucket for all streams of one host; None: this stream gets its own.
        """
        self._window = limits.output_window
        self._rates = MessageRates(limits.heartbeat, monotonic, unknown)
        self._greeted = False
        self._renewal_expected = False
        self.asked_parts = RequestedParts()

    def check(self, message: pb.AgentMessage) -> Kind:
        """Checks a message and returns its kind.

        Raises:
            RefusedError: the message is not allowed.
        """
        kind = message.WhichOneof("message")
        if kind is None:
            raise ViolationError("The kind of a message is unknown to this protocol.")
        if not self._greeted:
            if kind != "hello":
                raise ViolationError("The first message must be Hello.")
            self._greeted = True
            check_hello(message.hello)
        elif kind == "report":
            self._check_report(message.report)
        elif kind == "certificate_request":
            self._check_certificate_request()
        elif kind != "hello":
            self._check_files(message)
        else:
            raise ViolationError("Hello was sent twice.")
        return kind

    def expect_certificate_request(self) -> None:
        """The agent was asked for a request, so one is allowed."""
        self._renewal_expected = True

    def check_unknown(self, executions: int) -> None:
        """Counts executions of a report that are not in the database or have another result there,
        as can happen after a backup was restored. Raises ViolationError if there are too many."""
        if not self._rates.count_unknown(executions):
            raise ViolationError(
                "Too many executions were reported that are not known, or that have another result."
            )

    def take_part(self, part: pb.FilePart) -> FilePiece | None:
        """The bytes that came, once a message with them is checked; None: nobody wants them any
        more. Raises ViolationError if they were not asked for."""
        _check_execution(part.execution_id)
        if part.part not in convert_files.PART:
            raise ViolationError(f"A part of files has the unknown value {part.part}.")
        piece = convert_files.to_piece(part)  # once, as it copies the bytes
        if piece.sent > PART_LENGTH:
            raise ViolationError(
                f"A FilePart has {piece.sent:,} bytes; {PART_LENGTH:,} are allowed."
            )
        if self.asked_parts.take(piece):
            return piece
        if not self.asked_parts.has_ended(part.execution_id):
            raise ViolationError(
                f"A FilePart of {part.execution_id} came that the manager did not ask for."
            )
        return None

    def _check_report(self, report: pb.Report) -> None:
        items = len(report.started) + len(report.output) + len(report.results)
        items += len(report.transfers)
        if items > ITEMS_MAX:
            raise ViolationError(f"A report has {items:,} items; {ITEMS_MAX:,} are allowed.")
        if not self._rates.count_report(items):
            raise ViolationError(
                f"More than {WORK.per_second:,.0f} reports and items of reports a second were sent."
            )
        if report.HasField("vitals") and not self._rates.count_vitals():
            raise ViolationError(
                f"Vitals were sent more often than {VITALS_A_HEARTBEAT} times a heartbeat."
            )
        if report.HasField("facts"):
            if not self._rates.count_facts():
                raise ViolationError(
                    f"Facts were sent more often than {FACTS.per_second:g} times a second."
                )
            _check_facts(report.facts)
        if items:
            self._check_items(report)

    def _check_items(self, report: pb.Report) -> None:
        for started in report.started:
            _check_execution(started.execution_id)
        for output in report.output:
            self._check_output(output)
        for result in report.results:
            _check_result(result)
        for progress in report.transfers:
            _check_execution(progress.execution_id)

    def _check_files(self, message: pb.AgentMessage) -> None:
        """A request for bytes of files, some bytes, or files that were found."""
        if not self._rates.count_report(0):
            raise ViolationError(
                f"More than {WORK.per_second:,.0f} messages about files a second were sent."
            )
        if message.HasField("file_request"):
            _check_execution(message.file_request.execution_id)
            _check_nothing(wrong_request(message.file_request))
        elif message.HasField("files_found"):
            _check_execution(message.files_found.execution_id)
            _check_nothing(wrong_files(message.files_found.files))

    def _check_output(self, output: pb.Output) -> None:
        _check_execution(output.execution_id)
        _check_value(convert_messages.STREAM, output.stream, "A stream")
        if len(output.data) > self._window:
            raise ViolationError(
                f"An Output has {len(output.data):,} bytes; {self._window:,} are allowed."
            )
        if output.gap and output.data:
            raise ViolationError("An Output has both bytes and a gap.")

    def _check_certificate_request(self) -> None:
        if not self._renewal_expected:
            raise ViolationError("A certificate request was sent that the manager did not ask for.")
        self._renewal_expected = False


def check_hello(hello: pb.Hello) -> None:
    """Raises RefusedError for a Hello that is out of bounds."""
    _check_version(hello.protocol_version)
    for field in _IDS:
        _check_id(f"Hello's {field}", getattr(hello, field))
    _check_labels(hello)
    _check_facts(hello.facts)
    if len(hello.executions) > HELD_MAX:
        raise _invalid(
            f"Hello names {len(hello.executions):,} executions; {HELD_MAX:,} are allowed."
        )
    for execution in hello.executions:
        _check_execution(execution.execution_id)
        _check_value(convert_messages.HELD, execution.state, "An execution's state")
    if len({execution.execution_id for execution in hello.executions}) < len(hello.executions):
        raise _invalid("Hello names an execution twice.")


def _check_facts(facts: pb.Facts) -> None:
    """Raises ViolationError. A value that is too long is no violation."""
    if len(facts.values) > FACTS_LIMIT:
        raise ViolationError(f"A host has at most {FACTS_LIMIT} facts, not {len(facts.values):,}.")
    for name in facts.values:
        if not is_fact_name(name):
            raise ViolationError(f"{name[:_SHOWN]!r} is not a fact's name.")


def check_enrollment(request: enrollment_pb2.EnrollRequest) -> None:
    """Raises RefusedError for an enrolment that is out of bounds.
    `security.certificate_requests` checks its certificate request."""
    _check_version(request.protocol_version)
    _check_id("The secret", request.secret)
    _check_id("The machine_id", request.machine_id)
    _check_labels(request)


def _check_version(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise RefusedError(
            Refusal.PROTOCOL_VERSION,
            f"This manager speaks protocol {PROTOCOL_VERSION}, the agent {version}. Install the "
            "version that belongs to the manager.",
        )


def _check_labels(message: pb.Hello | enrollment_pb2.EnrollRequest) -> None:
    """Checks only the number of labels, before they are read. The service checks what they hold."""
    if len(message.labels) > LABELS_LIMIT:
        raise _invalid(f"A host has at most {LABELS_LIMIT} labels, not {len(message.labels):,}.")


def _check_result(result: pb.Result) -> None:
    _check_execution(result.execution_id)
    _check_value(convert_messages.STATUS, result.status, "A result's status")
    if result.status == pb.RESULT_STATUS_FAILED:
        _check_value(convert_messages.REASON, result.reason, "A failure's reason")
    if len(result.totals) > len(convert_messages.STREAM):
        raise ViolationError(f"A result has totals of {len(result.totals):,} streams.")
    for total in result.totals:
        _check_value(convert_messages.STREAM, total.stream, "A stream")
    if result.HasField("transfer"):
        _check_nothing(wrong_transfer(result.transfer))


def _check_execution(execution_id: str) -> None:
    if not (0 < len(execution_id) <= ID_MAX and execution_id.isprintable()):
        raise ViolationError(
            f"An execution's id has {len(execution_id):,} characters; 1 to {ID_MAX} that can be "
            "printed are allowed."
        )


def _check_id(what: str, text: str) -> None:
    if len(text) > ID_MAX:
        raise _invalid(f"{what} has {len(text):,} characters; {ID_MAX} are allowed.")
    if not text.isprintable():
        raise _invalid(f"{what} has characters that cannot be printed.")


def _check_nothing(wrong: str) -> None:
    if wrong:
        raise ViolationError(wrong)


def _check_value(known: Iterable[int], value: int, what: str) -> None:
    if value not in known:
        raise ViolationError(f"{what} has the unknown value {value}.")


def _invalid(what: str) -> RefusedError:
    return RefusedError(Refusal.INVALID_HELLO, what)
