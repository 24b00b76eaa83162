"""How long a notebook's cell may run in the tests: by how long it took when it was stored.

A plugin of pytest for nbval, which knows one limit for all cells: `--nbval-cell-timeout`. That one
holds for cells without a stored time. Figures are not compared, be they PNG, as nbval has it, or
SVG, which each version of matplotlib writes in its own way.
"""

import time
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, NbCellError

# Other work on a machine makes a cell slower by less than this; a hang is found all the same.
TIMES, FLOOR = 20, 120


def stored_seconds(cell) -> int | None:
    """The whole seconds that a cell took when its notebook was stored; None where not known."""
    return cell.metadata.get("vqvae", {}).get("seconds")


def limit_of(seconds: int) -> float:
    """The seconds that a cell may run which took `seconds` when it was stored."""
    return max(TIMES * seconds, FLOOR)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Sets nbval's limit for one cell, and says what it was when the cell has passed it."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    item.parent.skip_compare = {*item.parent.skip_compare, "image/svg+xml"}
    options, seconds = item.config.option, stored_seconds(item.cell)
    general = options.nbval_cell_timeout
    if seconds is not None:
        options.nbval_cell_timeout = limit_of(seconds)
    late, start = item.parent.timed_out, time.perf_counter()
    try:
        return (yield)
    except NbCellError as error:
        if late or not item.parent.timed_out:
            raise
        took = "no stored time" if seconds is None else f"{seconds} s when it was stored"
        raise NbCellError(
            error.cell_num,
            f"{Path(item.path).name}, cell {error.cell_num}: stopped after "
            f"{time.perf_counter() - start:.0f} s; its limit is {options.nbval_cell_timeout:g} s "
            f"({took})",
            error.source,
            error.inner_traceback,
        ) from None
    finally:
        options.nbval_cell_timeout = general
