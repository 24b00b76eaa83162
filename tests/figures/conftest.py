"""What the test files of figures share."""

import pytest

from explorer import TINY, Explorer


@pytest.fixture
def explore(chromium, tmp_path):
    explorers = []

    def go(settings=TINY, size=(32, 40), **options):
        explorers.append(Explorer(chromium, tmp_path, settings, size, **options))
        return explorers[-1]

    yield go
    for each in explorers:
        each.context.close()
        assert each.trouble == []
