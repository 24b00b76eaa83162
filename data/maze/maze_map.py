"""Draw a random maze and write it as a map that ViZDoom can load.

A maze is a grid of open and closed cells, cut into a few *themes*: regions with their own wall,
floor, ceiling, height and light. The map is in UDMF, the text format of Doom maps, packed into a
WAD file; the textures it names are Freedoom's, which ship with ViZDoom.
"""

import struct
from typing import NamedTuple

import numpy as np

GRID = 9  # cells along each side, the closed border included
CELL = 128  # map units along the side of a cell; the player is 32 wide and sees from 41 high
NUM_THEMES = 5
OPENINGS = 0.25  # share of the inner closed cells that are opened: loops and small halls

WALLS = """
    BRICK1 BRICK7 BRICK10 BRICK11 BIGBRIK2 BRONZE1 BROWNHUG CEMENT1 CEMENT9 FIREBLU1 GRAY7
    GRAYVINE GSTONE1 GSTVINE2 ICKWALL3 MARBLE1 MARBGRAY MODWALL3 PANEL1 PANEL5 PANBLUE PANRED
    PIPEWAL1 ROCK4 ROCKRED1 SILVER1 SILVER2 SHAWN2 SLADWALL STARBR2 STARG1 STARTAN3 STONE2
    STONE6 STUCCO1 STUCCO3 TEKGREN2 TEKBRON1 WOOD1 WOOD5 ZIMMER2 ZIMMER5 AQBRIK01 AQMETL08
    AQPANL03 A-BROCK2 A-CAMO2 A-MOSBRI A-REDROK A-WOOD1 BRICK12 STONEW5 SP_ROCK1 STARTAN1
    ESPITAN2 AQBRIK02 A-CONCTE CRATE1 STARBR1 STONE4 SPACEW4 A-BROK28 TANROCK2 ICKWALL7
""".split()  # noqa: SIM905
FLOORS = """
    FLAT1_1 FLAT5_1 FLAT5_7 FLAT8 FLOOR0_2 FLOOR0_7 FLOOR1_6 GRASS1 GRASS2 MFLR8_3 MFLR8_4
    RROCK09 RROCK10 RROCK16 SLIME13 SLIME16 FLAT5_4 FLOOR4_8 FLOOR5_2 FLOOR6_2 FLOOR7_1 FLOOR7_2
    AQF005 AQF035 AQF050 FLOOR0_1 FLOOR3_3 FLOOR5_3 AQF047 FLAT18 FLOOR4_6 FLAT5 RROCK02
""".split()  # noqa: SIM905
CEILINGS = """
    F_SKY1 F_SKY1 CEIL1_1 CEIL3_1 CEIL3_5 CEIL5_2 FLAT20 FLAT22 FLAT5_5 FLOOR7_2 MFLR8_1
    TLITE6_1 TLITE6_5 GRNLITE1 CEIL3_2 FLAT23 FLOOR0_1 CRATOP2
""".split()  # noqa: SIM905 - F_SKY1 is the open sky, twice as likely as any other
HEIGHTS = (112, 128, 144, 176)  # map units
LIGHTS = (208, 224, 240, 255)
# Thing types of Doom: lamps, candelabra, torches, columns, barrels; then keys, bottles, armour.
FURNITURE = (2028, 85, 86, 35, 44, 45, 46, 55, 56, 57, 30, 31, 32, 33, 48, 2035, 70, 43, 41)
TREASURE = (2013, 2014, 2015, 2011, 2012, 2018, 2019, 5, 6, 13)
PLAYER_START = 1


class MazeMap(NamedTuple):
    """A maze and the map file made of it.

    Attributes:
        is_open: bool (GRID, GRID), indexed [row, column]; cell (row, column) covers the map units
            from (column * CELL, row * CELL) to ((column + 1) * CELL, (row + 1) * CELL).
        wad: the bytes of the WAD file; its one map is MAP01.
    """

    is_open: np.ndarray
    wad: bytes


def draw_grid(rng: np.random.Generator) -> np.ndarray:
    """Carve a maze by a depth-first walk over the odd cells, then open some walls at random."""
    is_open = np.zeros((GRID, GRID), dtype=bool)
    is_open[1, 1] = True
    trail = [(1, 1)]
    while trail:
        row, column = trail[-1]
        ways = [
            (dy, dx)
            for dy, dx in ((2, 0), (-2, 0), (0, 2), (0, -2))
            if 0 < row + dy < GRID - 1
            and 0 < column + dx < GRID - 1
            and not is_open[row + dy, column + dx]
        ]
        if not ways:
            trail.pop()
            continue
        dy, dx = ways[rng.integers(len(ways))]
        is_open[row + dy // 2, column + dx // 2] = is_open[row + dy, column + dx] = True
        trail.append((row + dy, column + dx))
    inner = is_open[1:-1, 1:-1]
    inner |= rng.random(inner.shape) < OPENINGS
    return is_open


def build_map(seed: int) -> MazeMap:
    """Draw the maze of `seed` and write its map; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    is_open = draw_grid(rng)
    theme = _draw_themes(rng)
    walls = rng.choice(WALLS, NUM_THEMES, replace=False)
    floors = rng.choice(FLOORS, NUM_THEMES, replace=False)
    ceilings = rng.choice(CEILINGS, NUM_THEMES)
    heights = rng.choice(HEIGHTS, NUM_THEMES)
    lights = rng.choice(LIGHTS, NUM_THEMES)

    blocks = ['namespace = "zdoom";']
    blocks += [_block("thing", **thing) for thing in _place_things(rng, is_open)]
    blocks += _build_walls(is_open, theme, walls)
    blocks += [
        _block(
            "sector",
            heightfloor=0,
            heightceiling=int(heights[k]),
            texturefloor=str(floors[k]),
            textureceiling=str(ceilings[k]),
            lightlevel=int(lights[k]),
        )
        for k in range(NUM_THEMES)
    ]
    return MazeMap(is_open, _pack_wad("\n".join(blocks).encode()))


def _draw_themes(rng: np.random.Generator) -> np.ndarray:
    """The theme of each cell, int (GRID, GRID): that of the nearest of a few random points."""
    points = rng.uniform(0, GRID, (NUM_THEMES, 2))
    cells = np.stack(np.mgrid[:GRID, :GRID], axis=-1)
    return np.square(cells[:, :, None] - points).sum(-1).argmin(-1)


def _place_things(rng: np.random.Generator, is_open: np.ndarray) -> list[dict]:
    """The player's start in one open cell, and objects in the corners of a third of the others."""
    cells = rng.permutation(np.argwhere(is_open))
    start_row, start_column = cells[0]
    things = [
        {
            "x": float((start_column + 0.5) * CELL),
            "y": float((start_row + 0.5) * CELL),
            "angle": 45 * int(rng.integers(8)),
            "type": PLAYER_START,
        }
    ]
    for row, column in cells[1 : 1 + len(cells) // 3]:
        kind = FURNITURE if rng.random() < 0.5 else TREASURE
        # Far enough from both middle lines of the cell that a walk along them passes by.
        dx, dy = rng.choice((-1, 1), 2) * rng.uniform(0.34, 0.38, 2)
        things.append(
            {
                "x": round(float((column + 0.5 + dx) * CELL), 1),
                "y": round(float((row + 0.5 + dy) * CELL), 1),
                "angle": 0,
                "type": int(kind[rng.integers(len(kind))]),
            }
        )
    everywhere = {f"skill{k}": True for k in range(1, 6)} | {"single": True}
    return [thing | everywhere for thing in things]


def _build_walls(is_open: np.ndarray, theme: np.ndarray, walls: np.ndarray) -> list[str]:
    """Vertices, lines and sides: a wall beside each closed cell, a bare line between themes."""
    vertices: dict[tuple[int, int], int] = {}
    lines, sides = [], []

    def vertex(corner):
        return vertices.setdefault(corner, len(vertices))

    def side(k):
        # Between themes only the part above the lower of two ceilings is seen.
        sides.append(_block("sidedef", sector=int(k), texturetop=str(walls[k])))
        return len(sides) - 1

    def wall(k):
        sides.append(_block("sidedef", sector=int(k), texturemiddle=str(walls[k])))
        return len(sides) - 1

    for row, column in np.argwhere(is_open).tolist():
        left, low = column * CELL, row * CELL
        right, high = left + CELL, low + CELL
        here = theme[row, column]
        # Clockwise, since the front of a line is on its right.
        for start, end, (next_row, next_column) in (
            ((left, low), (left, high), (row, column - 1)),
            ((left, high), (right, high), (row + 1, column)),
            ((right, high), (right, low), (row, column + 1)),
            ((right, low), (left, low), (row - 1, column)),
        ):
            there = theme[next_row, next_column]
            if not is_open[next_row, next_column]:
                faces = {"sidefront": wall(here), "blocking": True}
            elif there != here and (next_row, next_column) > (row, column):
                faces = {"sidefront": side(here), "sideback": side(there), "twosided": True}
            else:
                continue
            lines.append(_block("linedef", v1=vertex(start), v2=vertex(end), **faces))
    corners = [_block("vertex", x=float(x), y=float(y)) for x, y in vertices]
    return corners + lines + sides


def _block(kind: str, **fields) -> str:
    """One block of UDMF, such as `vertex{x=160.0;y=320.0;}`."""
    parts = (f"{name}={_value(value)};" for name, value in fields.items())
    return kind + "{" + "".join(parts) + "}"


def _value(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _pack_wad(text: bytes) -> bytes:
    """A WAD file (header, contents, directory) with the one map MAP01."""
    contents, directory = b"", b""
    header_size = 12
    for name, content in ((b"MAP01", b""), (b"TEXTMAP", text), (b"ENDMAP", b"")):
        directory += struct.pack("<ii8s", header_size + len(contents), len(content), name)
        contents += content
    header = struct.pack("<4sii", b"PWAD", 3, header_size + len(contents))
    return header + contents + directory
