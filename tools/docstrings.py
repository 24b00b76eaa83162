"""Docstrings in Google's style as Markdown: for the pages of the API reference."""

import re
import textwrap

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
SPECIAL = re.compile(r"([\\*_\[\]{}<>$#|~@])")
HEAD = re.compile(rf"({'|'.join(SECTIONS)}):")
ITEM = re.compile(r"(\*{0,2}[\w., *]+?)(?: \(.*?\))?: (.*)", re.DOTALL)


def escape(text: str) -> str:
    """Text in which nothing but what stands between backticks is markup."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return SPECIAL.sub(r"\\\1", text).replace("`", r"\`")
    escaped = [
        f"`{part}`" if number % 2 else SPECIAL.sub(r"\\\1", part)
        for number, part in enumerate(parts)
    ]
    return "".join(escaped)


def first_sentence(text: str) -> str:
    """What the first line says."""
    return escape(" ".join(text.partition("\n\n")[0].split()))


def to_markdown(text: str) -> str:
    """A docstring, cleaned of its indentation, as Markdown."""
    blocks: list[str] = []
    lines = text.splitlines()
    while lines:
        head = HEAD.fullmatch(lines[0])
        if head:
            body = []
            lines.pop(0)
            while lines and (not lines[0].strip() or lines[0].startswith("    ")):
                body.append(lines.pop(0))
            blocks.append(section(head[1], textwrap.dedent("\n".join(body))))
            continue
        body = []
        while lines and not HEAD.fullmatch(lines[0]):
            body.append(lines.pop(0))
        blocks.append(prose("\n".join(body)))
    return "\n\n".join(block for block in blocks if block)


def prose(text: str) -> str:
    """Paragraphs and lists as they are; what is indented after an empty line is shown as code."""
    done = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if all(line.startswith("    ") for line in block.splitlines()):
            done.append(f"```text\n{textwrap.dedent(block)}\n```")
        else:
            done.append(escape(block))
    return "\n\n".join(done)


def section(name: str, body: str) -> str:
    """Args and their like as a list; Returns and Yields as a sentence."""
    if name in ("Returns", "Yields"):
        return f"**{name}**: {escape(' '.join(body.split()))}"
    items = re.split(r"\n(?=\S)", body.strip())
    lines = []
    for item in items:
        match = ITEM.fullmatch(item)
        if match:
            names = ", ".join(f"`{part.strip()}`" for part in match[1].split(","))
            lines.append(f"- {names}: {escape(' '.join(match[2].split()))}")
        else:
            lines.append(f"- {escape(' '.join(item.split()))}")
    return "\n".join([f"**{name}**", "", *lines])
