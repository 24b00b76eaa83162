"""Still figures on a page: no ground of their own, and ink that the dark theme can read.

In the notebooks a figure stands on white, for viewers of every kind. On a page its ground is the
page's. At the address `figure.svg#dark`, which book/_static/figures.js gives it in the dark theme,
what is drawn in `vqvae_lite.figures.plots.INK` is light instead, and the darker colours of its
palette are those of web/common.css there.
"""

from pathlib import Path

INK = "#1f2328"
# Each with what it becomes in the dark.
LIGHTER = {
    "ink": (INK, "#e6e8eb"),
    "blue": ("#0072b2", "#4c9fd8"),
    "vermilion": ("#d55e00", "#f07f2e"),
    "green": ("#009e73", "#1fbf92"),
}
# Variables, since rules do not reach into what is drawn more than once (`<use>`); values do.
RULES = "\n".join(
    [
        "",
        *[f"svg {{ --{name}: {color} }}" for name, (color, _) in LIGHTER.items()],
        *[f"#dark:target {{ --{name}: {light} }}" for name, (_, light) in LIGHTER.items()],
        "#patch_1 > path { fill: none !important }",
        *[
            f'[style*="{part}: {color}"] {{ {part}: var(--{name}) !important }}'
            for name, (color, _) in LIGHTER.items()
            for part in ("fill", "stroke")
        ],
        "",
    ]
)


def on_a_page(svg: str) -> str:
    """A figure as matplotlib wrote it, with the rules of a page in its style sheet.

    Raises:
        ValueError: it has no style sheet, so that it is not matplotlib's.
    """
    if "</style>" not in svg:
        raise ValueError("a figure without matplotlib's style sheet")
    return svg.replace("<svg ", '<svg id="dark" ', 1).replace("</style>", f"{RULES}</style>", 1)


def finish(folder: Path) -> None:
    """Finishes the figures of a built book, in place."""
    for path in folder.glob("*.svg"):
        path.write_text(on_a_page(path.read_text(encoding="utf-8")), encoding="utf-8")
