"""A task as a JUnit report, read by junitparser and by Python's XML reader."""

import asyncio
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from tests.export.conftest import FORMULA, HOSTS, Operator, exported
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.export import junit_document


def suites(operator: Operator) -> list[TestSuite]:
    """As a reader of reports sees them."""
    return list(JUnitXml.fromstring(exported(operator, Format.JUNIT).encode()))


def case(operator: Operator, host: str) -> TestCase:
    return next(case for case in suites(operator)[0] if case.name == host)


def test_a_suite_for_each_step_and_a_test_for_each_host(operator: Operator) -> None:
    restart, health = suites(operator)
    assert (restart.name, health.name) == ("restart", "curl -f localhost/health")
    assert [case.name for case in restart] == list(HOSTS)
    assert (restart.tests, restart.failures, restart.errors, restart.skipped) == (7, 2, 2, 0)
    assert (health.tests, health.failures, health.errors, health.skipped) == (7, 0, 0, 4)
    assert (restart.time, health.time) == (7.0, 3.0)
    assert {case.classname for case in restart} == {"rolling <restart>.restart"}
    properties = {each.name: each.value for each in restart.properties()}  # type: ignore[no-untyped-call]
    assert properties["created_by"] == "ana@pts/3"
    assert properties["status"] == "failed"


def test_the_whole_counts_what_its_suites_count(operator: Operator) -> None:
    report = JUnitXml.fromstring(exported(operator, Format.JUNIT).encode())
    said = (report.tests, report.failures, report.errors, report.skipped)
    report.update_statistics()  # type: ignore[no-untyped-call]
    assert said == (report.tests, report.failures, report.errors, report.skipped) == (14, 2, 2, 4)


@pytest.mark.parametrize(
    ("host", "kind", "reason", "message"),
    [
        ("web03", Failure, "exit_code", f"failed: exit code 3 ({FORMULA})"),
        ("web04", Error, "agent_lost", "failed: agent lost"),
        ("web05", Failure, "timeout", "timeout"),
        ("web06", Error, "canceled", "canceled"),
    ],
)
def test_how_each_host_ended(
    operator: Operator, host: str, kind: type, reason: str, message: str
) -> None:
    (result,) = case(operator, host).result
    assert (type(result), result.type, result.message) == (kind, reason, message)


def test_what_was_skipped_is_no_failure(operator: Operator) -> None:
    (result,) = list(suites(operator)[1])[-1].result
    assert isinstance(result, Skipped)
    assert result.message == "skipped: an earlier command failed here"


def test_a_task_that_goes_on_is_not_all_good() -> None:
    operator = Operator("web01")
    asyncio.run(operator.create_task(TaskSpec("@all", (CommandSpec("true"),))))
    asyncio.run(operator.start_task(1))
    (result,) = case(operator, "web01").result
    assert isinstance(result, Error)
    assert result.message == "waits for its start"


def test_output_has_no_character_that_xml_forbids(operator: Operator) -> None:
    said = bytes(range(256)) + "\ufffe\uffff\U0001fffe ]]> &amp; <b>é".encode()
    operator.emit(operator.execution(1, "web01", 0), said, Stream.STDERR)
    document = exported(operator, Format.JUNIT)
    ElementTree.fromstring(document)
    assert "\x1b" not in document
    printed = case(operator, "web01")
    assert printed.system_out == "ok\n"
    assert printed.system_err.endswith("]]> &amp; <b>é")
    assert case(operator, "web03").system_out == "bad � <&>\n"


def test_the_end_of_long_output_is_kept(operator: Operator) -> None:
    said = b"".join(b"line %d\n" % number for number in range(20_000))
    operator.emit(operator.execution(1, "web04", 0), said)
    text = case(operator, "web04").system_out
    left_out, first, *_ = text.splitlines()
    assert left_out == f"[{len(said) - junit_document.TAIL:,} bytes left out here]"
    assert first.startswith("line ")
    assert text.endswith("line 19999\n")
    assert len(text) <= junit_document.TAIL + 100


def test_all_output_together_has_a_bound(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(junit_document, "OUTPUT_MAX", 3)
    assert case(operator, "db01").system_out == "ok\n"
    assert case(operator, "web03").system_out == "[22 bytes left out here]\n"
