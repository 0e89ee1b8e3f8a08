"""What the log says while the database cannot be used: it does not grow with each second."""

import logging

import pytest

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import StorageError
from tui_manager.service.managers.log_storage_error import log_storage_error

STALLED = "The database has not confirmed a transaction for {} s: it is slow."
log = logging.getLogger(__name__)


def _said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(record.getMessage() == words for record in caplog.records)


async def test_a_wait_that_grows_is_logged_once(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    for seconds in (10, 11, 12):
        parts.statistics.gauges.storage_problem = lambda: STALLED.format(seconds)  # noqa: B023
        parts.statistics.check_storage()
        assert parts.statistics.storage_error == STALLED.format(seconds)
    assert _said(caplog, "the database cannot be written") == 1
    parts.statistics.gauges.storage_problem = lambda: "The disk is full."
    parts.statistics.check_storage()
    assert _said(caplog, "the database cannot be written") == 2


async def test_what_waits_for_a_database_that_is_known_to_be_away_is_a_detail(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log_storage_error(log, parts.core, "hosts are not followed", StorageError("away"))
    parts.statistics.record_transaction(1.0, "away")
    log_storage_error(log, parts.core, "hosts are not followed", StorageError("away"))
    assert _said(caplog, "hosts are not followed") == 1
