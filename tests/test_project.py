"""The project's own papers agree with each other."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
        if "codes_of" in config:
            names[str(path.parent.relative_to(shared))] = config["codes_of"]
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


def test_figures_of_the_readme_are_those_of_the_results():
    results = ROOT / "benchmarks" / "results"
    checkpoint, copy, quantizer = (
        json.loads((results / f"{name}.json").read_text())
        for name in ("maze_checkpoint", "cifar10_jpeg_copy", "quantizer")
    )
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if "dB" in line]
    for row, measured in zip(rows, (checkpoint["test"], copy["test"]), strict=True):
        assert f"PSNR {measured['psnr']:.2f} dB, SSIM {measured['ssim']:.3f}" in row
        assert f"perplexity {measured['perplexity']:.0f}" in row
        assert f"{measured['fraction_used']:.0%}" in row
    sizes = quantizer["sizes"]
    small, large = (f"{sizes[size]['times_faster']:.1f}" for size in ("512", "8192"))
    share = f"{sizes['8192']['share_of_memory']:.1%}"
    claim = f"{small} times faster at K = 512, {large} at K = 8192, there with {share}"
    assert claim in (ROOT / "README.md").read_text()
    sampling = json.loads((results / "sampling.json").read_text())
    assert (
        f"{sampling['times_faster_than_full_forward']:.0f} times faster than one full forward pass "
        f"a position, {sampling['times_faster_than_rows_so_far']:.0f} times faster than one over"
    ) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["likelihood_maze", "likelihood_cifar10_copy"])
def test_bits_of_the_readme_are_those_of_the_results(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    models = json.loads(path.read_text())["models"]
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if path.name in line)
    elbo = models["vae"]["reconstruction"] + models["vae"]["prior"]
    claims = [
        f"VAE {elbo:.2f} (50 samples: {models['vae']['bound']:.2f})",
        f"VQ-VAE {models['vqvae']['bound']:.2f}",
        f"with a PixelCNN prior {models['vqvae, learned prior']['bound']:.2f}",
        f"VIMCO {models['vimco']['bound']:.2f}",
    ]
    assert "; ".join(claims) in row


def test_ways_to_latents_of_the_readme_are_those_of_the_results():
    path = ROOT / "benchmarks" / "results" / "latent_priors.json"
    ways = json.loads(path.read_text())["ways"]
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if path.name in line)
    vqvae, vae, fitted, binned, refitted = (way["bits"]["sum"] for way in ways.values())
    told = [f"{way['told_from_frames']:.0%}" for way in ways.values()]
    assert (
        f"VQ-VAE with a PixelCNN {vqvae:.2f}; VAE {vae:.2f}, with a Gaussian fitted to its latents "
        f"{fitted:.2f}; autoencoder binned to as many bits, with a PixelCNN {binned:.2f}, its "
        f"decoder refitted {refitted:.2f}. A classifier tells their samples from frames "
        f"in {', '.join(told[:-1])} and {told[-1]} of cases"
    ) in row


def test_latents_in_use_in_the_readme_are_those_of_the_results():
    readme = (ROOT / "README.md").read_text()
    results = ROOT / "benchmarks" / "results"
    collapse, second, prior = (
        json.loads((results / f"{name}.json").read_text())
        for name in ("collapse", "second_stage", "prior")
    )
    vae, vqvae = (collapse["models"][name] for name in ("vae_17", "vqvae_17"))
    assert (
        f"VAE: KL {vae['cost_of_latents']:.2f} nats, {vae['swap_rise_percent']:.2f} %; "
        f"VQ-VAE: {vqvae['swap_rise_percent']:.1f} %"
    ) in readme
    wide, narrow = (
        second["models"][name]["swap_rise_percent"] for name in ("second_stage", "narrower")
    )
    claim = f"{wide:.1f} %; a narrower network trained in the same way: {narrow:.2f} %"
    assert claim in readme
    test = prior["test"]
    assert (
        f"{test['nats_per_code']:.2f} nats a code, the uniform prior "
        f"{prior['uniform_nats_per_code']:.2f}; {test['bits_saved_per_image']:.0f} of 3969 bits a "
        f"frame saved"
    ) in readme


def test_speech_in_the_readme_is_that_of_the_results():
    readme = (ROOT / "README.md").read_text()
    results = ROOT / "benchmarks" / "results"
    speech, phonemes, sampling = (
        json.loads((results / f"{name}.json").read_text())
        for name in ("speech", "phonemes", "wavenet_sampling")
    )
    voice, pitch, words = (speech[part] for part in ("voice", "pitch", "words"))
    kept = words["conversions_over_reconstructions"]["lead_of_right_text"]
    assert (
        f"a judge of real voices hears the target in {voice['named_target']:.1f} % and the source "
        f"in {voice['named_source']:.1f} % of {voice['conversions']} conversions; the median pitch "
        f"is within 15 % of the target's for {pitch['pairs_within_15_percent']:.1f} % of the "
        f"pairs; a recogniser's lead of the right words is {kept:.0%} of the reconstructions'"
    ) in readme
    lines = [
        " / ".join(
            f"{phonemes['sets'][name][line]['accuracy']:.1f}" for name in ("synthetic", "allison")
        )
        for line in ("vqvae", "k_means", "wavenet", "random_codes")
    ]
    assert (
        "synthetic voices / a real one: VQ-VAE of cepstra {} %, k-means on MFCC {}, VQ-VAE with a "
        "WaveNet {}, random codes {}"
    ).format(*lines) in readme
    small = next(iter(sampling["networks"].values()))
    one, many = (
        f"{small['batches'][batch]['times_faster_than_full_forward']:,.0f}" for batch in ("1", "64")
    )
    assert (
        f"{one} times faster than a full forward pass a sample, {many} in a batch of 64" in readme
    )


def test_video_in_the_readme_is_that_of_the_results():
    readme = (ROOT / "README.md").read_text()
    video, cost = (
        json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
        for name in ("video", "video_cost")
    )

    def ahead(way, what, digits):
        return ", ".join(f"{value:.{digits}f}" for value in video[way][what].values())

    assert (
        f"nats a code 1, 3, 5 and 10 frames ahead {ahead('full', 'nats_per_code', 2)}, copying the "
        f"last frame {ahead('copy', 'nats_per_code', 2)}; PSNR against the decoded truth "
        f"{ahead('full', 'psnr_decoded', 1)}, copying {ahead('copy', 'psnr_decoded', 1)}"
    ) in readme
    judged = video["steering_percent"]
    next_frame = video["full"]["nats_per_code_of_the_next_frame"]
    assert (
        f"a judge that is right on {judged['real test clips, decoded']:.1f} % of real test frames "
        f"names the action in {judged['all four']:.1f} % of imagined ones; another walk's actions "
        f"raise the next frame's nats from {next_frame['true actions']:.2f} to "
        f"""{next_frame["another walk's actions"]:.2f}"""
    ) in readme
    alone, many = (cost["milliseconds"][batch] for batch in ("1", "16"))
    assert (
        f"{cost['bytes_in_codes']:.0f} bytes a frame instead of {cost['bytes_in_pixels']}; "
        f"{alone['times_faster']:.0f} times faster than in pixels, {many['times_faster']:.0f} in a "
        f"batch of 16"
    ) in readme


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
    {"checks", "modules", "folders", "data", "distributed"},
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
