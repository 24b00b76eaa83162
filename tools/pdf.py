"""Makes one PDF of the built book: `make pdf`, which writes _build/vqvae-book.pdf.

    python tools/pdf.py                                  # all pages, after `make book`
    python tools/pdf.py book/01_quantizer --to one.pdf   # some of them

The articles of all pages, in the order of the contents, become one page that a headless Chromium
prints. Figures that move are in it as the stills that the notebooks hold beside them, solutions
stand open, and code that is folded away on the pages is left out. It is printed twice: the first
time tells on which page each chapter begins.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Browser, sync_playwright

import browser
import page_tags

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "vqvae-book.pdf"
WHOLE = "whole.html"  # the one page, beside the chapters, for their relative addresses
PATIENCE = 300_000  # ms, for the mathematics of the whole book
# What has no use on paper, or is code that the pages fold away.
LEFT_OUT = (
    "script, iframe, audio, button, a.headerlink, .vq-links, .prev-next-area, .toctree-wrapper",
    "details.above-input, details.above-output > summary, .tag_remove-input",
)
STYLE = """
@page { size: A4; margin: 18mm 18mm 20mm; }
html { font-size: 10.5pt; }
body { background: #fff; color: #111; }
body > article { max-width: none; break-before: page; }
a { color: inherit; text-decoration: none; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
pre, figure, img, table.table tr, .admonition { break-inside: avoid; }
h1, h2, h3 { break-after: avoid; }
img { max-width: 100%; max-height: 140mm; width: auto; height: auto; }
.bd-article table.table, .bd-article div.math { overflow: visible; }
.whole-contents li { display: flex; gap: 1em; }
.whole-contents li a { flex: 1; }
"""
# Puts page numbers, by anchor, into the contents.
NUMBER = """numbers => {
  for (const link of document.querySelectorAll(".whole-contents a"))
    link.nextElementSibling.textContent = numbers[link.hash.slice(1)];
}"""
FOOT = '<p style="width: 100%; text-align: center; font-size: 8pt" class="pageNumber"></p>'

PRINTED = {
    "prefer_css_page_size": True,
    "print_background": True,
    "display_header_footer": True,
    "header_template": "<p></p>",
    "footer_template": FOOT,
    "outline": True,
    "tagged": True,
}


def all_pages() -> list[str]:
    """The names of all pages, in the order of the book: the links beside each of them."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    root = toc["root"]
    start = HTML / f"{root}.html"
    links = read(start).select("nav.bd-links a.reference.internal[href]")
    paths = [(start.parent / link["href"]).resolve() for link in links if link["href"] != "#"]
    names = [path.relative_to(HTML.resolve()).with_suffix("").as_posix() for path in paths]
    return [root, *names]


def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def stills(name: str) -> list[str]:
    """The pictures of a notebook's interactive figures, in base64."""
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return []
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return [
        "".join(data["image/png"])
        for data in outputs
        if "vq-interactive" in "".join(data.get("text/html", ""))
    ]


def anchor(name: str, part: str = "") -> str:
    """What a page, or a place on it, is called in the whole."""
    return f"{name.replace('/', '-')}--{part}" if part else name.replace("/", "-")


def article_of(soup: BeautifulSoup, name: str, pages: list[str], base: str) -> Tag:
    """A page's article as it goes into the whole.

    Args:
        soup: the built page.
        name: what it is called: book/01_quantizer.
        pages: all that go into the whole.
        base: the address of the published book, for links that lead out of it.
    """
    article = soup.select_one("article")
    frames = article.select("iframe.vq-interactive")
    for frame, picture in zip(frames, stills(name), strict=True):
        frame.insert_before(
            soup.new_tag(
                "img",
                src=f"data:image/png;base64,{picture}",
                alt=frame["title"],
                **{"class": "still"},
            )
        )
    for element in article.select(", ".join(LEFT_OUT)):
        element.decompose()
    for element in article.select("details"):
        element["open"] = ""
    for element in article.select("[id]"):
        element["id"] = anchor(name, element["id"])
    folder = (HTML / name).parent
    for element in article.select("a[href]"):
        element["href"] = address_of(element["href"], name, pages, base)
    for element in article.select("img[src]"):
        if not element["src"].startswith("data:"):
            element["src"] = (folder / unquote(element["src"])).resolve().as_uri()
    article["id"] = anchor(name)
    return article


def address_of(href: str, name: str, pages: list[str], base: str) -> str:
    """Where a link leads from the whole: a place in it, or an address on the network."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return href
    target = (HTML / name).parent / unquote(parts.path) if parts.path else HTML / f"{name}.html"
    path = target.resolve().relative_to(HTML.resolve())
    other = path.with_suffix("").as_posix()
    if other in pages:
        return f"#{anchor(other, parts.fragment)}"
    return base + path.as_posix() + (f"#{parts.fragment}" if parts.fragment else "")


def whole(pages: list[str]) -> str:
    """The one page, with a table of contents that has no numbers yet."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    base = page_tags.base_of(config["repository"]["url"])
    first = read(HTML / f"{pages[0]}.html")
    head = first.select("head link[rel~=stylesheet]")
    head += [e for e in first.select("head script") if "mathjax" in str(e).lower()]
    for element in head:
        for key in ("href", "src"):
            if element.get(key):
                path = (HTML / pages[0]).parent / urlsplit(element[key]).path
                element[key] = path.resolve().as_uri()
    articles, entries = [], []
    for name in pages:
        article = article_of(read(HTML / f"{name}.html"), name, pages, base)
        title = article.h1.get_text()
        entries.append(f'<li><a href="#{anchor(name)}">{title}</a> <span></span></li>')
        articles.append(str(article))
    return f"""<!doctype html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><title>{config["title"]}</title>
{"".join(map(str, head))}
<style>{STYLE}</style></head>
<body class="bd-article">
<nav class="whole-contents"><h1>{config["title"]}</h1><ul>{"".join(entries)}</ul></nav>
{"".join(articles)}
</body></html>"""


def starts(pdf: bytes) -> dict[str, int]:
    """The number of the page on which each named place of a PDF of Chromium's lies."""
    kids = {}
    for match in re.finditer(rb"(\d+) 0 obj\s*<<\s*/Type\s*/Pages(.*?)>>", pdf, re.DOTALL):
        found = re.search(rb"/Kids\s*\[(.*?)\]", match[2], re.DOTALL)
        kids[int(match[1])] = [int(n) for n in re.findall(rb"(\d+) 0 R", found[1])]
    inner = {kid for children in kids.values() for kid in children if kid in kids}
    (root,) = set(kids) - inner

    def leaves(number: int) -> list[int]:
        return [n for kid in kids[number] for n in leaves(kid)] if number in kids else [number]

    order = {number: place for place, number in enumerate(leaves(root), 1)}
    named = re.findall(rb"/([^\s/\[]+)\s*\[(\d+) 0 R\s*/XYZ", pdf)
    return {name.decode("latin-1"): order[int(n)] for name, n in named if int(n) in order}


def count(pdf: bytes) -> int:
    """How many pages it has."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def print_pages(pages: list[str], program: Browser) -> bytes:
    """A PDF of some pages of the built book."""
    path = HTML / "book" / WHOLE
    path.write_text(whole(pages), encoding="utf-8")
    page = program.new_page()
    page.set_default_timeout(PATIENCE)
    try:
        page.goto(path.as_uri(), wait_until="load")
        page.evaluate("window.MathJax && MathJax.startup.promise.then(() => 0)")
        page.evaluate(NUMBER, starts(page.pdf(**PRINTED)))
        return page.pdf(**PRINTED)
    finally:
        page.close()
        path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as book/01_quantizer; default: all")
    parser.add_argument("--to", type=Path, default=PDF, help="the file")
    options = parser.parse_args()
    path = browser.find()
    if not path or not (HTML / "index.html").exists():
        print("pdf: needs the built book (make book) and a Chromium or Chrome")
        return 1
    start = time.perf_counter()
    print("pdf: printing", flush=True)
    pages = options.pages or all_pages()
    with sync_playwright() as playwright:
        pdf = print_pages(pages, playwright.chromium.launch(executable_path=path))
    options.to.write_bytes(pdf)
    seconds = time.perf_counter() - start
    size = len(pdf) / 1e6
    print(f"pdf: {count(pdf)} pages, {size:.1f} MB, after {seconds:.0f} s: {options.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
