"""What each page of the built book makes a browser load, and when its largest part is painted.

    python tools/weigh.py [FOLDER]     # of _build/html, or of another built book

Each page is opened at 1280 x 900 px from a server on this machine, with an empty cache, and read
no further than the first screen. A file counts with what gzip -6 makes of it, as servers send it;
fonts and pictures, which are compressed, count as they are.
"""

import contextlib
import functools
import gzip
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, sync_playwright

import browser

BUILT = Path(__file__).resolve().parent.parent / "_build" / "html"
COMPRESSED = {".woff", ".woff2", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp3", ".opus"}
OBSERVE = """if (top === self) new PerformanceObserver(list => {
  window.largestPaint = list.getEntries().at(-1).startTime;
}).observe({type: "largest-contentful-paint", buffered: true});"""
QUIET = 1000  # ms without a request, after which a page is there


class Weight(NamedTuple):
    """Of a page: the bytes of each file that it loads, and when its largest part was painted."""

    files: dict[str, int]
    paint: float  # seconds


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Serves a folder on this machine; gives its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Nothing: the default writes a line to stderr for each file."""

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


def size(path: Path) -> int:
    """The bytes of a file on their way to the reader."""
    content = path.read_bytes()
    return len(content) if path.suffix in COMPRESSED else len(gzip.compress(content, 6))


def weigh(program: Browser, address: str, folder: Path, name: str) -> Weight:
    """Opens one page, such as "book/index.html", and weighs what it asks for."""
    context = program.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(unquote(urlsplit(request.url).path).strip("/")))
    page.add_init_script(OBSERVE)
    page.goto(address + name, wait_until="load")
    page.evaluate("window.MathJax && MathJax.startup.promise.then(() => 0)")
    seen = -1
    while seen != len(asked):
        seen = len(asked)
        page.wait_for_timeout(QUIET)
    paint = page.evaluate("window.largestPaint") / 1000
    context.close()
    there = sorted(path for path in asked if (folder / path).is_file())
    return Weight({path: size(folder / path) for path in there}, paint)


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT
    with server(folder) as address, sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser.find())
        print("   kB  files  largest paint")
        for path in sorted(folder.glob("book/*.html")):
            name = path.relative_to(folder).as_posix()
            files, paint = weigh(program, address, folder, name)
            print(f"{sum(files.values()) / 1000:5.0f} {len(files):6} {paint:10.2f} s    {name}")
        program.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
