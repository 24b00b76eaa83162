"""Firefox by its own remote protocol, Marionette: as much of it as the tests of figures need."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

NAMES = ("firefox-esr", "firefox")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver marks an element in JSON
KEYS = {
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Enter": "\ue007",
}
PATIENCE = 120  # seconds; a busy machine is slow, not wrong


def find() -> str | None:
    """The path of a Firefox, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Firefox:
    """A headless Firefox with a profile of its own in an empty folder."""

    def __init__(self, program: str, profile: Path):
        (profile / "user.js").write_text('user_pref("marionette.port", 0);\n')
        self.process = subprocess.Popen(
            [program, "--headless", "--marionette", "--profile", profile, "--no-remote"],
            env={**os.environ, "HOME": str(profile), "MOZ_HEADLESS_WIDTH": "1280"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.numbers = itertools.count(1)
        self.socket = socket.create_connection(("127.0.0.1", self.port(profile)), PATIENCE)
        self.read()  # it greets
        self.do("NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})

    def port(self, profile: Path) -> int:
        """Where it listens, once it does."""
        file = profile / "MarionetteActivePort"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            if file.exists() and file.read_text().strip():
                return int(file.read_text())
            time.sleep(0.1)
        raise RuntimeError("Firefox did not start")

    def read(self):
        """The next message: its length, a colon, JSON."""
        head = b""
        while not head.endswith(b":"):
            head += self.socket.recv(1)
        text = b""
        while len(text) < int(head[:-1]):
            text += self.socket.recv(int(head[:-1]) - len(text))
        return json.loads(text)

    def do(self, command: str, **arguments):
        """Gives a WebDriver command and returns what came of it."""
        message = json.dumps([0, next(self.numbers), f"WebDriver:{command}", arguments]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.read()
        assert not error, f"{command}: {error['error']}: {error['message']}"
        return result

    def run(self, script: str, *arguments):
        """What the body of a function returns in the page."""
        return self.do("ExecuteScript", script=script, args=list(arguments))["value"]

    def click(self, selector: str) -> None:
        """Clicks on the middle of the first match."""
        element = self.do("FindElement", using="css selector", value=selector)["value"]
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        # Frames above may still grow, and push this one away from under the mouse.
        place = None
        while (now := self.run("return [mozInnerScreenX, mozInnerScreenY]")) != place:
            place = now
            time.sleep(0.3)
        there = {"type": "pointerMove", "origin": element, "x": 0, "y": 0}
        button = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        mouse = {"type": "pointer", "id": "mouse", "actions": [there, *button]}
        self.do("PerformActions", actions=[mouse])

    def press(self, key: str) -> None:
        """Presses a key and lets it go."""
        value = KEYS.get(key, key)
        actions = [{"type": kind, "value": value} for kind in ("keyDown", "keyUp")]
        self.do("PerformActions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def wait(self, script: str, *arguments):
        """Waits until the body of a function returns something true, and returns that."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < end, f"waited in vain for {script}"
            time.sleep(0.05)
        return value

    def close(self) -> None:
        """Ends it."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
