"""Compiles kernel.ts to the few bytes of WebAssembly that the figures of the book carry.

    python tools/kernel/build.py

Needs npm, which brings the compiler, AssemblyScript, in the version that package-lock.json names.
"""

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WRITTEN = HERE.parents[1] / "vqvae_lite/figures/web/kernelcode.js"
SETTINGS = [
    "-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd", "--importMemory",
    "--noExportMemory",
]  # fmt: skip
_SCRIPT = """\
// Written by tools/kernel/build.py from tools/kernel/kernel.ts.
VQ.kernelCode = "{code}";
"""


def compiled() -> str:
    """The script that holds the compiled kernel; nothing in the repository is changed.

    Raises:
        FileNotFoundError: npm is not installed.
        subprocess.CalledProcessError: npm or the compiler failed.
    """
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise FileNotFoundError("npm was not found: it comes with Node.js, https://nodejs.org")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("kernel.ts", "package.json", "package-lock.json"):
            shutil.copy(HERE / file, folder)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([npm, "ci", *quiet], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        compiler = folder / "node_modules/assemblyscript/bin/asc.js"
        command = [node, compiler, "kernel.ts", "--outFile", "kernel.wasm", *SETTINGS]
        subprocess.run(command, cwd=folder, check=True)
        code = base64.b64encode((folder / "kernel.wasm").read_bytes()).decode()
    return _SCRIPT.format(code=code)


def main() -> int:
    """Writes the script; returns the exit status."""
    try:
        text = compiled()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    changed = not WRITTEN.exists() or WRITTEN.read_text(encoding="utf-8") != text
    WRITTEN.write_text(text, encoding="utf-8")
    print(f"{WRITTEN.name}: {len(text)} characters, {'changed' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
