"""Everything stands in pyproject.toml but the description: README.md with links that lead there."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
# From a picture's "](" or a link's to the address, where that is a path in the repository.
LINK = re.compile(r"(!?)\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def absolute(text: str, repository: str, version: str) -> str:
    """A README with the links to its own repository as they must be anywhere else."""

    def lead(match: re.Match[str]) -> str:
        mark, words, path = match.groups()
        kind = "raw" if mark else "blob"
        return (
            f"{mark}[{absolute(words, repository, version)}]({repository}/{kind}/v{version}/{path})"
        )

    return LINK.sub(lead, text)


if __name__ == "__main__":
    project = (HERE / "pyproject.toml").read_text(encoding="utf-8")
    address, release = (
        re.search(rf'(?m)^{name} = "(.*)"$', project)[1] for name in ("Repository", "version")
    )
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    setup(
        long_description=absolute(readme, address, release),
        long_description_content_type="text/markdown",
    )
