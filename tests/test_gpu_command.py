"""What `make gpu` does, in miniature on the CPU: `benchmarks/gpu.py`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import gpu
import gpu_ratios

ROOT = Path(__file__).resolve().parents[1]


def read(folder):
    return json.loads((folder / "gpu.json").read_text())


class Clock:
    """A second passes whenever one looks at it: what is done in a time is the same everywhere."""

    def __init__(self):
        self.now = 0.0

    def time(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def quick(monkeypatch):
    """The command without its process of tests, and no more than a few steps of each model."""
    monkeypatch.setattr(gpu, "time", Clock())
    monkeypatch.setattr(gpu, "check", lambda *_: None)
    monkeypatch.setattr(gpu, "FIRST_IMAGES", 4)
    monkeypatch.setattr(gpu, "ROUNDS", 0)
    monkeypatch.setattr(gpu, "WARM_UP", 1)
    monkeypatch.setattr(gpu, "TRIAL", 2)
    return lambda folder, seconds: gpu.main(
        ["--device", "cpu", "--seconds", str(seconds), "--out", str(folder)]
    )


@pytest.mark.slow
def test_without_a_gpu_it_says_so_in_one_line():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout + done.stderr == "no GPU that PyTorch can use: nothing was measured\n"


def test_a_cpu_writes_no_results_of_a_gpu(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu"])
    assert "it needs --out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_second_call_goes_on(quick, tmp_path, capsys, monkeypatch):
    quick(tmp_path, 40)
    first = read(tmp_path)
    ratios = first["ratios"]
    assert set(ratios) == set(gpu_ratios.RATIOS)
    assert ratios["quantizer"]["K=16"]["times_faster"] > 0
    assert ratios["sampling"]["device"] == "cpu"
    assert ratios["sampling"]["times_faster_than_full_forward"] > 0
    assert list(ratios["wavenet_sampling"]) == ["dilations to 4"]
    models = first["profile"]["models"]
    assert list(models) == ["vae", "vqvae", "vimco"]
    for kind, model in models.items():
        assert model["precision"] == "bfloat16"
        assert 0 < model["bits"]["bound"] < 9
        assert model["bits"]["step"] == model["step"] >= 1
        (checkpoint,) = (tmp_path / "maze" / kind).glob("step-*")
        assert checkpoint.name == f"step-{model['step']:08}"
    assert (first["profile"]["images"], first["machine"]["cores"] > 0) == ("maze", True)

    capsys.readouterr()
    quick(tmp_path, 40)
    told, second = capsys.readouterr().out, read(tmp_path)
    assert all(f"{name}: done before" in told for name in ratios)
    assert second["ratios"] == ratios
    for kind, model in second["profile"]["models"].items():
        assert model["step"] > models[kind]["step"]
        assert model["seconds"] > models[kind]["seconds"]

    # When time is up nothing is begun, and nothing is lost; ratios are those of one commit.
    quick(tmp_path, 0)
    assert capsys.readouterr().out.count("time is up") == 3
    monkeypatch.setattr(gpu, "commit", lambda: "another")
    quick(tmp_path, 0)
    assert capsys.readouterr().out.count("time is up") == 6


def test_what_fails_is_told_and_the_rest_goes_on(quick, tmp_path, monkeypatch):
    def fails(*_):
        raise AssertionError("the codes differ")

    monkeypatch.setattr(gpu, "measure_ratios", fails)
    monkeypatch.setattr(gpu, "train_until", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(SystemExit, match="not all of it went well"):
        quick(tmp_path, 40)
    found = read(tmp_path)
    error = {"error": "AssertionError: the codes differ"}
    assert found["ratios"] == dict.fromkeys(gpu_ratios.RATIOS, error)
    for model in found["profile"]["models"].values():
        assert model["error"].startswith("RuntimeError: ")


def test_a_model_that_cannot_be_compiled_is_trained_as_it_is(quick, tmp_path, monkeypatch):
    taken = []
    train, recipe_of = gpu.train, gpu.recipe_of

    def refuses(*arguments, **options):
        taken.append(arguments[2].compile)
        if arguments[2].compile:
            raise RuntimeError("no compiler\nand more of it")
        return train(*arguments, **options)

    monkeypatch.setattr(gpu, "train", refuses)
    report, entry = gpu.Report([tmp_path], "maze"), {}
    recipe = recipe_of("vae", "maze", small=True)
    recipe = gpu.replace(recipe, training=gpu.replace(recipe.training, compile=True))
    with gpu.processes("cpu") as place:
        gpu.train_until(report, entry, recipe, tmp_path / "vae", place, gpu.time.time() - 1)
    assert taken == [True, False]
    assert (entry["compiled"], entry["step"]) == (False, 1)
    assert entry["why_not_compiled"] == "RuntimeError: no compiler"


PRINTS = """import sys, time
for line in {lines!r}:
    print(line, flush=True)
time.sleep({seconds})
sys.exit({code})
"""


def pretend(monkeypatch, lines, code=0, seconds=0.0):
    """Another program in the place of pytest; gives the command lines that it is called with."""
    calls, run = [], subprocess.run

    def other(command, **options):
        if "pytest" not in command:
            return run(command, **options)
        calls.append(command)
        program = PRINTS.format(lines=lines, code=code, seconds=seconds)
        return run([sys.executable, "-c", program], **options)

    monkeypatch.setattr(gpu.subprocess, "run", other)
    return calls


def test_checks_that_time_cut_off_go_on_with_the_rest(tmp_path, monkeypatch, capsys):
    report = gpu.Report([tmp_path], "maze")
    one, two = ("tests/test_gpu.py::test_a[by gradient]", "tests/test_gpu.py::test_b")
    with monkeypatch.context() as patch:
        pretend(patch, [f"{one} PASSED   [ 50%]"], seconds=60)
        gpu.check(report, tmp_path, time.time() + 3)
    assert "1 passed, 0 failed, 0 skipped, then time was up" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        calls = pretend(patch, [f"{two} FAILED   [100%]"], code=1)
        gpu.check(report, tmp_path, time.time() + 60)
        assert f"--deselect={one}" in calls[0]
    assert read(tmp_path)["checks"]["failed"] == [two]
    assert report.failed()
    with monkeypatch.context() as patch:
        pretend(patch, [f"{two} PASSED   [100%]"])
        gpu.check(report, tmp_path, time.time() + 60)
        gpu.check(report, tmp_path, time.time() + 60)
    assert "checks: done before" in capsys.readouterr().out
    checks = {"passed": [one, two], "failed": [], "skipped": 0, "finished": True}
    assert read(tmp_path)["checks"] == checks
    report.figures["checks"] = {}
    with monkeypatch.context() as patch:
        pretend(patch, ["No module named pytest"], code=1)
        gpu.check(report, tmp_path, time.time() + 60)
    assert report.figures["checks"]["failed"] == ["pytest ended with 1: see checks.txt"]


@pytest.mark.slow
def test_the_checks_are_those_of_the_tests(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: the checks would take minutes")
    report = gpu.Report([tmp_path], "maze")
    gpu.check(report, tmp_path, time.time() + 120)
    checks = report.figures["checks"]
    assert (checks["passed"], checks["failed"], checks["finished"]) == ([], [], True)
    assert checks["skipped"] > 20
