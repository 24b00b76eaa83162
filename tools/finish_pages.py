"""A Sphinx extension that finishes the built pages: light to load, and open to all readers.

It changes what the theme and other extensions wrote, and no word of the book:

- Font Awesome's script and fonts give way to the few drawings that the pages have (icons.py);
- interactive figures become files of their own, which come when they are reached (frames.py);
- still figures lose their white ground, and can be read in the dark (plots.py);
- MathJax comes without its menu, which is two fifths of it, but with MathML for screen readers;
- the scripts of Thebe go, which no page uses, and whose second copy is an error on every page;
- names and roles that a screen reader would stumble over are mended.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

import frames
import icons
import plots

MATHJAX = ("core", "input/tex", "output/chtml", "a11y/assistive-mml")
UNUSED = (  # elements in the head of every page
    r"<link [^>]*vendor/fontawesome/[^>]*>\n?",
    r"<script [^>]*vendor/fontawesome/[^>]*></script>\n?",
    r"<link [^>]*sphinx-thebe\.css[^>]*>\n?",
    r"<script [^>]*sphinx-thebe\.js[^>]*></script>\n?",
    r"<script>const THEBE_JS_URL[^<]*</script>\n?",
)
REPLACED = (
    # A name must hold the words that are seen.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'<summary>(?=<span class="toctree-toggle")', '<summary aria-label="Pages of this part">'),
    (r'(?<=<button class="btn search-button-field search-button__button") .*?>', ">"),
    # All of a page belongs to a landmark.
    (
        r'(?<=<div class="bd-sidebar-primary bd-sidebar)"',
        '" role="complementary" aria-label="Book"',
    ),
    # ARIA 1.3 gives up this role; the list around the entries is one already.
    (r'role="doc-biblioentry"', 'role="listitem"'),
)


def finish(text: str, folder: Path, drawings: dict) -> str:
    """A built page as it should be.

    Args:
        text: the page as Sphinx wrote it.
        folder: the built book.
        drawings: the icons, from `icons.of_book`.
    """
    root = re.search(r'<html[^>]* data-content_root="([^"]*)"', text)[1]
    for pattern in UNUSED:
        text = re.sub(pattern, "", text)
    for pattern, instead in REPLACED:
        text = re.sub(pattern, instead, text)
    return icons.draw(frames.take_out(text, root, folder), drawings)


def finish_all(app: Sphinx, exception: Exception | None) -> None:
    """Finishes every page that was built, once all else is in its place."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    static = folder / "_static"
    drawings, style = icons.of_book(static)
    (static / "icons.css").write_text(style, encoding="utf-8")
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if "data-content_root" in text:  # a page of the theme's
            path.write_text(finish(text, folder, drawings), encoding="utf-8")
    plots.finish(folder / "_images")
    shutil.rmtree(static / "vendor" / "fontawesome")


def load_less_of_mathjax(app: Sphinx, config) -> None:
    """MathJax by parts, with the fonts and extensions that it fetches when a page needs them."""
    config.mathjax_path = "mathjax/startup.js"
    config.mathjax3_config = {"loader": {"load": list(MATHJAX)}}


def setup(app: Sphinx) -> dict:
    app.add_css_file("icons.css", priority=790)  # after those that it corrects, before the book's
    app.connect("config-inited", load_less_of_mathjax)
    app.connect("build-finished", finish_all, priority=900)  # after all that copies files
    return {"parallel_read_safe": True, "parallel_write_safe": True}
