"""The project's own papers agree with each other."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from hypothesis import settings
from packaging.requirements import Requirement
from PIL import Image

import vqvae_lite
from vqvae_lite import load_checkpoint
from vqvae_lite.modules import fingerprint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it there

ROOT = Path(__file__).resolve().parent.parent


def requirements(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {line for line in lines if line and not line.startswith("-")}


BOOK = requirements((ROOT / "requirements-book.txt").read_text())


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


BASE = {"torch", "numpy", "pillow", "safetensors", "tqdm"}
EXTRAS = {
    "sound": {"soundfile", "soxr", "praatio"},
    "figures": {"matplotlib"},
    "cifar10": {"torchvision"},
}


def test_package_needs_what_the_book_needs():
    """What pyproject.toml asks for, with all extras, are lines of requirements.txt."""
    project = pyproject()["project"]
    extras = dict(project["optional-dependencies"])
    assert extras.pop("all") == [f"vqvae-lite[{','.join(extras)}]"]
    groups = {"base": project["dependencies"], **extras}
    names = {key: {re.match(r"[\w-]+", line)[0] for line in group} for key, group in groups.items()}
    assert names == {"base": BASE, **EXTRAS}
    needs = {line for group in groups.values() for line in group}
    assert needs <= requirements((ROOT / "requirements.txt").read_text())


def test_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    assert pyproject()["project"]["version"] == vqvae_lite.__version__
    assert re.search(r"(?m)^version: (.*)$", citation)[1] == vqvae_lite.__version__
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"(?m)^## \[(.*?)\]", changes)[1] == vqvae_lite.__version__


@pytest.mark.parametrize(
    "name", ["requirements-book.txt", "requirements.txt", "requirements-dev.txt"]
)
def test_every_requirement_is_pinned(name):
    pinned = set(re.findall(r"(?m)^([\w.-]+)==", (ROOT / "constraints.txt").read_text()))
    wanted = {re.match(r"[\w.-]+", line)[0] for line in requirements((ROOT / name).read_text())}
    assert wanted <= pinned


def test_what_the_workflow_runs_and_installs_is_fixed():
    """Its actions by commit; with pip only files of known digests, of the versions used here."""
    workflow = (ROOT / ".github" / "workflows" / "book.yml").read_text()
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
    installs = re.findall(r"python -m pip install (.*)", workflow)
    assert installs == [
        "--require-hashes -r .github/locked.txt",
        "--no-deps --no-build-isolation .",
    ]
    locked = (ROOT / ".github" / "locked.txt").read_text()
    pins = set(re.findall(r"(?m)^([\w.-]+==\S+)", locked))
    assert all("--hash=sha256:" in part for part in re.split(r"(?m)^(?=\w)", locked)[1:])
    assert pins <= set(re.findall(r"(?m)^([\w.-]+==\S+)", (ROOT / "constraints.txt").read_text()))
    wanted = requirements((ROOT / ".github" / "locked.in").read_text())
    wanted |= requirements((ROOT / "requirements.txt").read_text())
    names = {re.match(r"[\w-]+", pin)[0] for pin in pins}
    assert {re.match(r"[\w.-]+", line)[0] for line in wanted} <= names


def test_the_book_is_built_without_pytorch():
    """Nothing that requirements-book.txt brings, nor what that brings, is large."""
    names = [re.match(r"[\w.-]+", line)[0] for line in BOOK]
    brought = set()
    while names:
        name = names.pop().lower().replace("_", "-")
        if name not in brought:
            brought.add(name)
            needs = map(Requirement, distribution(name).requires or ())
            names += [n.name for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]
    assert {"sphinx", "myst-nb"} <= brought
    assert not brought & {"torch", "torchvision", "numpy", "matplotlib", "scipy", "pandas"}


def test_repository_address_is_the_same_everywhere():
    command = [sys.executable, "tools/set_repository.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_old_python_is_told_so(tmp_path):
    """Where PYTHON names nothing usable, the environment tool says what it expects."""
    command = [sys.executable, "tools/environment.py"]
    environment = {"PATH": str(tmp_path), "PYTHON": str(tmp_path / "python3.6")}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "3.10 to 3.13 expected" in result.stdout


def test_everything_in_the_package_is_installed():
    """Every folder is among the packages, every file that is no module among the package data."""
    setuptools = pyproject()["tool"]["setuptools"]
    files = [path.relative_to(ROOT) for path in (ROOT / "vqvae_lite").rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".pyc"]
    assert Path("vqvae_lite/py.typed") in files
    assert {".".join(path.parent.parts) for path in files} == set(setuptools["packages"])
    for path in files:
        patterns = setuptools["package-data"].get(".".join(path.parent.parts), [])
        assert path.suffix == ".py" or any(map(path.match, patterns)), path


def tracked():
    """What belongs to the checkout: what git has, and what is new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in map(Path, listed.splitlines()) if (ROOT / path).is_file()]


def test_the_checkout_stays_small():
    size = sum((ROOT / path).stat().st_size for path in tracked())
    assert size <= 55e6, f"the checkout has {size / 1e6:.1f} MB: see tools/shrink_checkpoint.py"


# What each shared prior, or second stage, was trained on the codes of.
STAND_ON = {
    "prior": "maze",
    "prior_small": "maze",
    "second_stage": "maze",
    "video": "maze",
    "video_at_once": "maze",
    "speech_prior": "speech",
    "likelihood/prior": "likelihood/vqvae",
    "latent_priors/prior": "latent_priors/autoencoder",
}


def test_shared_priors_name_the_models_whose_codes_they_know():
    shared = ROOT / "checkpoints"
    names = {}
    for path in shared.rglob("config.json"):
        config = json.loads(path.read_text())
        data = config.get("recipe", {}).get("data", {})
        if codes_of := config.get("codes_of") or data.get("codes_of"):
            names[str(path.parent.relative_to(shared))] = codes_of
    models = {name: fingerprint(load_checkpoint(shared / name).model) for name in STAND_ON.values()}
    assert names == {name: models[model] for name, model in STAND_ON.items()}


def named_in_the_readme():
    """The files and folders in the tree of README.md; a line may name several, and has words."""
    section = (ROOT / "README.md").read_text().partition("## File structure")[2]
    above = []
    for line in section.split("```")[1].strip().splitlines():
        names, words = re.fullmatch(r" *(\S+(?: \S+)*?)  +(\S.*)", line).groups()
        assert words
        del above[(len(line) - len(line.lstrip())) // 2 :]
        yield from (Path(*above, name) for name in names.split())
        if names.endswith("/"):
            above.append(names)


def test_the_tree_in_the_readme_is_the_real_one():
    files = tracked()
    package = {path for path in files if path.parts[0] == "vqvae_lite"}
    # A folder's own line says what its __init__.py says.
    real = {path.parent if path.name == "__init__.py" else path for path in package}
    real |= {Path("vqvae_lite/__init__.py"), *(path.parent for path in package)}
    real |= {Path(path.parts[0]) for path in files if len(path.parts) > 1}
    named = list(named_in_the_readme())
    missing, gone = sorted(map(str, real - {*named})), sorted(map(str, {*named} - real))
    assert not missing + gone, f"README.md, File structure: missing {missing}; not there {gone}"
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_the_papers_lead_somewhere(name):
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if not re.match(r"\w+:", link)]
    assert local or name == "CHANGELOG.md"
    assert not [link for link in local if not (ROOT / link).exists()]


def test_the_readme_shows_a_figure_that_moves():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    path = re.search(r"!\[[^]]{80,}\]\((\S+)\)", text[: text.index("\n## ")])[1]
    assert (ROOT / path).stat().st_size < 6e5
    with Image.open(ROOT / path) as picture:
        assert picture.n_frames > 20
        assert picture.width >= 500


OTHERS = ("Image", "os", "tarfile", "archive")  # that have an `open` of another kind


def text_files_opened(path):
    """The lines of a script that open a text file without naming its encoding."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or any(key.arg == "encoding" for key in node.keywords):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        of_path = isinstance(node.func, ast.Attribute)
        modes = [arg.value for arg in node.args[not of_path :] if isinstance(arg, ast.Constant)]
        if (name in ("read_text", "write_text") and "utf-8" not in modes) or (
            name == "open"
            and not (of_path and getattr(node.func.value, "id", "") in OTHERS)
            and not any("b" in str(mode) for mode in modes)
        ):
            yield node.lineno


def test_text_is_read_and_written_as_utf8_wherever_that_is():
    """Without being told, Python takes what the system takes, on Windows cp1252."""
    folders = ("vqvae_lite", "tools", "data", "benchmarks")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    found = [
        f"{file.relative_to(ROOT)}:{line}" for file in files for line in text_files_opened(file)
    ]
    assert not found


def modules():
    """Every module of the package, by its dotted name."""
    for path in sorted((ROOT / "vqvae_lite").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def run_python(script):
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_importing_the_package_changes_nothing():
    imports = "\n".join(f"import {name}" for name, _ in modules() if "__main__" not in name)
    run_python(
        "import os, sys, warnings, torch, numpy, matplotlib\n"
        "def settings():\n"
        "    return (torch.initial_seed(), torch.get_rng_state().tolist(),\n"
        "            torch.get_num_threads(),\n"
        "            torch.get_default_dtype(), numpy.random.get_state()[1].tolist(),\n"
        "            dict(matplotlib.rcParams), warnings.filters, dict(os.environ))\n"
        "before = settings()\n"
        f"{imports}\n"
        "assert settings() == before\n"
        "assert not {'torchvision', 'soundfile', 'soxr', 'praatio'} & set(sys.modules)\n"
    )


def without(modules, script):
    """What a script prints in a fresh process in which some modules are not installed."""
    return run_python(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {set(modules)}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n" + script
    )


NEEDS = {  # what cannot be done without a module
    "soundfile": "from vqvae_lite.sound.files import read_sound as do; do('{file}')",
    "soxr": "import torch; from vqvae_lite.sound.files import resample as do; "
    "do(torch.zeros(9), 8000, 16000)",
    "praatio": "from vqvae_lite.sound.labels import read_textgrid as do; do('{file}')",
    "matplotlib": "import vqvae_lite.figures.plots",
    "torchvision": "from vqvae_lite.images import load_cifar10 as do; do('test')",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "module"), [(extra, name) for extra in EXTRAS for name in sorted(EXTRAS[extra])]
)
def test_a_missing_extra_is_named_with_the_command_that_brings_it(tmp_path, extra, module):
    file = tmp_path / "a"
    file.touch()
    script = NEEDS[module].format(file=file)
    told = without([module], f"try:\n    {script}\nexcept ImportError as error:\n    print(error)")
    assert told == f"{module} is not installed: pip install 'vqvae-lite[{extra}]'\n"


@pytest.mark.slow
def test_the_base_does_without_the_extras():
    """The command line and every module but those of the figures."""
    names = [name for name, _ in modules() if ".figures" not in name and "__main__" not in name]
    without(set().union(*EXTRAS.values()), "\n".join(f"import {name}" for name in names))


def test_the_quantizer_comes_without_the_rest():
    names = run_python(
        "import sys\nfrom vqvae_lite import VectorQuantizer\nprint(*sys.modules)"
    ).split()
    assert sum(name.partition(".")[0] == "vqvae_lite" for name in names) <= 8
    assert not {"soundfile", "soxr", "praatio", "matplotlib", "torchvision"} & set(names)


def test_public_names_are_where_the_package_says():
    """Three lists in one file: for the eye of a type checker, for the loader, for `import *`."""
    tree = ast.parse((ROOT / "vqvae_lite" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    for_checkers = {
        node.module.removeprefix("vqvae_lite."): {alias.name for alias in node.names}
        for node in block.body
    }
    assert for_checkers == {home: set(names) for home, names in vqvae_lite._HOMES.items()}
    for name in vqvae_lite.__all__:
        assert getattr(vqvae_lite, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vqvae_lite.nonsense  # noqa: B018


def imports_of(path):
    """The modules of the package that a file imports, wherever in it that is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vqvae_lite"):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in NAMES else node.module for name in found)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("vqvae_lite"))


NAMES = dict(modules())
# The flow of the core, station after station; the wings stand on the core and on those before them.
CORE = [
    {"checks", "modules", "files", "data", "distributed"},
    {"images", "maze", "codebook", "networks"},
    {"quantizer", "quantizers", "likelihoods", "metrics"},
    {"model"},
    {"checkpoints", "codefile", "encoding", "evaluation"},
    {"training"},
]
WINGS = [
    {"priors"},
    {"baselines", "sound"},
    {"secondstage", "video"},
    {"models"},
    {"recipes"},
    {"cli"},
]


def floor_of(name):
    """Where a module stands in the flow: a number, higher for what comes later."""
    first = name.split(".")[1]
    floors = [*CORE, *WINGS]
    if first == "figures":
        return len(floors)  # beside the command line: both show what the rest can do
    return next(number for number, floor in enumerate(floors) if first in floor)


def test_data_flow_one_way_through_the_package():
    arrows = {
        (name, other)
        for name, path in NAMES.items()
        for other in imports_of(path)
        if name != "vqvae_lite" and other != "vqvae_lite"
    }
    for name, other in sorted(arrows):
        assert floor_of(other) <= floor_of(name), f"{name} imports {other}, which comes after it"
        wing, other_wing = (module.split(".")[1] for module in (name, other))
        if wing != other_wing:
            assert other_wing != "figures", f"{name} imports {other}"
            assert {wing, other_wing} != {"baselines", "sound"}
            assert {wing, other_wing} != {"secondstage", "video"}
    quantizer = {other for name, other in arrows if name == "vqvae_lite.quantizer"}
    assert quantizer <= {"vqvae_lite.checks", "vqvae_lite.codebook", "vqvae_lite.modules"}
    # No circle: take away, again and again, what imports nothing that is left.
    left = set(NAMES)
    while leaves := {name for name in left if not any((name, other) in arrows for other in left)}:
        left -= leaves
    assert not left, f"these import each other: {sorted(left)}"


def test_the_top_of_the_package_can_be_seen_at_a_glance():
    top = [path for path in (ROOT / "vqvae_lite").iterdir() if path.name != "__pycache__"]
    assert sum(path.suffix == ".py" for path in top) <= 20
    assert sum(path.is_dir() for path in top) <= 9


def test_no_example_of_a_property_has_a_deadline():
    assert settings().deadline is None
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert not re.search(r"@settings\([^)]*deadline", path.read_text(encoding="utf-8")), path
