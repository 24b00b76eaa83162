"""The built book, for the tests that read it: where it is, its pages, and that it is fresh."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))


def pages_of(entries):
    """The pages that entries of the contents name, with their sections."""
    for entry in entries:
        if "glob" in entry:
            yield from sorted(
                path.relative_to(ROOT).with_suffix("").as_posix()
                for path in ROOT.glob(entry["glob"] + ".md")
            )
        else:
            yield entry["file"]
            yield from pages_of(entry.get("sections", []))


PAGES = [TOC["root"]] + [page for part in TOC["parts"] for page in pages_of(part["chapters"])]


@pytest.fixture(scope="module", autouse=True)
def built():
    """The book was built after the last change of what it is built from."""
    index = HTML / "index.html"
    if not index.exists():
        pytest.fail("no book in _build/html: run `make book`")
    sources = [ROOT / "_config.yml", ROOT / "_toc.yml"]
    for folder in ("book", "notebooks"):
        sources += [path for path in (ROOT / folder).glob("*") if path.is_file()]
    sources += (ROOT / "book" / "_static").rglob("*.*")
    ours = ("finish_pages", "frames", "icons", "plots")
    sources += [ROOT / "tools" / f"{name}.py" for name in ours]
    newer = [path.name for path in sources if path.stat().st_mtime > index.stat().st_mtime]
    if newer:
        pytest.fail(f"the book is older than {', '.join(newer)}: run `make book`")
