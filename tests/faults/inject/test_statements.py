"""The failpoint before each statement is in what writes, whatever module that lies in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ON_POSTGRESQL = """
from typing import Any
from tui_manager.storage.engine.postgresql.writing import units_of_work

class Connection:
    def execute(self, *statement: Any, **options: Any) -> None: ...

units_of_work.begin(Connection()).execute("SELECT 1")
"""
_ON_SQLITE = """
from tui_manager.storage.engine.sqlite import connection

connection.sqlite3.connect("file:manager.db?mode=rwc", uri=True).execute("SELECT 1")
"""


@pytest.mark.parametrize("code", [_ON_POSTGRESQL, _ON_SQLITE], ids=["postgresql", "sqlite"])
def test_a_transaction_that_writes_reaches_it(tmp_path: Path, code: str) -> None:
    arm = tmp_path / "arm"
    arm.write_text("none 1 record token")
    environment = {"PYTHONPATH": str(Path(__file__).parent), "LD_FAULTS_ARM": str(arm)}
    command = [sys.executable, "-c", code]
    subprocess.run(command, env={**os.environ, **environment}, cwd=tmp_path, check=True)
    assert "statement" in Path(f"{arm}.reached").read_text().split()
