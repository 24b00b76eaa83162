"""Makes the archives that a release has for `vqvae-lite data get`, in dist/.

    python tools/make_archives.py            # the archives, and their digests in archives.json
    python tools/make_archives.py --check    # write nothing; status 1 where a digest differs

Each is a tar of the files that git has below a folder, the same to the byte on every machine: in
the order of their names, of no time and of nobody. It is not compressed, since what is in it is.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vqvae_lite.data.fetch import LIST, file_of  # noqa: E402
from vqvae_lite.data.places import ARCHIVES  # noqa: E402


def pack(name: str) -> bytes:
    """The archive of a name out of `ARCHIVES`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ARCHIVES[name]],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout.decode()  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(file for file in listed.split("\0") if (ROOT / file).is_file()):
            content = (ROOT / file).read_bytes()
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the archives of a release, in dist/.")
    parser.add_argument("--check", action="store_true", help="only say which digests differ")
    check = parser.parse_args().check
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    made = {}
    for name in ARCHIVES:
        packed = pack(name)
        made[name] = {"bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
        if not check:
            file = ROOT / "dist" / file_of(name)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(packed)
            print(f"{file.relative_to(ROOT)}: {len(packed)} bytes")
    different = [name for name in ARCHIVES if listed["archives"].get(name) != made[name]]
    if different and check:
        print(f"{LIST.name} differs in {', '.join(different)}; run: python tools/make_archives.py")
        return 1
    if different:
        text = json.dumps({**listed, "archives": made}, indent=2) + "\n"
        LIST.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
