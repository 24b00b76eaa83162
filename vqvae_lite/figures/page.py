"""Interactive figures that need no kernel, no network and no library.

A figure is one self-contained HTML page: shared style and script (`web/common.css`,
`web/common.js`), the figure's own (`web/<name>.js`, and `web/<name>.css` where it has one), the
scripts that this one uses, and its data. The page travels in the `srcdoc` of an iframe, so its
style and script touch nothing around it, and it works alike in Jupyter, in Colab and in the
built book.
"""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

_WEB = Path(__file__).parent / "web"
_NARROW = {f"int{bits}": bits for bits in range(2, 8)}
_CODES = {f"uint{bits}": bits for bits in range(9, 16)}

# The page may run what stands in it, WebAssembly too, and ask nothing of any network.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:"
)

_PAGE = """\
<!doctype html>
<html lang="en" data-state="" data-test-click="{click}" data-test-key="{key}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{css}
</style>
</head>
<body>
<main id="figure" aria-label="{title}"><h1>{title}</h1></main>
<p id="announcer" class="visually-hidden" aria-live="polite"></p>
<script type="application/json" id="data">{data}</script>
<script>
{common}
</script>
<script>
{own}
</script>
</body>
</html>
"""


class InteractiveFigure:
    """A figure that reacts in the reader's browser, and is a picture where it cannot.

    As the last value of a notebook cell it shows itself: `text/html` is the page in an iframe,
    `image/png` the still for print and for viewers without scripts, `text/plain` the
    description.

    Args:
        name: the figure's script, `vqvae_lite/figures/web/<name>.js`.
        data: what the script finds as `VQ.data`; anything JSON holds. `rounded` and `pack` turn
            arrays into such values.
        title: what a screen reader calls the figure.
        description: what the figure shows, for viewers with neither scripts nor pictures.
        still: a matplotlib figure of the state that the page opens with; it is drawn and closed.
        height: the iframe's height in CSS pixels until the page has measured its own.
        click: a CSS selector in the page; a click on its first match changes the figure.
        key: the same for the keyboard, as "selector|Key", such as "#slider|ArrowRight".
        uses: more scripts, `web/<name>.js`, that come before the figure's own, and their
            styles where they have any.

    Attributes:
        page: the whole page, as text.

    Raises:
        FileNotFoundError: there is no script of that name, or of one in `uses`.
        TypeError: `data` holds something that JSON does not.
        ValueError: `data` holds NaN or infinity, or `key` is not of the form "selector|Key".
    """

    def __init__(
        self,
        name: str,
        data: Any,
        *,
        title: str,
        description: str,
        still: Figure,
        height: int,
        click: str,
        key: str,
        uses: Sequence[str] = (),
    ):
        if not all(key.rpartition("|")):
            raise ValueError(f"key must be 'selector|Key', got {key!r}")
        for script in (*uses, name):
            if not (_WEB / f"{script}.js").is_file():
                raise FileNotFoundError(f"name must be a script in figures/web, got {script!r}")
        styles = [_WEB / f"{script}.css" for script in (*uses, name)]
        css = [_WEB / "common.css"] + [style for style in styles if style.is_file()]
        self.page = _PAGE.format(
            click=html.escape(click),
            key=html.escape(key),
            policy=html.escape(_POLICY),
            title=html.escape(title),
            css="\n".join(_source(path) for path in css),
            data=_json_for_script(data),
            common=_source(_WEB / "common.js"),
            own="\n".join(_source(_WEB / f"{script}.js") for script in (*uses, name)),
        )
        self._title = title
        self._description = description
        self._height = height
        self._png = _png(still)

    def __repr__(self) -> str:
        return f"{self._title}. {self._description}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str | bytes]:
        frame = (
            f'<iframe class="vq-interactive" title="{html.escape(self._title)}" '
            f'style="display:block;width:100%;height:{self._height}px;border:0" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )
        return {"text/html": frame, "image/png": self._png, "text/plain": repr(self)}


def rounded(values: Any, digits: int = 4) -> Any:
    """Numbers as nested lists, rounded so that another CPU's last bits do not show.

    Args:
        values: a tensor, an array, or nested lists of numbers.
        digits: decimal places.
    """
    array = np.asarray(values, dtype=np.float64).round(digits)
    return (array + 0.0).tolist()  # -0.0 + 0.0 is 0.0


def pack(values: Any, dtype: str = "float32") -> dict[str, Any]:
    """Many numbers as base64 text, a third of the size of JSON; `VQ.unpack` reads it.

    Args:
        values: a tensor or array.
        dtype: "uint8", "int8", "int16", "int32", "float16" or "float32"; or, for whole numbers of
            so many bits, one after another, "int2" to "int7" and "uint9" to "uint15".

    Raises:
        ValueError: another dtype.
    """
    if bits := (_NARROW | _CODES).get(dtype):
        array = np.asarray(values)
        counted = array.astype(np.int64) + (2 ** (bits - 1) if dtype in _NARROW else 0)
        ones = counted.reshape(-1, 1) >> np.arange(bits)[::-1] & 1
        text = base64.b64encode(np.packbits(ones.astype(np.uint8)).tobytes()).decode()
        return {"dtype": dtype, "shape": list(array.shape), "base64": text}
    if dtype not in ("uint8", "int8", "int16", "int32", "float16", "float32"):
        raise ValueError(f"dtype must be one that VQ.unpack reads, got {dtype!r}")
    array = np.asarray(values).astype(np.dtype(dtype).newbyteorder("<"))
    text = base64.b64encode(array.tobytes()).decode()
    return {"dtype": dtype, "shape": list(array.shape), "base64": text}


def pack_codes(codes: Any, num_codes: int) -> dict[str, Any]:
    """Codes as `pack` does it, in as few bits as K of them need.

    Args:
        codes: a tensor or array of integers in [0, num_codes).
        num_codes: K, at most 32,768.
    """
    bits = max(8, (num_codes - 1).bit_length())
    return pack(codes, f"uint{bits}")


def pack_steps(values: Any, bits: int) -> dict[str, Any]:
    """Weights as whole multiples of a step, each row with its own; `VQ.network` reads them.

    A row's step is its largest weight by 2 ** (bits - 1) - 1, so that it loses at most half a step.

    Args:
        values: a tensor or array, (rows, ...).
        bits: of a multiple, 2 to 8, or 16.

    Raises:
        ValueError: `bits` is another number.
    """
    if bits not in (*range(2, 9), 16):
        raise ValueError(f"bits must be 2 to 8, or 16, got {bits!r}")
    rows = np.asarray(values, dtype=np.float64)
    largest = np.abs(rows).max(tuple(range(1, rows.ndim)), keepdims=True)
    step = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(2 ** (bits - 1) - 1)
    return {"steps": pack((rows / step).round(), f"int{bits}"), "step": pack(step.ravel())}


def _source(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    if "</script" in text or "</style" in text:
        raise ValueError(f"{path.name} must not hold a closing script or style tag")
    return compact(text)


def compact(text: str) -> str:
    """A script or style without indentation and without comments of whole lines.

    No string in `web` goes over several lines.
    """
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _json_for_script(data: Any) -> str:
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise TypeError(f"data must hold what JSON holds: {error}") from None
    except ValueError as error:
        raise ValueError(f"data must be finite and not hold itself: {error}") from None
    # Inside a string "<" may be written as an escape, and then nothing in it ends the script.
    return text.replace("<", "\\u003c")


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", bbox_inches="tight")
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
