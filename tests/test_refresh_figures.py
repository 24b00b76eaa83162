"""tools/refresh_figures.py: new scripts into stored figures, and nothing else."""

import html
import json
import re

import nbformat
import pytest

import refresh_figures
from refresh_figures import Sources

PAGE = (
    "<p>{policy}</p><h>{title}</h><s>\n{css}\n</s><d>{data}</d>"
    "<c>{common}</c>\n{own}\n<t>{title}</t>"
)
FILES = {
    "page.py": f"_PAGE = {PAGE!r}\n_POLICY = 'old'\n",
    "web/common.css": "a {}\n",
    "web/common.js": "const VQ = 1;",
    "web/tool.js": "// A tool.\ntool();\n",
    "web/probe.js": "probe('é < &');",
}
NAMES = [name.removeprefix("web/") for name in FILES if name.startswith("web/")]
DATA = '{"own":"{css}","x":"\\u003c"}'


def sources(**changes):
    return Sources((FILES | changes).__getitem__, NAMES)


def page_of(own="tool();\nprobe('é < &');", heading="<h>T &amp; S</h>", policy="old"):
    style, common = "<s>\na {}\n</s>", "<c>const VQ = 1;</c>"
    return f"<p>{policy}</p>{heading}{style}<d>{DATA}</d>{common}\n{own}\n<t>T &amp; S</t>"


@pytest.fixture
def notebook(tmp_path):
    """A notebook with a figure, beside other outputs, and a function that reads the figure."""
    frame = '<iframe class="vq-interactive" title="T" srcdoc="{}"></iframe>'

    def store(page):
        data = {"text/html": frame.format(html.escape(page)), "image/png": "AAAA"}
        outputs = [
            nbformat.v4.new_output("display_data", data=data),
            nbformat.v4.new_output("display_data", data={"text/html": "<b>1</b>"}),
        ]
        cell = nbformat.v4.new_code_cell("1", outputs=outputs)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "chapter.ipynb")
        return tmp_path / "chapter.ipynb"

    return store


def figure_in(path):
    stored = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["outputs"]
    assert "".join(stored[1]["data"]["text/html"]) == "<b>1</b>"
    assert "".join(stored[0]["data"]["image/png"]).strip() == "AAAA"
    text = "".join(stored[0]["data"]["text/html"])
    return html.unescape(re.search('srcdoc="([^"]*)"></iframe>$', text)[1])


def test_a_figure_gets_the_new_files_and_page_and_keeps_its_data(notebook):
    path = notebook(page_of())
    page = PAGE.replace("<h>{title}</h>", "<h1>{title}</h1>")
    page = f"_PAGE = {page!r}\n_POLICY = \"'new'\"\n"
    new = sources(**{"web/tool.js": "// A new tool.\n  new();", "page.py": page})
    assert refresh_figures.refresh(path, sources(), new) == 1
    wanted = page_of("new();\nprobe('é < &');", "<h1>T &amp; S</h1>", "&#x27;new&#x27;")
    assert figure_in(path) == wanted


def test_a_figure_from_when_pages_held_comments_is_known(notebook):
    path = notebook(page_of("// A tool.\ntool();\nprobe('é < &');"))
    assert refresh_figures.refresh(path, sources(), sources()) == 1
    assert figure_in(path) == page_of()


def test_a_notebook_whose_figures_are_fresh_is_not_written(notebook):
    path = notebook(page_of())
    before = path.stat().st_mtime_ns
    assert refresh_figures.refresh(path, sources(), sources()) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("page", [page_of(own="other();"), "<h>another page</h>"])
def test_a_figure_of_other_files_is_refused(notebook, page):
    path = notebook(page)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no file of figures/web|not the page"):
        refresh_figures.refresh(path, sources(), sources())
    assert path.read_bytes() == before


def test_the_book_shows_the_present_figures():
    """Every stored figure is made of the files that are there now."""
    now = refresh_figures.present()
    figures = 0
    for path in (refresh_figures.ROOT / "book").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                text = output.get("data", {}).get("text/html", "")
                match = 'class="vq-interactive"' in text and refresh_figures.SRCDOC.search(text)
                if match:
                    page = html.unescape(match[0])
                    assert now.assemble(now.parts(page)) == page, path.name
                    figures += 1
    assert figures >= 7
