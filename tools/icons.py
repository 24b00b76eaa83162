"""The icons of the theme as drawings, without Font Awesome's script and fonts.

The theme asks for an icon by the classes of an empty element or by a letter of a font. Font
Awesome draws them in the reader's browser out of 1.6 MB of script, and three fonts. Here the few
that the pages have are taken out of that script when the book is built.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

NOTICE = (
    "/* Icons of Font Awesome Free by Fonticons, https://fontawesome.com, under CC BY 4.0. */\n"
)
BASE = """\
.icon { display: inline-block; height: 1em; overflow: visible; vertical-align: -0.125em; }
.icon.fa-lg { font-size: 1.25em; vertical-align: -0.2em; }
"""
# What a letter of the font was is now a shape in the colour of the text.
MASKED = """\
{selectors} {{
  content: ""; display: inline-block; width: 1.25em; height: 1lh; vertical-align: top;
  background: currentColor; mask: var(--icon) left center / auto 1em no-repeat;
  print-color-adjust: exact;
}}
"""
STYLES = {"fab": "fab", "fa-brands": "fab", "far": "far", "fa-regular": "far"}
ELEMENT = re.compile(r'<(i|span) class="((?:[\w-]+ )*(?:fa[bsr]?|fa-\w+) [^"]*)"([^>]*)></\1>')


class Icon(NamedTuple):
    """A drawing: what it shows of the plane, its letter in the fonts, and its outline."""

    width: int
    height: int
    letter: str
    path: str

    def svg(self, attributes: str) -> str:
        """The drawing as an element with the attributes."""
        box = f'viewBox="0 0 {self.width} {self.height}"'
        return f'<svg {attributes} {box}><path fill="currentColor" d="{self.path}"/></svg>'


def read_icons(script: str) -> dict[str, dict[str, Icon]]:
    """The drawings in Font Awesome's `all.min.js`, by style (fab, far, fas) and name."""
    icons = {}
    for style in ("fab", "far", "fas"):  # each style's drawings stand before its name
        part, _, script = script.partition(f'("{style}",')
        icons[style] = {
            name: Icon(int(width), int(height), letter, path)
            for name, width, height, letter, path in re.findall(
                r'[{,]"?([\w-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"([0-9a-f]+)","([^"]+)"\]', part
            )
        }
    return icons


def draw(text: str, icons: dict[str, dict[str, Icon]]) -> str:
    """A page with drawings in place of the elements that ask for an icon.

    Raises:
        ValueError: a page asks for an icon that is not in the script.
    """

    def drawing(match: re.Match) -> str:
        classes = match[2].split()
        style = next((STYLES[name] for name in classes if name in STYLES), "fas")
        for name in classes:
            icon = icons[style].get(name.removeprefix("fa-"))
            if icon and name.startswith("fa-"):
                attributes = f'class="icon {match[2]}"{match[3]} aria-hidden="true"'
                return icon.svg(attributes)
        raise ValueError(f"no icon for {match[0]!r} in Font Awesome's script")

    return ELEMENT.sub(drawing, text)


def stylesheet(theme: str, icons: dict[str, dict[str, Icon]]) -> str:
    """The styles of the drawings, and the shapes for what other style sheets set in letters.

    Args:
        theme: those style sheets; some letters stand in variables, `--pst-icon-...`.
        icons: the drawings.
    """
    solid = {icon.letter: icon for icon in icons["fas"].values()}
    theme = re.sub(r"/\*.*?\*/", "", theme, flags=re.DOTALL)
    variables = dict(re.findall(r"--(pst-icon-[\w-]+):([^;}]+)", theme))
    selectors = defaultdict(list)
    for selector, value in re.findall(r"([^{}]+)\{[^{}]*content: ?([^;}]+)", theme):
        while reference := re.fullmatch(r"var\(--([\w-]+)\)", value):
            value = variables.get(reference[1], "")
        letter = re.fullmatch(r'"(?:\\([0-9a-f]{4})|(.))"', value)
        icon = letter and solid.get(letter[1] or f"{ord(letter[2]):x}")
        if icon:
            selectors[icon].append(selector.strip())
    every = ",\n".join(selector for group in selectors.values() for selector in group)
    rules = [NOTICE, BASE, MASKED.format(selectors=every)]
    for icon, group in selectors.items():
        image = quote(icon.svg('xmlns="http://www.w3.org/2000/svg"'), safe=" /:=,-")
        rules.append(f'{", ".join(group)} {{ --icon: url("data:image/svg+xml,{image}"); }}\n')
    return "".join(rules)


def of_book(static: Path) -> tuple[dict[str, dict[str, Icon]], str]:
    """The drawings in a built book's `_static`, and the style sheet that goes with them."""
    (script,) = static.glob("vendor/fontawesome/*/js/all.min.js")
    icons = read_icons(script.read_text(encoding="utf-8"))
    sheets = sorted([*static.glob("*.css"), *static.glob("styles/*.css")])
    theme = "\n".join(path.read_text(encoding="utf-8") for path in sheets)
    return icons, stylesheet(theme, icons)
