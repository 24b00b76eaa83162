"""For the tests and for the notebooks, which nbval runs."""

pytest_plugins = ["cell_limits"]
