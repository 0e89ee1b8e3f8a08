"""The keys of managers on one PostgreSQL database: who makes them, and who is refused."""

import asyncio
import contextlib
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.security.examples import TestClock
from tests.security.pki import Files, Pki, new_key
from tests.support.databases.postgresql import connect_to, postgresql_database
from tests.support.programs.programs import wait_for
from tui_manager.cli.main import main
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.run_manager import run_manager
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.cluster_key import CLUSTER_KEY, ClusterKey, read_cluster_key
from tui_manager.security.key_store import FolderKeys, KeyStore
from tui_manager.settings import Settings
from tui_manager.shared_keys import SECURITY, claim_database, open_keys
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql.postgresql_transaction import PostgresqlTransaction
from tui_manager.storage.tables.manager import gateways, manager_keys, manager_state
from tui_manager.storage.tables.manager.manager_keys import Fingerprints

SHARED = "SELECT cluster_key, host_authority, server_authority, secrets_key FROM manager"


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql_database() as made:
        yield made


def settings_of(folder: Path, url: str) -> Settings:
    return Settings(
        state_dir=folder, database=url, listen="127.0.0.1:0", enroll_listen="127.0.0.1:0"
    )


async def start_once(settings: Settings) -> str:
    """Starts a manager and ends it. Returns the PIN of its join tokens."""
    async with run_manager(settings) as manager:
        if settings.insecure:
            return ""
        token = await manager.operator.create_token(TokenSpec())
        return token.text.split(".")[1]


async def refusal(settings: Settings) -> str:
    """Why a manager does not start."""
    with pytest.raises(StorageError) as refused:
        await start_once(settings)
    return str(refused.value)


def cluster_key(folder: Path) -> ClusterKey:
    found = read_cluster_key(folder / CLUSTER_KEY, folder / SECURITY)
    assert found
    return found


def stored(url: str) -> tuple[str, str, str, bytes | None]:
    with psycopg.connect(url) as connection:
        row = connection.execute(SHARED).fetchone()
        assert row
        return row


def copy_key(source: Path, target: Path) -> Path:
    """What the operator does."""
    target.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(source / CLUSTER_KEY, target / CLUSTER_KEY)
    return target


async def test_the_first_manager_makes_it_and_the_database_knows_its_fingerprint(
    tmp_path: Path, url: str
) -> None:
    folder = tmp_path / "a"
    pin = await start_once(settings_of(folder, url))
    made = cluster_key(folder)
    assert stat.S_IMODE((folder / CLUSTER_KEY).stat().st_mode) == 0o600
    key, hosts, servers, secrets = stored(url)
    assert key == made.fingerprint
    assert hosts == servers != ""
    assert secrets is None
    assert {file.name for file in (folder / SECURITY).iterdir()} == {
        *("authority.pem", "enrollment.pem", "server.key", "server.pem")
    }
    assert await start_once(settings_of(folder, url)) == pin
    assert cluster_key(folder).fingerprint == key


async def test_the_next_one_needs_a_copy_and_has_a_certificate_of_its_own(
    tmp_path: Path, url: str
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    pin = await start_once(settings_of(first, url))
    why = await refusal(settings_of(second, url))
    path = second / CLUSTER_KEY
    assert why.startswith(f"{path} is missing.")
    assert f"scp OTHER:{path} {path}" in why
    assert f"COPY {path}" in why
    assert not path.exists()
    assert not (second / "postgresql").exists()
    copy_key(first, second)
    assert await start_once(settings_of(second, url)) == pin
    ours, theirs = (folder / SECURITY / "server.key" for folder in (first, second))
    assert ours.read_bytes() != theirs.read_bytes()


async def test_one_that_is_refused_does_not_lead(tmp_path: Path, url: str) -> None:
    """Else a manager that is started again and again would keep the others from leading."""
    await start_once(settings_of(tmp_path / "a", url))
    await refusal(settings_of(tmp_path / "b", url))
    async with open_database(url) as database:
        first, second, _ = await database.read(gateways.all_gateways)
    assert first.stopped_at is not None
    assert second.stopped_at is not None
    with psycopg.connect(url) as connection:
        (leads,) = connection.execute("SELECT gateway FROM leader").fetchone() or ()
    assert leads not in (first.number, second.number)


async def test_one_that_does_not_fit_the_database_is_refused(tmp_path: Path, url: str) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    await start_once(settings_of(first, url))
    with postgresql_database() as another:
        await start_once(settings_of(second, another))
    (second / "postgresql").unlink()
    shutil.rmtree(second / SECURITY)
    why = await refusal(settings_of(second, url))
    assert f"{second / CLUSTER_KEY} is of the manager " in why
    assert "Correct the setting database" in why
    whole = (second / CLUSTER_KEY).read_text().splitlines(keepends=True)
    head = (first / CLUSTER_KEY).read_text().splitlines(keepends=True)[:1]
    (second / CLUSTER_KEY).write_text("".join(head + whole[1:]))
    why = await refusal(settings_of(second, url))
    assert f"{second / CLUSTER_KEY} is not the one of the managers on this database" in why
    assert "scp OTHER" in why


async def test_a_folder_with_keys_of_its_own_is_refused(tmp_path: Path, url: str) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    await start_once(settings_of(first, url))
    copy_key(first, second)
    FolderKeys(second / SECURITY).authority_key()
    why = await refusal(settings_of(second, url))
    assert f"{second / SECURITY} has another authority.key" in why
    shutil.move(second / SECURITY, tmp_path / "old")
    await start_once(settings_of(second, url))


async def test_keys_of_a_folder_go_on(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "a"
    kept = FolderKeys(folder / SECURITY)
    authority, enrollment, secrets = (
        *(kept.authority_key().public_key(), kept.enrollment_key().public_key()),
        kept.secrets_key(),
    )
    folder.chmod(0o700)
    await start_once(settings_of(folder, url))
    made = cluster_key(folder)
    assert made.authority_key().public_key() == authority
    assert made.enrollment_key().public_key() == enrollment
    assert made.secrets_key() == secrets
    await start_once(settings_of(folder, url))


async def test_the_second_to_say_that_it_is_the_first_waits_and_changes_nothing(url: str) -> None:
    ours, theirs = Fingerprints("a", "b", "c"), Fingerprints("d", "e", "f")
    async with open_database(url) as database:
        await database.write(lambda tx: manager_state.manager_id(tx, 0))
        with psycopg.connect(url) as first:
            first.execute(
                "UPDATE manager SET cluster_key = 'a', host_authority = 'b', server_authority = 'c'"
            )
            claiming = asyncio.create_task(
                database.write(lambda tx: manager_keys.claim(tx, theirs))
            )
            await asyncio.to_thread(wait_for, "the second to wait", lambda: waiters(url))
        assert await claiming == ours
        assert await database.write(lambda tx: manager_keys.claim(tx, ours)) == ours


def waiters(url: str) -> int:
    """How many sessions wait for a lock."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount


async def test_of_two_that_start_at_once_one_is_the_first_and_the_other_leaves_no_file(
    tmp_path: Path, url: str
) -> None:
    both = [settings_of(tmp_path / name, url) for name in ("a", "b")]
    for each in both:
        each.state_dir.mkdir(mode=0o700)
    async with open_database(url) as database:
        manager_id = await database.write(lambda tx: manager_state.manager_id(tx, 0))
        keys = [await open_keys(each, database, manager_id) for each in both]

        async def claim(store: KeyStore) -> None:
            authority = Authority(store, manager_id, TestClock().now)
            server = ServerIdentity(authority, store.folder, (), TestClock().now)
            await claim_database(store, database, authority, server)

        done = await asyncio.gather(*map(claim, keys), return_exceptions=True)
    (won,) = (at for at, error in enumerate(done) if error is None)
    (refused,) = (error for error in done if error is not None)
    loser = both[1 - won].state_dir
    assert isinstance(refused, StorageError)
    assert str(refused).startswith(f"{loser / CLUSTER_KEY} is missing.")
    assert not (loser / CLUSTER_KEY).exists()
    assert cluster_key(both[won].state_dir).fingerprint == stored(url)[0]
    copy_key(both[won].state_dir, loser)
    await start_once(both[1 - won])


async def test_of_two_managers_that_are_started_at_once_one_runs(tmp_path: Path, url: str) -> None:
    both = [settings_of(tmp_path / name, url) for name in ("a", "b")]
    done = await asyncio.gather(*map(start_once, both), return_exceptions=True)
    (refused,) = (at for at, error in enumerate(done) if isinstance(error, StorageError))
    assert isinstance(done[1 - refused], str), done
    copy_key(both[1 - refused].state_dir, both[refused].state_dir)
    async with run_manager(both[0]) as one, run_manager(both[1]) as other:
        assert one.manager_id == other.manager_id


def test_two_managers_that_start_at_once_have_one_id(url: str) -> None:
    with psycopg.connect(url) as first, contextlib.closing(connect_to(url)) as second:
        first.execute("INSERT INTO manager (manager_id, created_at) VALUES ('m', 0)")
        tx = PostgresqlTransaction(second)
        with ThreadPoolExecutor(1) as thread:
            tx.execute("BEGIN")
            tx.execute("SET LOCAL lock_timeout = 0")
            found = thread.submit(manager_state.manager_id, tx, 0)
            wait_for("the second to wait", lambda: waiters(url))
            first.commit()
            assert found.result() == "m"


async def test_a_file_whose_claim_was_lost_is_used_at_the_next_start(
    tmp_path: Path, url: str
) -> None:
    folder = tmp_path / "a"
    pin = await start_once(settings_of(folder, url))
    async with open_database(url) as database:  # as if the server had lost the transaction
        await database.write(manager_keys.forget)
    assert await start_once(settings_of(folder, url)) == pin
    assert cluster_key(folder).fingerprint == stored(url)[0]


async def test_without_tls_there_is_no_file_and_the_database_has_the_key(
    tmp_path: Path, url: str
) -> None:
    first, second = (
        replace(settings_of(tmp_path / name, url), insecure=True, enroll_listen="")
        for name in ("a", "b")
    )
    await start_once(first)
    key = stored(url)[3]
    assert key is not None
    assert len(key) == 32
    async with open_database(url) as database:
        manager_id = await database.write(lambda tx: manager_state.manager_id(tx, 0))
        for each in (first, second):
            assert (await open_keys(each, database, manager_id)).secrets_key() == key
    await start_once(second)
    assert not (second.state_dir / CLUSTER_KEY).exists()
    assert not (second.state_dir / SECURITY).exists()


async def test_keys_that_were_in_the_database_are_not_used_with_tls(
    tmp_path: Path, url: str
) -> None:
    folder = tmp_path / "a"
    (folder / SECURITY).mkdir(parents=True)
    folder.chmod(0o700)
    kept = FolderKeys(folder / SECURITY).secrets_key()
    insecure = replace(settings_of(folder, url), insecure=True, enroll_listen="")
    await start_once(insecure)
    assert stored(url)[3] == kept
    await start_once(settings_of(folder, url))
    assert stored(url)[3] is None
    assert cluster_key(folder).secrets_key() != kept
    await start_once(insecure)  # it has the file
    assert stored(url)[3] is None
    other = replace(insecure, state_dir=tmp_path / "b")
    assert "cluster.key is missing" in await refusal(other)


@pytest.fixture
def authority(tmp_path: Path) -> Files:
    """The files of an authority of the operator's."""
    pki = Pki(TestClock())
    files = Files(tmp_path / "authority")
    files.write(pki.key, pki.authority, pki.root)
    return files


def with_authority(settings: Settings, files: Files) -> Settings:
    return replace(settings, authority_certificate=files.certificate, authority_key=files.key)


async def test_an_authority_of_the_operators_is_not_in_it_and_is_the_same_everywhere(
    tmp_path: Path, url: str, authority: Files
) -> None:
    first, second = settings_of(tmp_path / "a", url), settings_of(tmp_path / "b", url)
    await start_once(with_authority(first, authority))
    assert cluster_key(first.state_dir).authority is None
    copy_key(first.state_dir, second.state_dir)
    assert "authority_certificate and authority_key" in await refusal(second)
    pki = Pki(TestClock())
    other = Files(tmp_path / "other")
    other.write(pki.key, pki.authority, pki.root)
    why = await refusal(with_authority(second, other))
    assert "is another one than that of the other managers on this database" in why
    assert "authority_certificate" in why
    await start_once(with_authority(second, authority))


async def test_with_the_authority_of_the_file_no_other_one_is_accepted(
    tmp_path: Path, url: str, authority: Files
) -> None:
    settings = settings_of(tmp_path / "a", url)
    await start_once(settings)
    assert "leave both out" in await refusal(with_authority(settings, authority))


async def test_a_renewed_authority_of_the_operators_is_the_same(tmp_path: Path, url: str) -> None:
    pki, files = Pki(TestClock()), Files(tmp_path / "authority")
    files.write(pki.key, pki.authority, pki.root)
    settings = with_authority(settings_of(tmp_path / "a", url), files)
    await start_once(settings)
    renewed = pki.sub_authority()
    assert renewed != pki.authority
    files.write_certificates(renewed, pki.root)
    await start_once(settings)


async def test_certificates_of_managers_are_of_one_authority(tmp_path: Path, url: str) -> None:
    first, second = settings_of(tmp_path / "a", url), settings_of(tmp_path / "b", url)
    await start_once(first)
    copy_key(first.state_dir, second.state_dir)
    pki, files, key = Pki(TestClock()), Files(tmp_path / "server"), new_key()
    files.write(key, pki.server(key), pki.authority, pki.root)
    with_own = replace(second, server_certificate=files.certificate, server_key=files.key)
    why = await refusal(with_own)
    assert "server_certificate and server_key" in why
    await start_once(second)


async def test_its_keys_are_replaced_after_they_have_leaked(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", url)
    folder = tmp_path / "a"
    settings = settings_of(folder, url)
    pin = await start_once(settings)
    leaked = tmp_path / "leaked"
    leaked.mkdir()
    for name in (CLUSTER_KEY, SECURITY):
        shutil.move(folder / name, leaked)
    assert "cluster.key is missing" in await refusal(settings)
    assert await asyncio.to_thread(main, ["database", "forget-keys"]) == 0
    assert "each host\nmust join again" in capsys.readouterr().out
    assert await start_once(settings) != pin
    assert cluster_key(folder).fingerprint == stored(url)[0]
    (folder / CLUSTER_KEY).unlink()
    copy_key(leaked, folder)
    assert "is not the one of the managers on this database" in await refusal(settings)
    async with open_database(url) as database:
        row = await database.read(lambda tx: tx.execute("SELECT action FROM audit").fetchall())
        assert "forget_keys" in {each["action"] for each in row}


async def test_keys_are_not_forgotten_while_a_manager_runs(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", url)
    async with run_manager(settings_of(tmp_path / "a", url)):
        assert await asyncio.to_thread(main, ["database", "forget-keys"]) != 0
        assert "manager uses the PostgreSQL database" in capsys.readouterr().err
        assert stored(url)[0]


@pytest.mark.parametrize("database", ["", "empty"])
def test_there_are_no_keys_to_forget(
    url: str,
    database: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", database and url)
    assert main(["database", "forget-keys"]) == 2
    said = capsys.readouterr().err
    assert ("has no manager yet" if database else "The setting database is empty") in said
