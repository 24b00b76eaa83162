"""Sets the repository's address, and everything that is derived from it.

    python tools/set_repository.py https://github.com/OWNER/NAME
    python tools/set_repository.py            # derive everything again from _config.yml
    python tools/set_repository.py --check    # change nothing; status 1 where something differs

The address stands in _config.yml (`repository: url:`). From it follow the first code cell of the
notebooks, their plain copies, and in the FILES the links of the FORMS below; other links there are
left alone.
"""

import argparse
import re
import sys

import nbformat

import notebook_file
import plain_notebooks

ROOT = notebook_file.ROOT
CONFIG = ROOT / "_config.yml"
SETTING = re.compile(r"(?m)(?<=^  url: )\S+$")
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([\w.-]+?)(?:\.git)?/?")
FILES = (
    "README.md",
    "CONTRIBUTING.md",
    "CITATION.cff",
    "pyproject.toml",
    "book/index.md",
    "book/questions.md",
    "book/first_cell.py",
    "vqvae_lite/data/archives.json",
)
# What stands before the address, what the address looks like there, what stands after it.
FORMS = (
    (
        'REPOSITORY = "|Repository = "|repository-code: "|"repository": "',
        "https://github.com/{owner}/{name}",
        '"',
    ),
    (r"git clone |git\+", "https://github.com/{owner}/{name}", r"[\s\"']"),
    ("", "https://github.com/{owner}/{name}", r"/actions/workflows/|/(?:issues|releases)\b"),
    (r"colab\.research\.google\.com/github/", "{owner}/{name}", "/blob/|/tree/"),
    ("", "https://{owner}.github.io/{name}/", ""),
)


def derive(text: str, owner: str, name: str) -> str:
    """The text with all links to this project leading to the given repository."""
    for before, form, after in FORMS:
        any_address = re.escape(form).replace(r"\{owner\}", r"[\w-]+")
        any_address = any_address.replace(r"\{name\}", r"[\w.-]+")
        # The host of published pages is in small letters whatever the owner's name.
        address = form.format(owner=owner.lower() if ".io" in form else owner, name=name)
        pattern = rf"({before}){any_address}(?={after})"
        text = re.sub(pattern, lambda match, address=address: match[1] + address, text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description="Set the repository's address everywhere.")
    parser.add_argument("url", nargs="?", help="https://github.com/OWNER/NAME")
    parser.add_argument("--check", action="store_true", help="only say what differs")
    arguments = parser.parse_args()
    config = CONFIG.read_text(encoding="utf-8")
    url = arguments.url or SETTING.search(config)[0]
    match = ADDRESS.fullmatch(url)
    if not match:
        parser.error(f"url is {url!r}, expected https://github.com/OWNER/NAME (Colab reads GitHub)")
    owner, name = match.groups()

    texts = {CONFIG: SETTING.sub(f"https://github.com/{owner}/{name}", config)}
    for file in (ROOT / path for path in FILES):
        texts[file] = derive(file.read_text(encoding="utf-8"), owner, name)
    cell = texts[notebook_file.TEMPLATE].strip()
    different = [file for file, text in texts.items() if file.read_text(encoding="utf-8") != text]
    for file in different:
        if not arguments.check:
            file.write_text(texts[file], encoding="utf-8")
    for file in sorted((ROOT / "book").glob("*.ipynb")):
        notebook = nbformat.read(file, as_version=4)
        if notebook_file.put(notebook, cell):
            different.append(file)
            if not arguments.check:
                notebook_file.name_cells(notebook)
                notebook_file.write(notebook, file)
    different += plain_notebooks.make(arguments.check)

    for file in different:
        print(f"{file.relative_to(ROOT)}: {'differs' if arguments.check else 'set'}")
    if arguments.check and different:
        print("run: python tools/set_repository.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
