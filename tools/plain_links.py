"""Sphinx extension: the book's buttons give plain notebooks (plain_notebooks.py), none with MyST.

The theme has a button that opens a page's notebook in Colab, and one that downloads it. Both take
the file that the page was made from, whose Markdown is for Sphinx alone.
"""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

COPIES = Path(__file__).resolve().parent.parent / "notebooks"


def open_copy(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Lets the launch buttons of a chapter open its copy."""
    copy = COPIES / f"{Path(page).name}.ipynb"
    if not copy.exists():
        return
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                path = f"{copy.parent.name}/{copy.name}"
                button["url"] = button["url"].replace(f"{page}.ipynb", path)


def download_copy(app: Sphinx, error: Exception | None) -> None:
    """Puts the copies where the download button finds a page's source."""
    for copy in sorted(COPIES.glob("*.ipynb")):
        for source in (Path(app.outdir) / "_sources").rglob(copy.name):
            shutil.copyfile(copy, source)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", open_copy, priority=900)  # after the theme made its buttons
    app.connect("build-finished", download_copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
