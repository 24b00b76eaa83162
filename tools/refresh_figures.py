"""Puts changed scripts and styles of the interactive figures into the notebooks that show them.

    python tools/refresh_figures.py            # after a change of vqvae_lite/figures/web
    python tools/refresh_figures.py COMMIT     # the stored figures are as at that commit

A stored figure holds the files of `vqvae_lite/figures/web` that it uses, and its data. Where only
the files have changed, running a notebook would give the same figure with other files: this does
it without. Data, pictures and all else stay. A figure that is not what the commit made is refused.
"""

import argparse
import ast
import html
import re
import subprocess
import sys
from pathlib import Path

import nbformat

import notebook_file

ROOT = notebook_file.ROOT
sys.path.insert(0, str(ROOT))

from vqvae_lite.figures.page import compact  # noqa: E402

FIGURES = ROOT / "vqvae_lite" / "figures"
SRCDOC = re.compile(r'(?<= srcdoc=")[^"]*(?=">)')


class Sources:
    """What figures are made of: the page around them, and the files in `web`."""

    def __init__(self, read, names: list[str]):
        whole = {name: read(f"web/{name}").strip() for name in names}
        self.files = {name: compact(text) for name, text in whole.items()}
        # How a file may stand in a page: earlier ones held their comments too.
        self.forms = [*self.files.items(), *whole.items()]
        tree = ast.parse(read("page.py"))
        values = (node for node in tree.body if isinstance(node, ast.Assign))
        constants = {node.targets[0].id: node.value for node in values}
        self.page = ast.literal_eval(constants["_PAGE"])
        self.policy = ast.literal_eval(constants["_POLICY"])

    def parts(self, page: str) -> dict[str, str]:
        """What stands in the gaps of a page; scripts and styles as the names of their files.

        Raises:
            ValueError: the page was not made of these files.
        """
        names = re.findall(r"\{(\w+)\}", self.page)
        pattern = re.escape(self.page)
        for name in names:
            gap = f"(?P<{name}>.*?)" if f"(?P<{name}>" not in pattern else f"(?P={name})"
            pattern = pattern.replace(re.escape(f"{{{name}}}"), gap, 1)
        match = re.fullmatch(pattern, page, re.DOTALL)
        if not match:
            raise ValueError("not the page that page.py makes")
        return match.groupdict() | {
            "css": self.names(match["css"], "css"),
            "own": self.names(match["own"], "js"),
        }

    def names(self, text: str, kind: str) -> str:
        """The files whose texts follow each other in a text."""
        found = []
        while text:
            name, file = next(
                (
                    each
                    for each in self.forms
                    if each[0].endswith(kind) and text.startswith(each[1])
                ),
                ("", ""),
            )
            if not name:
                raise ValueError(f"no file of figures/web begins with {text[:60]!r}")
            found.append(name)
            text = text[len(file) :].lstrip("\n")
        return " ".join(found)

    def assemble(self, parts: dict[str, str]) -> str:
        """The page of parts that `parts` gave, with these files."""
        texts = {key: "\n".join(map(self.files.get, parts[key].split())) for key in ("css", "own")}
        texts |= {"common": self.files["common.js"], "policy": html.escape(self.policy)}
        return self.page.format(**parts | texts)


def at_commit(commit: str) -> Sources:
    """What the figures of a commit are made of."""

    def git(*words: str) -> str:
        command = ["git", *words]
        return subprocess.run(
            command, cwd=FIGURES, check=True, capture_output=True, encoding="utf-8"
        ).stdout

    names = git("ls-tree", "--full-tree", "--name-only", f"{commit}:./web").split()
    return Sources(lambda name: git("show", f"{commit}:./{name}"), names)


def present() -> Sources:
    """What figures are made of now."""
    names = [path.name for path in (FIGURES / "web").iterdir() if path.is_file()]
    return Sources(lambda name: (FIGURES / name).read_text(encoding="utf-8"), names)


def refresh(path: Path, old: Sources, new: Sources) -> int:
    """Replaces the files in a notebook's figures; how many of these have changed."""
    notebook = nbformat.read(path, as_version=4)
    changed = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/html", "")
            match = 'class="vq-interactive"' in text and SRCDOC.search(text)
            if not match:
                continue
            page = new.assemble(old.parts(html.unescape(match[0])))
            fresh = text[: match.start()] + html.escape(page) + text[match.end() :]
            changed += fresh != text
            output.data["text/html"] = fresh
    if changed:
        notebook_file.write(notebook, path)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", nargs="?", default="HEAD", help="default: the last one")
    old, new = at_commit(parser.parse_args().commit), present()
    failed = 0
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        try:
            print(f"{path.name}: {refresh(path, old, new)} changed")
        except ValueError as error:
            print(f"{path.name}: left as it was: {error}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
