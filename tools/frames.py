"""Interactive figures of the built pages in files of their own.

A notebook holds each figure's page inside its iframe. On a built page all of them would come down
before the first line can be read; as files they come when the reader gets there, can be opened
alone, and can be saved.
"""

import html
import re
from pathlib import Path

FIGURES = "figures"  # the folder, in the built book
FRAME = re.compile(r'<iframe class="vq-interactive"([^>]*?) srcdoc="([^"]*)"></iframe>')
NAME = re.compile(r'<figure\b[^>]*\bid="([^"]+)"')
LINKED = """\
<iframe class="vq-interactive" loading="lazy"{attributes} src="{address}"></iframe>
<p class="vq-links"><a href="{address}">Open this figure alone</a> \
<a href="{address}" download="{file}">Save it as one file</a></p>"""


def take_out(text: str, root: str, folder: Path) -> str:
    """A page whose frames show files, which are written here.

    Args:
        text: the page.
        root: the address of the built book as the page names it, such as "../".
        folder: the built book.

    Raises:
        ValueError: a figure stands where nothing gives it a name.
    """

    def link(match: re.Match) -> str:
        attributes, page = match.groups()
        names = NAME.findall(text, 0, match.start())
        if (
            not names
            or "</figure>" in text[text.rindex(names[-1], 0, match.start()) : match.start()]
        ):
            raise ValueError(f"an interactive figure has no name (mystnb.figure.name):{attributes}")
        file = f"{names[-1]}.html"
        (folder / FIGURES).mkdir(exist_ok=True)
        (folder / FIGURES / file).write_text(html.unescape(page), encoding="utf-8")
        return LINKED.format(attributes=attributes, address=f"{root}{FIGURES}/{file}", file=file)

    return FRAME.sub(link, text)
