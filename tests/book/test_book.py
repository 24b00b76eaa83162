"""The built book: complete, without a warning, described, and made of nothing but its own files."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

import page_tags
from built import HTML, PAGES, built  # noqa: F401  (the fixture that wants a fresh book)

ROOT = Path(__file__).resolve().parents[2]
# Elements that make a browser fetch something, and the attributes that say what.
FETCHED = {"src", "srcset", "data", "poster"}
LINKS_FETCHED = {"stylesheet", "preload", "prefetch", "modulepreload", "icon", "manifest"}
REMOTE = re.compile(r"(?i)^\s*(https?:)?//")


@pytest.fixture(params=PAGES)
def page(request):
    return soup(HTML / f"{request.param}.html")


_parsed = {}


def soup(path):
    if path not in _parsed:
        _parsed[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        _parsed[path].path = path
    return _parsed[path]


def frames(page):
    """The pages inside the interactive figures."""
    figures = page.select("iframe.vq-interactive")
    return [(figure, soup((page.path.parent / figure["src"]).resolve())) for figure in figures]


def fetched(page):
    """Every address that a browser fetches by itself for a page."""
    for element in page.find_all(True):
        if element.name == "link":
            if LINKS_FETCHED & set(element.get("rel", [])):
                yield element["href"]
            continue
        yield from (element[name] for name in FETCHED & set(element.attrs))
        yield from in_style(element.get("style", ""))
        if element.name == "style":
            yield from in_style(element.text)


def in_style(text):
    return re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(
        r"@import\s+['\"](.+?)['\"]", text
    )


def test_no_warning():
    log = (ROOT / "_build" / "build.log").read_text(encoding="utf-8")
    assert "build succeeded." in log
    assert not re.findall(r".*(?:WARNING|ERROR).*", log)


def test_every_notebook_is_a_chapter():
    files = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.ipynb")}
    assert files <= set(PAGES)


def test_chapters_are_numbered_from_one_after_the_prologue():
    links = soup(HTML / "book" / "index.html").select("nav.bd-links a.reference.internal")
    prologue, *names = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))
    numbers = {link["href"]: link.text.strip().partition(".")[0] for link in links}
    assert numbers[f"{prologue}.html"] == "Why symbols?"
    assert [numbers[f"{name}.html"] for name in names] == [str(int(n[:2])) for n in names]


def test_pictures_have_alt_text(page):
    for picture in page.find_all("img"):
        alt = picture.get("alt", "").strip()
        assert alt, picture
        assert not re.search(r"_images/|\.(png|jpe?g|svg|webp|gif)$", alt), picture


def test_nothing_comes_from_the_network(page):
    documents = [page, *(document for _, document in frames(page))]
    remote = [a for document in documents for a in fetched(document) if REMOTE.match(a)]
    assert not remote


def test_figures_bring_everything_along(page):
    for figure, document in frames(page):
        assert figure["title"].strip()
        assert all(a.startswith(("data:", "#")) for a in fetched(document)), figure["title"]


def test_stylesheets_fetch_nothing_from_the_network(page):
    sheets = [link["href"] for link in page.select("link[rel~=stylesheet]")]
    for sheet in sheets:
        path = page.path.parent / urlsplit(sheet).path
        assert not [a for a in in_style(path.read_text(encoding="utf-8")) if REMOTE.match(a)]


def test_fetched_files_exist(page):
    for address in fetched(page):
        if not re.match(r"[a-z]+:", address):
            path = page.path.parent / unquote(urlsplit(address).path)
            assert path.exists(), address


def test_links_lead_somewhere(page):
    for link in page.select("a[href]"):
        address = urlsplit(link["href"])
        if address.scheme or address.netloc:
            continue
        target = page.path
        if address.path:
            target = (page.path.parent / unquote(address.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
        assert target.exists(), link
        if address.fragment and target.suffix == ".html":
            name = unquote(address.fragment)
            assert soup(target).find(id=name) or soup(target).find(attrs={"name": name}), link


def test_interactive_figures_can_be_opened_alone_and_saved(page):
    for figure in page.select("iframe.vq-interactive"):
        alone, save = figure.find_next("p", class_="vq-links").select("a")
        assert alone["href"] == save["href"] == figure["src"]
        assert save["download"] == figure["src"].rpartition("/")[2]
        assert figure["loading"] == "lazy"


def test_icons_are_drawings(page):
    assert not page.select('i[class*="fa"]')
    drawings = page.select("svg.icon")
    assert len(drawings) >= 5
    assert all(drawing.path["d"] and drawing["aria-hidden"] == "true" for drawing in drawings)


def test_interactive_figures_say_how_to_test_them(page):
    for figure, document in frames(page):
        root = document.html
        for name in ("lang", "data-test-click", "data-test-key"):
            assert root.get(name), f"{figure['title']}: no {name} on <html>"
        assert "data-state" in root.attrs
        assert "sandbox" not in figure.attrs


def test_page_is_in_order(page):
    assert page.html["lang"] == "en"
    assert len(page.select("article h1")) == 1
    assert page.title.text.strip()


def meta(page):
    """What a page says of itself: pairs of a name and a content."""
    named = page.select("meta[name=description], meta[name^=twitter], meta[property^=og]")
    return [(element.get("name") or element["property"], element["content"]) for element in named]


def test_pages_describe_themselves(page):
    told = meta(page)
    assert len({key for key, _ in told}) == len(told)
    told = dict(told)
    address = f"{page_tags.base_of(repository())}{page.path.relative_to(HTML).as_posix()}"
    assert 40 <= len(told["description"]) <= page_tags.LONGEST
    assert told["og:description"] == told["description"]
    assert told["og:title"] in page.title.text
    assert told["og:site_name"] == "The VQ-VAE, step by step"
    assert told["og:url"] == address
    base, _, picture = told["og:image"].rpartition("_static/")
    assert base == page_tags.base_of(repository())
    assert (HTML / "_static" / picture).is_file()


def test_descriptions_are_those_of_one_page(page):
    description = dict(meta(page))["description"]
    others = [soup(HTML / f"{name}.html") for name in PAGES]
    assert [dict(meta(other))["description"] for other in others].count(description) == 1


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Short.", "Short."),
        ("One sentence of some length here. " + "word " * 80, "One sentence of some length here."),
        ("No. " + "word " * 80, "No. " + "word " * 58 + "word…"),
    ],
)
def test_long_descriptions_end_with_a_sentence_or_a_word(monkeypatch, text, short):
    monkeypatch.setattr(page_tags, "SHORTEST", 20)
    assert page_tags.shorten(text) == short
    assert len(short) <= page_tags.LONGEST


def repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def test_plain_copies_open_in_colab_and_are_downloaded(page):
    slug = urlsplit(repository()).path
    copy = ROOT / "notebooks" / page.path.with_suffix(".ipynb").name
    if copy.exists():
        colab = [a["href"] for a in page.select('a[href*="colab.research.google.com"]')]
        prefix = f"https://colab.research.google.com/github{slug}/blob/main"
        assert colab == [f"{prefix}/notebooks/{copy.name}"]
        (source,) = page.select(f'a[href$="{copy.name}"].btn-download-source-button')
        assert (page.path.parent / source["href"]).read_bytes() == copy.read_bytes()


def test_plain_copies_have_the_numbers_of_the_page(page):
    """Captions, equations and exercises; the rest of the copy is compared with its notebook."""
    copy = ROOT / "notebooks" / page.path.with_suffix(".ipynb").name
    if not copy.exists():
        return
    cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    captions = [element.text.strip() for element in page.select("figcaption .caption-number")]
    found = re.findall(r"(?m)^\*\*Figure ([\d.]+)\.\*\*", text)
    assert sorted(f"Fig. {number}" for number in found) == sorted(captions)
    equations = [element.text.strip("#\n\xb6 ") for element in page.select(".eqno")]
    assert [f"({number})" for number in re.findall(r"\\tag\{(.*?)\}", text)] == equations
    exercises = [element.text for element in page.select(".exercise > .admonition-title")]
    numbers = [re.search(r"Exercise \d+(\.\d+)?", title)[0] for title in exercises]
    assert re.findall(r"(?m)^### (Exercise \d+(?:\.\d+)?)", text) == numbers
