"""Writes the pages of the API reference, book/api.md and book/api/, from the docstrings.

    python tools/api_pages.py     # tools/book.py does it before each build

The sources are read, not imported, so that the book is built without PyTorch. Which modules there
are, in which order and what each is for, stands in the README's file tree.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import docstrings

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
TREE = re.compile(r"( *)(\S+)  +(\S.*)")
WIDTH = 72  # of a line of code that is shown


class Module(NamedTuple):
    """A module by its dotted name, what it is for, and what it defines."""

    name: str
    purpose: str
    tree: ast.Module


def modules() -> dict[str, tuple[str, list[Module]]]:
    """For the core ("core") and each folder: what it is for, and its modules, in their order."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## File structure")[2]
    found: dict[str, tuple[str, list[Module]]] = {}
    folder = "core"
    for line in section.split("```")[1].strip().splitlines():
        match = TREE.fullmatch(line)
        if line.startswith("vqvae_lite/"):
            found["core"] = ("the flat core", [])
        elif not line.startswith("  "):
            break
        elif match and match[2].endswith("/"):
            if len(match[1]) == 2:
                folder = match[2].rstrip("/")
                found[folder] = (match[3], [])
        elif match and match[2].endswith(".py") and not match[2].startswith("__"):
            path = ["vqvae_lite", *([] if folder == "core" else [folder]), match[2]]
            tree = ast.parse(ROOT.joinpath(*path).read_text(encoding="utf-8"))
            name = ".".join(path).removesuffix(".py")
            found[folder][1].append(Module(name, match[3], tree))
    return found


def exported() -> dict[str, str]:
    """The names that `vqvae_lite` itself has, and the module of each."""
    tree = ast.parse((ROOT / "vqvae_lite" / "__init__.py").read_text(encoding="utf-8"))
    homes = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES"
    )
    return {
        name: f"vqvae_lite.{home}"
        for home, names in ast.literal_eval(homes).items()
        for name in names
    }


def public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Classes and functions whose names do not begin with an underscore, and `name = A.method`."""
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            owner = classes.get(ast.unparse(node.value.value))
            for method in owner.body if owner else ():
                if isinstance(method, ast.FunctionDef) and method.name == node.value.attr:
                    yield method
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def decorators(node: ast.ClassDef | ast.FunctionDef) -> set[str]:
    return {ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list}


def call(name: str, function: ast.FunctionDef, method: bool) -> str:
    """How a function is called: one line, or one for each argument."""
    arguments = [spaced(part) for part in split(ast.unparse(function.args))]
    if method and "staticmethod" not in decorators(function):
        del arguments[0]  # self
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{name}({', '.join(arguments)}){result}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {part}," for part in arguments), f"){result}"])


def spaced(argument: str) -> str:
    """An argument with a type and a default, as one writes it: `count: int = 1`."""
    return re.sub(r"^(\w+: [^=]*[^=\s])=(?!=)", r"\1 = ", argument)


def split(arguments: str) -> list[str]:
    """A list of arguments at its outer commas."""
    parts, depth = [""], 0
    for sign in arguments:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def fields(node: ast.ClassDef) -> list[str]:
    """The fields of a named tuple or a dataclass, with their defaults."""
    plain = "NamedTuple" in map(ast.unparse, node.bases) or "dataclass" in decorators(node)
    annotated = [part for part in node.body if isinstance(part, ast.AnnAssign)] if plain else []
    return [ast.unparse(part) for part in annotated if not ast.unparse(part).startswith("_")]


def signature(node: ast.ClassDef | ast.FunctionDef, owner: str = "") -> str:
    """What stands above a docstring."""
    if isinstance(node, ast.FunctionDef):
        name = f"{owner}.{node.name}" if owner else node.name
        if {"property", "cached_property", "functools.cached_property"} & decorators(node):
            kind = f": {ast.unparse(node.returns)}" if node.returns else ""
            return name + kind
        return call(name, node, bool(owner))
    made = [
        part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"
    ]
    if made:
        return f"class {call(node.name, made[0], True)}"
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    return "\n".join([f"class {node.name}{bases}", *(f"    {field}" for field in fields(node))])


def entry(node: ast.ClassDef | ast.FunctionDef, home: str, owner: str = "") -> list[str]:
    """A name with its signature and its docstring, and the methods of a class."""
    title = f"{owner}.{node.name}" if owner else node.name
    lines = [f"{'####' if owner else '###'} `{title}`", ""]
    if not owner:
        lines = [f"({label(home, node.name)})=", *lines]
    lines += ["```python", signature(node, owner), "```", ""]
    if text := ast.get_docstring(node):
        lines += [docstrings.to_markdown(text), ""]
    if isinstance(node, ast.ClassDef):
        for method in public(node.body):
            if method.name != "extra_repr":
                lines += entry(method, home, node.name)
    return lines


def label(home: str, name: str = "") -> str:
    """What a link to a module or a name is made with: {ref}`api-quantizer-VectorQuantizer`."""
    parts = ["api", *home.split(".")[1:], name]
    return "-".join(part for part in parts if part)


def folder_page(folder: str, purpose: str, members: list[Module]) -> str:
    """The page of the core or of a folder."""
    title = "the core" if folder == "core" else f"`vqvae_lite.{folder}`"
    purpose = "What every chapter stands on." if folder == "core" else sentence(purpose)
    lines = [f"# API: {title}", "", purpose, ""]
    for module in members:
        lines += [f"({label(module.name)})=", f"## `{module.name}`", ""]
        text = ast.get_docstring(module.tree)
        lines += [docstrings.to_markdown(text), ""] if text else []
        for node in public(module.tree.body):
            lines += entry(node, module.name)
    return "\n".join(lines)


def sentence(words: str) -> str:
    return docstrings.escape(words[0].upper() + words[1:] + ".")


def start_page(folders: dict[str, tuple[str, list[Module]]]) -> str:
    """The first page: what can be imported from the package itself, and all modules."""
    nodes = {
        (module.name, node.name): node
        for _, members in folders.values()
        for module in members
        for node in public(module.tree.body)
    }
    lines = [
        *("# API reference", ""),
        "All public names of `vqvae_lite`, from their docstrings. Those of the first table can be",
        "imported from the package itself; all others come from their modules.",
        *("", "| name | what it is |", "|---|---|"),
    ]
    for name, home in sorted(exported().items(), key=lambda pair: pair[0].lower()):
        told = docstrings.first_sentence(ast.get_docstring(nodes[home, name]) or "")
        lines.append(f"| {{ref}}`{name} <{label(home, name)}>` | {told} |")
    lines += ["", "| module | what is in it |", "|---|---|"]
    for _, members in folders.values():
        for module in members:
            link = f"{{ref}}`{module.name} <{label(module.name)}>`"
            lines.append(f"| {link} | {docstrings.escape(module.purpose)} |")
    return "\n".join([*lines, ""])


def pages() -> dict[Path, str]:
    """Every page of the reference."""
    folders = modules()
    written = {BOOK / "api.md": start_page(folders)}
    for folder, (purpose, members) in folders.items():
        written[BOOK / "api" / f"{folder}.md"] = folder_page(folder, purpose, members)
    return written


def write() -> None:
    """Writes them, and removes those of folders that are no more."""
    written = pages()
    for path in (BOOK / "api").glob("*.md"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
