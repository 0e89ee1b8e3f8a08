"""The tables `templates`, `template_versions` and `template_requests`: task files under a name."""

from collections.abc import Sequence

from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.lists.filter_language import fits, parse_filter
from tui_manager.domain.lists.list_window import LIMIT_MAX, Page, Window, page_of
from tui_manager.domain.task_files.template import (
    BYTES_KEPT,
    TEMPLATE_FIELDS,
    VERSIONS_KEPT,
    VERSIONS_SHOWN,
    SavedVersion,
    Template,
    TemplateDetail,
    TemplateVersion,
)
from tui_manager.storage.engine.statements import load_queries, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.schedules import schedules

_SQL = load_queries("templates.sql")
_SHOWN = 10  # schedules in an error
_REQUESTS_KEPT = 100  # of one version


def detail(tx: Transaction, name: str, version: int = 0) -> TemplateDetail:
    """One version of a template with its text.

    Args:
        version: 0: the newest.

    Raises:
        NotFoundError: there is no such template, or not this version of it.
    """
    row = _newest(tx, name)
    values = {"template": row["template"], "version": version or row["version"]}
    found = tx.execute(_SQL["text"], values).fetchone()
    if found is None:
        raise _no_version(tx, row, version)
    shown = {"template": row["template"], "limit": VERSIONS_SHOWN}
    return TemplateDetail(
        template=_template(row),
        version=values["version"],
        text=found["text"],
        versions=tuple(map(_saved, tx.execute(_SQL["versions"], shown))),
        schedules=schedules.of_template(tx, name),
    )


def check_exists(tx: Transaction, wanted: TemplateVersion) -> None:
    """Raises NotFoundError if there is no such template, or not this version of it."""
    values = {"name": wanted.name, "version": wanted.version}
    if tx.execute(_SQL["has"], values).fetchone() is None:
        raise _no_version(tx, _newest(tx, wanted.name), wanted.version)


def window(tx: Transaction, window: Window) -> Page[Template]:
    """Templates by name, or in the order of the window.

    Raises InvalidInputError("text"): its filter is wrong.
    """
    values = {
        "sort": window.sort,
        "descending": window.descending,
        "limit": min(window.limit, LIMIT_MAX),
        "offset": window.offset,
    }
    total: int = tx.execute(_SQL["count"]).fetchone()["total"]
    if window.text:
        passes = fits(parse_filter(window.text), TEMPLATE_FIELDS)
        every = tx.execute(_SQL["window"], {**values, "offset": 0, "limit": total})
        return page_of([*filter(passes, map(_template, every))], window, total)
    rows = tx.execute(_SQL["window"], values).fetchall()
    first = rows or tx.execute(_SQL["window"], {**values, "offset": 0, "limit": 1}).fetchall()
    return Page([_template(row) for row in rows], first[0]["matching"] if first else 0, total)


def saved_by_request(tx: Transaction, request_id: str, name: str) -> int | None:
    """The version of this template that a request got; None: it is a new request.

    Raises:
        IllegalMoveError: it has saved another template.
    """
    row = tx.execute(_SQL["of_request"], {"request_id": request_id}).fetchone()
    if row is None:
        return None
    if row["name"] != name:
        raise IllegalMoveError(
            f"The request id {request_id} has saved {row['name']}@{row['version']}, which is "
            "another template; take a new id for each save."
        )
    version: int = row["version"]
    return version


def version_with_text(tx: Transaction, name: str, text: str) -> int | None:
    """The newest version of a template, if it has this text; None: another text, or there is no
    such template."""
    row = tx.execute(_SQL["newest"], {"name": name}).fetchone()
    if row is None:
        return None
    values = {"template": row["template"], "version": row["version"]}
    found = tx.execute(_SQL["text"], values).fetchone()
    return row["version"] if found["text"] == text else None


def insert(tx: Transaction, name: str, text: str, description: str, actor: str, now: int) -> int:
    """Adds the next version of a template, and returns its number. Versions beyond what is kept
    are deleted, the oldest first, except those that a schedule names."""
    row = tx.execute(_SQL["count_up"], {"name": name}).fetchall()[0]
    template, version = row["id"], row["version"]
    tx.execute(
        _SQL["insert_version"],
        {
            "template": template,
            "version": version,
            "description": description,
            "saved_by": actor,
            "size": len(text.encode()),
            "text": text,
            "now": now,
        },
    )
    kept = {"versions": VERSIONS_KEPT, "bytes": BYTES_KEPT}
    tx.execute(_SQL["forget_old"], {"template": template, "name": name, **kept})
    number: int = version
    return number


def record_request(tx: Transaction, request_id: str, saved: TemplateVersion) -> None:
    """Keeps which version a request got, so that the same request gets it again. Of each version
    the newest requests are kept."""
    values = {"name": saved.name, "version": saved.version}
    tx.execute(_SQL["insert_request"], {**values, "request_id": request_id})
    tx.execute(_SQL["forget_requests"], {**values, "kept": _REQUESTS_KEPT})


def lock(tx: Transaction, name: str) -> None:
    """No other manager saves or deletes this template, or gives it to a schedule, until the end of
    the transaction."""
    tx.execute(_SQL["lock"], {"name": name})


def delete(tx: Transaction, name: str) -> int:
    """Deletes all versions of a template, and returns the number of the newest. A template that is
    saved under this name later counts on from there.

    Raises:
        NotFoundError: there is no such template.
        IllegalMoveError: a schedule uses it.
    """
    lock(tx, name)
    row = _newest(tx, name)
    if used := schedules.of_template(tx, name):
        which = f"schedule {used[0]} uses" if len(used) == 1 else f"schedules {_shown(used)} use"
        raise IllegalMoveError(f"The template {name} cannot be deleted: the {which} it.")
    tx.execute(_SQL["delete"], {"template": row["template"]})
    version: int = row["version"]
    return version


def _newest(tx: Transaction, name: str) -> Row:
    row: Row | None = tx.execute(_SQL["newest"], {"name": name}).fetchone()
    if row is None:
        raise NotFoundError(f"There is no template {name}.")
    return row


def _no_version(tx: Transaction, newest: Row, version: int) -> NotFoundError:
    values = {"template": newest["template"], "limit": VERSIONS_KEPT}
    kept = [row["version"] for row in tx.execute(_SQL["versions"], values)]
    has = (
        f"the newest is {kept[0]}, the oldest {kept[-1]}" if len(kept) > 1 else f"it has {kept[0]}"
    )
    return NotFoundError(f"There is no version {version} of the template {newest['name']}: {has}.")


def _shown(names: Sequence[str]) -> str:
    """The first of them, for an error."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _template(row: Row) -> Template:
    saved = _saved(row)
    return Template(
        name=row["name"],
        version=saved.version,
        description=row["description"],
        saved_by=saved.saved_by,
        saved_at=saved.saved_at,
        schedules=row["schedules"],
    )


def _saved(row: Row) -> SavedVersion:
    saved_at = to_datetime(row["saved_at"])
    assert saved_at is not None
    return SavedVersion(row["version"], row["saved_by"], saved_at)
