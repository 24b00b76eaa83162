# Finds this book's checkout. On Colab, or wherever a notebook stands alone, it is fetched first,
# with the packages that are missing; where all is there this cell does nothing.
import importlib.util
import pathlib
import subprocess
import sys

REPOSITORY = "https://github.com/vqvae-book/vqvae-book"

here = pathlib.Path.cwd()
checkout = next((p for p in (here, *here.parents) if (p / "vqvae_lite/__init__.py").exists()), None)
if checkout is None:
    checkout = here / REPOSITORY.rsplit("/", 1)[-1]
    if not checkout.exists():
        subprocess.run(["git", "clone", "--quiet", "--depth=1", REPOSITORY, checkout], check=True)
if str(checkout) not in sys.path:
    sys.path.insert(0, str(checkout))
needs = ("torch", "torchvision", "numpy", "matplotlib", "PIL", "safetensors", "tqdm", "soundfile")
needs += ("soxr", "praatio", "ipywidgets")
missing = [name for name in needs if importlib.util.find_spec(name) is None]
if missing:
    print("Installing what is missing:", *missing)
    pip = (sys.executable, "-m", "pip", "install", "--quiet")
    subprocess.run([*pip, f"{checkout}[all]", "ipywidgets"], check=True)
