"""After the soak: the database is sound, and holds what the emulated commands printed."""

import random
from pathlib import Path

from bench.swarm.emulated_command import output, parse
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance.check import check_database

_ENDED_BY_ITSELF = """
SELECT ch.id, ch.execution_id, ch.status, ch.exit_code, ch.stdout_bytes, c.text
FROM command_hosts AS ch JOIN commands AS c ON c.id = ch.command_id
WHERE ch.status = 'completed' OR ch.reason = 'exit_code'
"""
_DATA = 'SELECT data FROM output_chunks WHERE command_host_id = ? ORDER BY "offset"'
_REASONS = """
SELECT status || CASE reason WHEN '' THEN '' ELSE ' ' || reason END AS how, count(*) AS times
FROM command_hosts GROUP BY how ORDER BY times DESC
"""
_COMPARED = 2000  # executions whose bytes are read


def problems(path: Path, chance: random.Random) -> list[str]:
    """One sentence for each thing that is not as it must be."""
    found = [finding.text for finding in check_database(path).findings]
    return found + read_only(path, lambda tx: _wrong_results(tx, chance))


def outcomes(path: Path) -> dict[str, int]:
    """How many command hosts ended how."""
    return read_only(path, lambda tx: {row["how"]: row["times"] for row in tx.execute(_REASONS)})


def _wrong_results(tx: Transaction, chance: random.Random) -> list[str]:
    wrong = []
    rows = tx.execute(_ENDED_BY_ITSELF).fetchall()
    for row in rows:
        expected = parse(row["text"]).outcome(row["execution_id"])
        if (row["stdout_bytes"], row["exit_code"]) != (expected.size, expected.code):
            wrong.append(
                f"{row['execution_id']}: {row['stdout_bytes']} bytes, exit code "
                f"{row['exit_code']}, of {row['text']}"
            )
    for row in chance.sample(rows, min(_COMPARED, len(rows))):
        stored = b"".join(piece["data"] for piece in tx.execute(_DATA, (row["id"],)))
        if stored != output(row["execution_id"], row["stdout_bytes"]):
            wrong.append(f"{row['execution_id']}: the stored bytes are not what it printed")
    return wrong
