"""What the speech data is made with that comes from Debian, not from a package index."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOUNDS = Path("/usr/share/asterisk/sounds")
TRANSCRIPTS = "/usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
LANGUAGES = ("en", "fr", "it", "ru")


def find_missing() -> list[str]:
    """The Debian packages that are needed and not there."""
    missing = [program for program in ("flite", "ffmpeg") if not shutil.which(program)]
    for language in LANGUAGES:
        if not Path(TRANSCRIPTS.format(language)).is_file():
            missing.append(f"asterisk-core-sounds-{language}")
        if not list(SOUNDS.glob(f"{language}_*/*.g722")):
            missing.append(f"asterisk-core-sounds-{language}-g722")
    return missing


def install_missing() -> None:
    """Installs what is missing, where this is Debian and its user is root.

    Raises:
        SystemExit: with what to do, where it is not, or where installing failed.
    """
    missing = find_missing()
    if not missing:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"installing {', '.join(missing)}", flush=True)
        subprocess.run(["apt-get", "update", "--quiet"], check=False)
        command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]
        # The documentation may be left out by a container's settings: the transcripts are in it.
        included = "-o=DPkg::Options::=--path-include=/usr/share/doc/asterisk-core-sounds-*"
        subprocess.run([*command, "--reinstall", included, *missing], check=False)
        missing = find_missing()
    if missing:
        sys.exit(
            f"The speech data needs {len(missing)} packages of Debian or Ubuntu that are missing. "
            f"As root:\n    apt-get install {' '.join(missing)}\nElsewhere than on Debian, make "
            "the data in a container of it."
        )


def versions() -> dict[str, str]:
    """The version of each package that the sound comes from."""
    sounds = [f"asterisk-core-sounds-{language}-g722" for language in LANGUAGES]
    names = ["flite", "ffmpeg", *sounds]
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *names]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in shown.splitlines())
