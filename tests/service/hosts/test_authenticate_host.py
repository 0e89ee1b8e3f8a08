"""Which host an agent is: its certificate decides, and what it says is compared with it."""

from typing import Any

import pytest

from tests.support.managers.enrolled_hosts import peer
from tests.support.managers.manager_parts import Parts, greeting, result
from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import Held, HeldState, ResumeAction
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.security.certificates.client_certificate import PeerCertificate
from tui_manager.service.core.audit_and_log_limits import LOG_LINES_MAX
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.reports.broken_wire_rules import broken_wire_rules


def _hosts(parts: Parts) -> dict[str, Host]:
    return {host.host_id: host for host in parts.list_hosts(Window(limit=1000)).rows}


async def _refused(
    parts: Parts, name: str, identity: PeerCertificate | None, **given: Any
) -> RefusedError:
    """The refusal of who dials in, after which every host is as before."""
    before = _hosts(parts)
    with pytest.raises(RefusedError) as caught:
        await parts.hosts.open_session(greeting(name, **given), identity)
    assert _hosts(parts) == before
    return caught.value


async def test_the_certificate_says_which_host_speaks(parts: Parts) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True)
    for says in ("", enrolled.host_id):
        hello = greeting("web01", host_id=says)
        opened = await parts.hosts.open_session(hello, peer(enrolled.host_id, "web01"))
        assert (opened.host_id, opened.admission) == (enrolled.host_id, Admission.ADMITTED)
    assert opened.generation == 2
    assert parts.statistics.counters.violations == 0


async def test_a_pending_host_is_welcomed_as_pending(parts: Parts) -> None:
    enrolled = await parts.enroll("web01")
    opened = await parts.dial(enrolled.host_id, "web01")
    assert opened.admission is Admission.PENDING
    assert fleet_counts.counts(parts.directory) == (0, 0, 1)


async def test_a_host_that_says_it_is_another_is_refused_and_counted(parts: Parts) -> None:
    one, two = await parts.member("web01"), await parts.member("web02")
    error = await _refused(parts, "web02", peer(one.host_id, "web01"), host_id=two.host_id)
    assert error.refusal is Refusal.INVALID_HELLO
    assert parts.statistics.counters.violations == 1
    (entry,) = await parts.audited("violation")
    assert (entry.actor, entry.host_id) == ("host web01", one.host_id)


async def test_a_certificate_for_another_key_is_refused_and_counted(parts: Parts) -> None:
    host = await parts.member("web01")
    error = await _refused(
        parts, "web01", peer(host.host_id, "forged"), instance_id="instance-web01"
    )
    assert error.refusal is Refusal.INVALID_HELLO
    assert "another key" in str(error)
    assert parts.statistics.counters.violations == 1


async def test_a_certificate_of_an_insecure_host_does_not_exist(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    error = await _refused(parts, "web01", peer(host.host_id, "forged"))
    assert error.refusal is Refusal.INVALID_HELLO


async def test_a_certificate_that_the_database_does_not_know_is_refused(parts: Parts) -> None:
    error = await _refused(parts, "web01", peer("00000000-0000-4000-8000-00000000000f", "web01"))
    assert error.refusal is Refusal.INVALID_HELLO
    assert "Enrol the host again" in str(error)
    assert parts.statistics.counters.violations == 0  # a restored database


async def test_an_enrolled_host_is_refused_without_tls(parts: Parts) -> None:
    host = await parts.member("web01")
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    error = await _refused(parts, "web01", None, host_id=host.host_id)
    assert error.refusal is Refusal.INVALID_HELLO
    assert "without --insecure" in str(error)
    assert parts.statistics.counters.violations == 1
    # Its journal makes nobody that host either.
    error = await _refused(parts, "web01", None)
    assert error.refusal is Refusal.NAME_TAKEN


async def test_a_known_host_keeps_a_name_that_is_not_allowed_any_more(parts: Parts) -> None:
    host = await parts.member("web01")
    await parts.database.write(lambda tx: tx.execute("UPDATE hosts SET name = '-old'"))
    opened = await parts.dial(host.host_id, "-old", key="web01")
    assert (opened.name, opened.admission) == ("-old", Admission.ADMITTED)
    await parts.hosts.close_session(host.host_id, opened.generation, "test")
    again = await parts.enroll("-old", key="web01", machine_id="machine-web01")
    assert (again.host_id, again.admission) == (host.host_id, Admission.ADMITTED)
    key = peer(host.host_id, "web01")
    error = await _refused(parts, "-new", key, instance_id="instance-web01")
    assert error.refusal is Refusal.INVALID_HELLO
    assert "the first is a letter or a digit. Start this agent with another --name." in str(error)


async def test_another_name_has_to_be_approved_again(parts: Parts) -> None:
    host = await parts.member("web01")
    opened = await parts.dial(host.host_id, "db01", key="web01")
    assert (opened.host_id, opened.admission) == (host.host_id, Admission.PENDING)
    shown = _hosts(parts)[host.host_id]
    assert (shown.name, shown.admission, shown.online) == ("db01", Admission.PENDING, True)
    assert shown.note == "It was called web01 and calls itself db01 now."
    (entry,) = await parts.audited("rename_host")
    assert (entry.actor, entry.host) == ("host web01", "db01")
    assert entry.detail == {"before": "web01", "after": "db01", "admission": "pending"}
    again = await parts.dial(host.host_id, "db01", key="web01")
    assert again.admission is Admission.PENDING
    assert _hosts(parts)[host.host_id].note == shown.note
    await parts.admission.approve(["db01"], False, "ana")
    assert (await parts.dial(host.host_id, "db01", key="web01")).admission is Admission.ADMITTED
    assert _hosts(parts)[host.host_id].note == ""


async def test_another_machine_has_to_be_approved_again(parts: Parts) -> None:
    host = await parts.member("web01")
    opened = await parts.dial(host.host_id, "web01", machine_id="stolen to")
    assert opened.admission is Admission.PENDING
    note = _hosts(parts)[host.host_id].note
    assert "was on machine machine-web01" in note
    assert "is on machine stolen to now" in note
    (entry,) = await parts.audited("move_host")
    assert (entry.detail["before"], entry.detail["after"]) == ("machine-web01", "stolen to")
    assert await parts.audited("rename_host") == []


async def test_a_missing_machine_id_changes_nothing(parts: Parts) -> None:
    host = await parts.member("web01")
    opened = await parts.dial(host.host_id, "web01", machine_id="")
    assert opened.admission is Admission.ADMITTED  # it says nothing else than before
    opened = await parts.dial(host.host_id, "web01", machine_id="stolen to")
    assert opened.admission is Admission.PENDING


async def test_enrolling_again_without_a_machine_id_changes_nothing(parts: Parts) -> None:
    host = await parts.member("web01")
    parts.fall_silent()
    again = await parts.enroll("web01", machine_id="")
    assert again.admission is Admission.ADMITTED
    opened = await parts.dial(host.host_id, "web01", machine_id="stolen to")
    assert opened.admission is Admission.PENDING


async def test_a_machine_id_that_was_missing_is_stored(parts: Parts) -> None:
    enrolled = await parts.enroll("web01", auto_approve=True, machine_id="")
    opened = await parts.dial(enrolled.host_id, "web01", machine_id="first")
    assert opened.admission is Admission.ADMITTED
    opened = await parts.dial(enrolled.host_id, "web01", machine_id="second")
    assert opened.admission is Admission.PENDING


async def test_a_new_note_keeps_the_one_before(parts: Parts) -> None:
    host = await parts.member("web01")
    await parts.dial(host.host_id, "web01", machine_id="stolen to")
    for number in range(100):
        name = f"name{number % 2}"
        await parts.dial(host.host_id, name, key="web01", machine_id=f"machine{number}")
    note = _hosts(parts)[host.host_id].note
    assert note.startswith("Its key was on machine machine-web01")
    assert len(note) <= 1000


async def test_a_name_that_is_taken_is_refused(parts: Parts) -> None:
    owner, other = await parts.member("web01"), await parts.member("web02")
    same = {"instance_id": "instance-web02"}
    error = await _refused(parts, "web01", peer(other.host_id, "web02"), **same)
    assert error.refusal is Refusal.NAME_TAKEN
    assert _hosts(parts)[other.host_id].admission is Admission.ADMITTED
    await parts.admission.revoke([owner.host_id], "ana")
    opened = await parts.dial(other.host_id, "web01", key="web02")
    assert opened.admission is Admission.PENDING


async def test_a_pending_host_does_not_block_its_name(parts: Parts) -> None:
    thief = await parts.enroll("db01", key="thief")
    host = await parts.member("web01")
    opened = await parts.dial(host.host_id, "db01", key="web01")
    assert opened.admission is Admission.PENDING
    assert "The name db01 is also that of db01, which waits too" in _hosts(parts)[host.host_id].note
    # And who waits under an admitted host's name is welcomed to wait.
    await parts.admission.approve([host.host_id], False, "ana")
    opened = await parts.dial(thief.host_id, "db01", key="thief", machine_id="machine-db01")
    assert opened.admission is Admission.PENDING
    assert _hosts(parts)[host.host_id].admission is Admission.ADMITTED


async def test_a_copy_that_enrols_is_refused_while_the_first_agent_is_alive(parts: Parts) -> None:
    host = await parts.member("web01")
    error = await _refused(parts, "web01", peer(host.host_id, "web01"), instance_id="copy")
    assert error.refusal is Refusal.DUPLICATE_IDENTITY


async def test_insecure_hosts_are_admitted_and_renamed_at_once(parts: Parts) -> None:
    host = await parts.connect("web01")
    opened = await parts.connect(
        "db01", host_id=host.host_id, instance_id="instance-web01", machine_id="another"
    )
    assert opened.admission is Admission.ADMITTED
    shown = _hosts(parts)[host.host_id]
    assert (shown.name, shown.note) == ("db01", "")
    (entry,) = await parts.audited("rename_host")
    assert "admission" not in entry.detail


async def _held_by_another(parts: Parts) -> tuple[str, str, str]:
    """(host_id of the owner, of another, execution_id of the owner's)."""
    owner, other = await parts.member("web01"), await parts.member("web02")
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    return owner.host_id, other.host_id, run.execution_id


async def test_reporting_the_execution_of_another_host_is_a_violation(parts: Parts) -> None:
    _, other, execution_id = await _held_by_another(parts)
    outcome = await parts.report(other, result(execution_id))
    assert broken_wire_rules(outcome) == [
        f"It reported execution {execution_id}, which is another host's."
    ]
    assert parts.statistics.counters.violations == 1
    (entry,) = await parts.audited("violation")
    assert (entry.actor, entry.host_id) == ("host web02", other)
    assert execution_id in entry.detail["text"]
    assert outcome.acknowledged == []


async def test_reporting_an_unknown_execution_is_no_violation(parts: Parts) -> None:
    _, other, _ = await _held_by_another(parts)
    outcome = await parts.report(other, result("of a restored database"))
    assert (outcome.unknown, broken_wire_rules(outcome)) == ({"of a restored database"}, [])
    assert parts.statistics.counters.violations == 0
    assert await parts.audited("violation") == []


async def test_a_host_that_enrolled_again_may_hold_earlier_executions(parts: Parts) -> None:
    """Its journal is that of the host it was; it is told to leave that alone."""
    _, other, execution_id = await _held_by_another(parts)
    held = Held(execution_id, HeldState.RUNNING)
    back = await parts.dial(other, "web02", held=[held])
    assert [resume.action for resume in back.resumes] == [ResumeAction.UNKNOWN]
    assert parts.statistics.counters.violations == 0


async def test_repeats_and_late_results_are_no_violation(parts: Parts) -> None:
    owner, _, execution_id = await _held_by_another(parts)
    for _ in range(2):
        await parts.report(owner, result(execution_id))
    assert parts.statistics.counters.violations == 0


async def test_a_host_that_changes_with_every_dial_does_not_fill_the_audit(parts: Parts) -> None:
    host = await parts.member("web01")
    for number in range(100):
        back = await parts.dial(host.host_id, "web01", machine_id=f"machine-{number}")
        assert back.admission is Admission.PENDING
    assert 1 < len(await parts.audited("move_host")) < 20
    assert len(_hosts(parts)[host.host_id].note) < 1500


async def test_unknown_executions_do_not_fill_the_log(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    host = await parts.member("web01")
    held = [Held(f"held-{number}", HeldState.RUNNING) for number in range(1000)]
    caplog.clear()
    await parts.dial(host.host_id, "web01", held=held)
    await parts.report(host.host_id, *(result(f"ended-{number}") for number in range(1000)))
    told = [record for record in caplog.records if "unknown execution" in record.getMessage()]
    assert len(told) == 2 * (LOG_LINES_MAX + 1)
    assert [vars(record)["executions"] for record in told[LOG_LINES_MAX :: LOG_LINES_MAX + 1]] == [
        990,
        990,
    ]
