"""The pages of the API reference: every public name, with its signature and its docstring."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import api_pages
import docstrings
import vqvae_lite

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = api_pages.modules()
MODULES = [module for _, members in FOLDERS.values() for module in members]
PAGES = {path.stem: text for path, text in api_pages.pages().items()}


def test_every_module_is_there():
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "vqvae_lite").rglob("*.py")
        if not path.name.startswith("__")
    }
    assert {module.name for module in MODULES} == files


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_a_module_defines_is_on_its_page(folder):
    """The page is made from the source; here the modules are imported and asked."""
    for module in FOLDERS[folder][1]:
        loaded = import_module(module.name)
        defined = {
            name
            for name, value in vars(loaded).items()
            if (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__ == module.name
            and not name.startswith("_")
        }
        labels = re.findall(rf"(?m)^\({api_pages.label(module.name)}-(\w+)\)=$", PAGES[folder])
        assert set(labels) == defined, module.name


def test_what_the_package_exports_is_on_the_first_page():
    linked = re.findall(r"(?m)^\| \{ref\}`(\w+) <(\S+)>`", PAGES["api"])
    assert {name for name, _ in linked} == set(vqvae_lite.__all__)
    pages = "\n".join(PAGES.values())
    assert all(f"({label})=\n" in pages for _, label in linked)


def test_the_reference_needs_no_package_to_be_written():
    program = "import sys; sys.path.insert(0, 'tools'); import api_pages; print(*api_pages.pages())"
    command = [sys.executable, "-S", "-c", program]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert len(told.split()) == len(PAGES)


def test_a_signature_is_shown_as_one_writes_it():
    page = PAGES["core"]
    assert "straight_through(z_e: Tensor, z_q: Tensor) -> Tensor\n" in page
    assert "class VectorQuantizer(\n    num_codes: int = 512,\n    code_dim: int = 64,\n" in page
    assert "class QuantizerOutput(NamedTuple)\n    quantized: Tensor\n" in page
    assert "VectorQuantizer.lookup(codes: Tensor) -> Tensor\n" in page
    assert "sample(\n    self,\n" in PAGES["priors"], "a method under a name of its own"


def test_a_docstring_becomes_markdown():
    text = (
        "z_q, one of [0, K), costs $1.\n\nFirst `a_b`:\n\n    x_1 = 2 * y\n\nThen:\n\n"
        "Args:\n    codes: (B, *spatial),\n        whole numbers.\n    a, b: both.\n\n"
        "Returns:\n    What\n    is left.\n\nRaises:\n    ValueError: for others."
    )
    assert docstrings.to_markdown(text) == (
        "z\\_q, one of \\[0, K), costs \\$1.\n\nFirst `a_b`:\n\n```text\nx_1 = 2 * y\n```\n\nThen:"
        "\n\n**Args**\n\n- `codes`: (B, \\*spatial), whole numbers.\n- `a`, `b`: both.\n\n"
        "**Returns**: What is left.\n\n**Raises**\n\n- `ValueError`: for others."
    )


def test_a_lone_backtick_is_no_markup():
    assert docstrings.escape("a ` b_c") == "a \\` b\\_c"
