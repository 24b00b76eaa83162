"""Walk through a random maze in ViZDoom and record what the walker sees, does and where it is."""

import math
import os
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import vizdoom as vzd
from maze_map import CELL, build_map
from PIL import Image

SIZE = 84  # pixels along the side of a recorded frame
SHRINK = 5  # rendered pixels along the side of a recorded one
GAMMA = 1.4  # Doom's colours are made for a brighter screen: x -> 255 * (x / 255) ** (1 / GAMMA)
TICS = 2  # of the game's 35 a second, per action
FORWARD, LEFT, RIGHT = range(3)
# Per tic: the push forward, and the turn in degrees (to the right where positive).
PUSHES = {FORWARD: (45, 0), LEFT: (0, -6), RIGHT: (0, 6)}

BRIGHTER = np.round(255 * (np.arange(256) / 255) ** (1 / GAMMA)).astype(np.uint8)

AIM = 9.0  # degrees: walk on where the way ahead is at most this far off
LOOK_ABOUT = 0.03  # probability, per step, of beginning to turn for the sake of looking
JITTER = 0.08  # of a cell: how far from the middle of the next cell to aim

_starting = threading.Lock()  # the current folder is the whole process's


class Walk(NamedTuple):
    """One unbroken walk of N steps.

    Attributes:
        frames: uint8 (N, SIZE, SIZE, 3), RGB.
        actions: uint8 (N,), 0 forward, 1 left, 2 right: what was done between frame t and t + 1.
        poses: float32 (N, 3), x and y in map units and the angle in degrees (0 along x, growing
            to the left, in [0, 360)), at the moment of the frame.
    """

    frames: np.ndarray
    actions: np.ndarray
    poses: np.ndarray


def record_walk(seed: int, num_frames: int) -> Walk:
    """Build the maze of `seed` and walk it for `num_frames` steps; the same seed, the same walk."""
    maze = build_map(seed)
    with tempfile.TemporaryDirectory() as folder:
        game = _start_game(maze.wad, Path(folder), seed)
        try:
            return _walk(game, maze.is_open, num_frames, np.random.default_rng([seed, 1]))
        finally:
            game.close()


def _start_game(wad: bytes, folder: Path, seed: int) -> vzd.DoomGame:
    path = folder / "maze.wad"
    path.write_bytes(wad)
    game = vzd.DoomGame()
    game.set_doom_scenario_path(str(path))
    game.set_doom_config_path(str(folder / "vizdoom.ini"))
    game.set_doom_map("MAP01")
    game.set_available_buttons(
        [vzd.Button.MOVE_FORWARD_BACKWARD_DELTA, vzd.Button.TURN_LEFT_RIGHT_DELTA]
    )
    variables = vzd.GameVariable
    game.set_available_game_variables([variables.POSITION_X, variables.POSITION_Y, variables.ANGLE])
    game.set_window_visible(False)
    game.set_sound_enabled(False)
    game.set_screen_resolution(vzd.ScreenResolution.RES_640X480)
    game.set_screen_format(vzd.ScreenFormat.RGB24)
    game.set_render_hud(False)
    game.set_render_weapon(False)
    game.set_render_crosshair(False)
    game.set_render_messages(False)
    game.set_render_screen_flashes(False)
    game.set_mode(vzd.Mode.PLAYER)
    game.set_episode_start_time(10)
    game.set_episode_timeout(0)
    game.set_seed(seed)
    # The engine makes a folder, _vizdoom, wherever it is started: let that be the temporary one.
    with _starting:
        here = Path.cwd()
        os.chdir(folder)
        try:
            game.init()
        finally:
            os.chdir(here)
    # The square cut from the middle of the picture is to span 90 degrees.
    width = game.get_screen_width()
    field_of_view = 2 * math.degrees(math.atan(width / (SIZE * SHRINK)))
    game.send_game_command(f"fov {field_of_view:.2f}")
    game.make_action([0, 0], TICS)
    return game


def _walk(game, is_open: np.ndarray, num_frames: int, rng: np.random.Generator) -> Walk:
    frames, actions, poses = [], [], []
    guide = Guide(is_open, rng)
    for _ in range(num_frames):
        state = game.get_state()
        x, y, angle = state.game_variables
        action = guide.choose(x, y, angle)
        frames.append(_shrink(state.screen_buffer))
        actions.append(action)
        poses.append((x, y, angle))
        game.make_action(list(PUSHES[action]), TICS)
    return Walk(np.stack(frames), np.array(actions, np.uint8), np.array(poses, np.float32))


def _shrink(screen: np.ndarray) -> np.ndarray:
    """Brighten a rendered picture, cut out its middle square, average it to SIZE x SIZE."""
    height, width, _ = screen.shape
    left, top = (width - SIZE * SHRINK) // 2, (height - SIZE * SHRINK) // 2
    square = (left, top, left + SIZE * SHRINK, top + SIZE * SHRINK)
    return np.asarray(Image.fromarray(BRIGHTER[screen]).reduce(SHRINK, square))


class Guide:
    """Chooses actions: heads for the least visited cells, and looks about now and then."""

    def __init__(self, is_open: np.ndarray, rng: np.random.Generator):
        self.is_open = is_open
        self.rng = rng
        self.visits = np.zeros(is_open.shape, int)
        self.path: list[tuple[int, int]] = []
        self.aim = (math.nan, math.nan)
        self.turns: list[int] = []
        self.last = (FORWARD, math.nan, math.nan)

    def choose(self, x: float, y: float, angle: float) -> int:
        """The next action at the pose (map units, map units, degrees)."""
        action = self._choose(x, y, angle)
        self.last = (action, x, y)
        return action

    def _choose(self, x: float, y: float, angle: float) -> int:
        cell = (int(y // CELL), int(x // CELL))
        if not self.path or cell == self.path[0]:
            self._next_cell(cell)
        if not self.turns:
            was, last_x, last_y = self.last
            is_stuck = was == FORWARD and math.hypot(x - last_x, y - last_y) < 0.5
            if is_stuck or self.rng.random() < LOOK_ABOUT:
                self.turns = [int(self.rng.integers(LEFT, RIGHT + 1))] * self.rng.integers(2, 9)
        if self.turns:
            return self.turns.pop()
        bearing = math.degrees(math.atan2(self.aim[1] - y, self.aim[0] - x))
        off = (bearing - angle + 180) % 360 - 180
        return FORWARD if abs(off) <= AIM else LEFT if off > 0 else RIGHT

    def _next_cell(self, cell: tuple[int, int]) -> None:
        """Note the visit, plan a new path where the old one is walked, aim at its next cell."""
        self.visits[cell] += 1
        self.path = self.path[1:] or self._plan(cell)
        row, column = self.path[0]
        dx, dy = self.rng.uniform(-JITTER, JITTER, 2)
        self.aim = ((column + 0.5 + dx) * CELL, (row + 0.5 + dy) * CELL)

    def _plan(self, cell: tuple[int, int]) -> list[tuple[int, int]]:
        """The shortest path from `cell` (left out) to the nearest of the least visited cells."""
        came_from = {cell: cell}
        queue = [cell]
        for row, column in queue:  # grows as it is read: a breadth-first search
            for dy, dx in self.rng.permutation(((0, 1), (1, 0), (0, -1), (-1, 0))).tolist():
                neighbour = (row + dy, column + dx)
                if self.is_open[neighbour] and neighbour not in came_from:
                    came_from[neighbour] = (row, column)
                    queue.append(neighbour)
        goal = min(queue[1:], key=lambda other: self.visits[other])
        path = [goal]
        while came_from[path[0]] != cell:
            path.insert(0, came_from[path[0]])
        return path
