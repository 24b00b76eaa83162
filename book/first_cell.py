# Finds this book's files. On Colab, or where a notebook stands alone,
# they are fetched first, with the packages that are missing; where all
# is there this cell does nothing.
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from tempfile import TemporaryDirectory

REPOSITORY = "https://github.com/vqvae-book/vqvae-book"
# All files at the top, and the folders that a chapter reads.
TAKEN = "/*\n!/*/\n/benchmarks/\n/checkpoints/\n/data/\n/tools/\n"
TAKEN += "/vqvae_lite/\n"
NEEDS = ("torch", "torchvision", "numpy", "matplotlib", "PIL")
NEEDS += ("safetensors", "tqdm", "soundfile", "soxr", "praatio")
NEEDS += ("ipywidgets",)


class NotReadyError(Exception):
    def _render_traceback_(self):
        return [str(self)]  # shown by IPython instead of a traceback


def run(*command):
    # Else git may wait for a password.
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    subprocess.run(
        command, check=True, capture_output=True, text=True, env=quiet
    )


def fetch(checkout):
    """Fetches of the latest commit what TAKEN names."""
    with TemporaryDirectory(dir=checkout.parent) as folder:
        history = pathlib.Path(folder, "history")
        files = pathlib.Path(folder, "files")
        options = (
            "--quiet",
            "--depth=1",
            "--filter=blob:none",
            "--no-checkout",
        )
        options += (
            "--config=core.sparseCheckout=true",
            "--config=core.sparseCheckoutCone=false",
        )
        run(
            "git",
            "clone",
            *options,
            f"--separate-git-dir={history}",
            REPOSITORY,
            files,
        )
        (history / "info").mkdir(exist_ok=True)
        (history / "info" / "sparse-checkout").write_text(TAKEN)
        run("git", "-C", files, "checkout", "--quiet")
        (files / ".git").unlink()
        files.rename(checkout)


def install(missing, ranges):
    """Installs in the book's ranges; what is there stays as it is."""
    installed = {
        d.metadata["Name"]: d.version
        for d in importlib.metadata.distributions()
    }
    installed.pop(None, None)  # what an interrupted installation leaves
    kept = [f"{name}=={version}" for name, version in installed.items()]
    kept = [
        line
        for line in kept
        if re.fullmatch(r"[\w.-]+==\d[\w.+!]*", line)
    ]
    with TemporaryDirectory() as folder:
        keep = pathlib.Path(folder, "installed.txt")
        keep.write_text("\n".join(kept))
        pip = (
            sys.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
        )
        run(
            *pip, "--constraint", ranges, "--constraint", keep, *missing
        )
    importlib.invalidate_caches()


here = pathlib.Path.cwd()
fetched = here / REPOSITORY.rstrip("/").rsplit("/", 1)[-1]
places = (here, *here.parents, fetched)
checkout = next(
    (p for p in places if (p / "vqvae_lite/__init__.py").exists()),
    fetched,
)
try:
    remedy = "With git and a network, run this cell again; or open it "
    remedy += f"in a clone of {REPOSITORY}"
    if not (checkout / "vqvae_lite/__init__.py").exists():
        print("Fetching the book's files: about 45 MB.")
        fetch(checkout)
    missing = [
        name for name in NEEDS if importlib.util.find_spec(name) is None
    ]
    missing = ["pillow" if name == "PIL" else name for name in missing]
    if missing:
        print("Installing what is missing:", *missing)
        remedy = "Install it yourself, then run this cell again: "
        remedy += f"pip install {' '.join(missing)}"
        install(missing, checkout / "requirements.txt")
except (OSError, subprocess.CalledProcessError) as error:
    said = (getattr(error, "stderr", "") or str(error)).splitlines()
    reason = next(
        (line for line in said if line.startswith(("fatal", "ERROR"))),
        said[-1],
    )
    raise NotReadyError(f"{remedy} ({reason})") from None
if str(checkout) not in sys.path:
    sys.path.insert(0, str(checkout))
    # For commands that start another Python: !python -m vqvae_lite.cli
    others = [path for path in [os.environ.get("PYTHONPATH")] if path]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(checkout), *others])
