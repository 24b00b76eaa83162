"""A Sphinx extension: what search engines and social cards show of each page.

The description is the page's first paragraph, or what its front matter has as `description:`; the
picture is that of the whole model. Addresses are those of the published book, which follow from the
repository's (`repository: url:` in _config.yml).
"""

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LONGEST, SHORTEST = 300, 40  # characters of a description
PICTURE = "_static/model.png"
PICTURE_SHOWS = "A frame of a maze, its map of codes, and the picture decoded from them"


def base_of(repository: str) -> str:
    """The address of the published book, with a slash at its end."""
    owner, name = repository.rstrip("/").split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}/"


def description_of(doctree: nodes.document) -> str:
    """The first paragraph that says something, as far as its last whole sentence within LONGEST."""
    paragraphs = [
        " ".join(paragraph.astext().split())
        for paragraph in doctree.findall(nodes.paragraph)
        if not any(paragraph.findall(lambda node: isinstance(node, nodes.math)))
    ]
    text = next((p for p in paragraphs if len(p) >= SHORTEST), "".join(paragraphs[:1]))
    return shorten(text)


def shorten(text: str) -> str:
    """A text of at most LONGEST characters: whole sentences where they fit, else words and dots."""
    if len(text) <= LONGEST:
        return text
    end = max((match.end() for match in re.finditer(r"[.?!](?= )", text[:LONGEST])), default=0)
    if end >= SHORTEST:
        return text[:end]
    return text[: LONGEST - 1].rpartition(" ")[0] + "…"


def tags(title: str, description: str, address: str, base: str, site: str) -> str:
    """The elements of <head>."""
    graph = {
        "og:type": "article",
        "og:site_name": site,
        "og:title": title,
        "og:description": description,
        "og:url": address,
        "og:image": base + PICTURE,
        "og:image:alt": PICTURE_SHOWS,
    }
    named = {"description": description, "twitter:card": "summary_large_image"}
    lines = [f'<meta property="{key}" content="{escape(text)}">' for key, text in graph.items()]
    lines += [f'<meta name="{key}" content="{escape(text)}">' for key, text in named.items()]
    return "\n".join(lines)


def add_tags(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None:  # the search, the index
        return
    base = base_of(app.config.html_theme_options["repository_url"])
    title = re.sub(r"<.*?>", "", context["title"])
    told = app.env.metadata[page].get("description") or description_of(doctree)
    head = tags(title, told, f"{base}{page}.html", base, app.config.html_title)
    context["metatags"] = context.get("metatags", "") + head


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
