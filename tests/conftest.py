"""What several test files share."""

import os

import pytest
import torch
from hypothesis import settings

import browser as browsers

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


def pytest_collection_modifyitems(items):
    """What needs a browser or the built book is slow, and no part of `make fast`."""
    for item in items:
        if {"chromium", "built"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _the_same_draws_every_time():
    """A test that draws without a seed of its own gets the same numbers on every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def chromium():
    """A headless browser; without one its tests are skipped, or fail where it is required."""
    path = browsers.find()
    if not path:
        message = "no Chromium or Chrome found: nothing was looked at in a browser"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    program = playwright.chromium.launch(executable_path=path)
    yield program
    program.close()
    playwright.stop()
