"""How PostgreSQL finds the rows of each query: by a condition on an index, so that the cost does
not grow with the history. Plans are those for any values, as of a statement that is prepared."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from tests.storage.views.test_query_plans import GROWING, WALKS
from tests.support.databases.postgresql import unused_database, url_as_superuser
from tui_manager.storage.engine.postgresql.writing import writing_connection
from tui_manager.storage.engine.statements import Query, load_queries

pytestmark = pytest.mark.sqlite("on PostgreSQL as it is")

FILES = sorted(
    path.name
    for path in (files("tui_manager.storage") / "sql" / "postgresql").iterdir()
    if not path.name[0].isdigit() and path.name != "check.sql"  # which looks at everything
)
# These read from the end of an index that has few rows.
FEW = {("work_totals.sql", "newest_updates"), ("work_totals.sql", "unended_work")}
# What each connection of an agent and each of its reports asks. A statement is planned when it is
# first used, for example while there is no host yet, and such a plan is kept for a while.
OF_EACH_AGENT = {
    "hosts.sql": (
        "by_host_id by_name lock fence lock_away set_offline set_online open_session close_session "
        "store_facts"
    ),
    "choose_commands.sql": "to_send under_way mark_sent sent",
}
# Tables are small here, and reading all of one would be the cheapest; the question is whether an
# index serves.
_FORBIDDEN = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
_HISTORY = """
SET session_replication_role = replica;  -- no triggers
INSERT INTO hosts (host_id, name, admission, first_seen, since)
SELECT 'h' || n, 'web' || n, 'admitted', 1, 1 FROM generate_series(1, 100) AS n;
INSERT INTO tasks (name, description, target, status, created_by, created_at, started_at,
    finished_at)
SELECT '', '', '', CASE WHEN n > 2900 THEN 'running' ELSE 'completed' END, 'ana', n, n + 1,
    CASE WHEN n <= 2900 THEN n + 2 END FROM generate_series(1, 3000) AS n;
INSERT INTO commands (task_id, position, text, timeout_after, parameters, environment, cwd)
SELECT id, 0, 'true', 1, '{}', '{}', '' FROM tasks;
INSERT INTO command_contents (command_id, kind, data) SELECT id, 'script', 'x' FROM commands;
INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, ready,
    sent_at)
SELECT k.id || '-' || h, k.task_id, k.id, 0, 1 + (k.id + h * 7) % 100,
    CASE WHEN t.status = 'completed' OR h < 5 THEN t.status ELSE 'pending' END, true,
    CASE WHEN t.status = 'completed' OR h < 8 THEN 1 END
FROM commands AS k JOIN tasks AS t ON t.id = k.task_id CROSS JOIN generate_series(1, 10) AS h;
INSERT INTO command_counts
SELECT command_id, 0, task_id, 10, 0, 0, 10, 0, 0, 0, 0 FROM command_hosts
GROUP BY command_id, task_id;
INSERT INTO output_chunks (execution_id, task_id, command_host_id, stream, "offset", data)
SELECT execution_id, task_id, id, 1, 0, 'x' FROM command_hosts;
INSERT INTO audit (id, at, actor, action)
SELECT n, 1, 'ana', 'x' FROM generate_series(1, 5000) AS n;
ANALYZE;
"""


@pytest.fixture(scope="module", params=["no hosts", "10,000 hosts"])
def writing(request: pytest.FixtureRequest) -> Iterator["psycopg.Connection[Any]"]:
    """A connection as the one that writes."""
    with (
        unused_database() as url,
        psycopg.connect(url_as_superuser(url), autocommit=True) as made,
    ):
        if request.param != "no hosts":
            made.execute(_HISTORY.replace("generate_series(1, 100)", "generate_series(1, 10000)"))
        made.execute("SET plan_cache_mode = force_generic_plan")
        made.execute(writing_connection.FIND_BY_INDEX.encode())
        yield made


@pytest.fixture(scope="module")
def connection() -> Iterator["psycopg.Connection[Any]"]:
    """To a database with some history."""
    with (
        unused_database() as url,
        psycopg.connect(url_as_superuser(url), autocommit=True) as made,
    ):
        made.execute(_HISTORY)
        made.execute("SET plan_cache_mode = force_generic_plan")
        for way in _FORBIDDEN:
            made.execute(f"SET {way} = off".encode())
        yield made


def _plan(connection: "psycopg.Connection[Any]", query: Query) -> dict[str, Any]:
    """The plan of a query for any values; the server finds the types of its parameters."""
    lines = query.postgresql.rstrip(";").splitlines()
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    names = list(dict.fromkeys(re.findall(r"(?<![:\w]):(\w+)", sql)))
    text = re.sub(r"(?<![:\w]):(\w+)", lambda found: f"${names.index(found[1]) + 1}", sql)
    values = f"({', '.join('NULL' for _ in names)})" if names else ""
    connection.execute(f"PREPARE planned AS {text}".encode())
    try:
        explain = f"EXPLAIN (FORMAT JSON) EXECUTE planned{values}"
        (rows,) = connection.execute(explain.encode()).fetchone() or ([],)
    finally:
        connection.execute("DEALLOCATE planned")
    plan: dict[str, Any] = rows[0]["Plan"]
    return plan


def _walks(
    plan: dict[str, Any], above: dict[str, Any], tables: Sequence[str] = GROWING
) -> Iterator[tuple[str, str]]:
    """Growing tables that are read from their beginning, each with the way."""
    table = re.sub(r"_(other|\d{8})$", "", plan.get("Relation Name", ""))
    way = plan["Node Type"]
    if table in tables and way in ("Seq Scan", "Index Scan", "Index Only Scan"):
        one = above.get("Node Type") == "Limit" and above["Plan Rows"] == 1  # the first or the last
        if "Index Cond" not in plan and not one:
            yield table, way
    for part in plan.get("Plans", ()):
        yield from _walks(part, plan, tables)


@pytest.mark.parametrize("file", FILES)
def test_rows_are_found_by_an_index(connection: "psycopg.Connection[Any]", file: str) -> None:
    walks = []
    for name, query in load_queries(file).items():
        found = list(_walks(_plan(connection, query), {}))
        if found and (file, name) not in WALKS | FEW:
            walks.append((name, found))
    assert walks == []


@pytest.mark.parametrize("file", OF_EACH_AGENT)
def test_the_cost_of_an_agent_does_not_grow_with_the_hosts(
    writing: "psycopg.Connection[Any]", file: str
) -> None:
    queries = load_queries(file)
    for name in OF_EACH_AGENT[file].split():
        plan = _plan(writing, queries[name])
        assert list(_walks(plan, {}, ("hosts", "command_hosts"))) == [], name
