"""The site of the manual is built strictly, and needs nothing from elsewhere when it is read."""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
OPTIONS = "--builder html --fail-on-warning --keep-going --fresh-env --quiet"
BROKEN = """\
# A manual

[a page](missing.md), [a heading](index.md#no-such-heading), ![a picture](missing.svg)
"""


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Builds a site as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *OPTIONS.split(), str(source), str(target)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_manual_has_no_broken_link_and_fetches_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = build(DOCS, site)
    assert built.returncode == 0, built.stderr
    pages = [path for path in DOCS.rglob("*.md") if "_build" not in path.parts]
    for page in pages:
        html = (site / page.relative_to(DOCS)).with_suffix(".html").read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"', html) == []
        assert re.findall(r'<link[^>]+href="(?:https?:)?//[^"]*"', html) == []
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", style.read_text(encoding="utf-8"))


def test_what_is_broken_is_named_and_ends_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    (source / "_static").mkdir(parents=True)
    (source / "_static" / "manual.css").touch()
    (source / "conf.py").write_bytes((DOCS / "conf.py").read_bytes())
    (source / "index.md").write_text(BROKEN, encoding="utf-8")
    (source / "alone.md").write_text("# A page that no other names\n", encoding="utf-8")
    built = build(source, tmp_path / "site")
    assert built.returncode != 0
    warnings = [line for line in built.stderr.splitlines() if "WARNING" in line]
    for complaint in ("missing.md", "no-such-heading", "missing.svg", "included in any toctree"):
        assert sum(complaint in line for line in warnings) == 1, (complaint, built.stderr)
    assert len(warnings) == 4


def test_make_builds_the_manual_with_the_same_options() -> None:
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    assert f"-m sphinx {OPTIONS} docs docs/_build\n" in makefile
