"""The completion of paths of this machine in a field."""

from pathlib import Path

import pytest

from tui_manager.ui.forms.path_suggester import PathSuggester


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site").touch()
    for name in ("app.conf", "my keys", ".hidden", "new\nline"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("ap", "app.conf"),
        ("app.conf co", "app.conf conf.d/"),
        ("conf.d/", "conf.d/site"),
        ("~/conf.d/s", "~/conf.d/site"),
        ("./ap", "./app.conf"),
        (".h", ".hidden"),
        ("app.conf", None),
        ("app.conf ", None),
        ("", None),
        ("nothing", None),
        ("no/such/folder/", None),
        ("my", None),  # it needs quotes
        ("ne", None),  # it is not printable
        ("'a b' ap", None),
        ("~nobody-here/x", None),
    ],
)
async def test_the_last_path_is_completed(typed: str, becomes: str | None) -> None:
    assert await PathSuggester(several=True).get_suggestion(typed) == becomes


async def test_the_only_path_of_a_field_may_have_blanks() -> None:
    assert await PathSuggester(several=False).get_suggestion("my") == "my keys"
    assert await PathSuggester(several=False).get_suggestion("my k") == "my keys"
