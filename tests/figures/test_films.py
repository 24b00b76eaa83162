"""Films side by side: what Python puts into their page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from films import films_of
from pages import data_of
from vqvae_lite.figures.films import play_films


def test_the_page_holds_every_frame():
    films = films_of()
    data = data_of(play_films(films, seen=2, scenes=["here", "there"]))
    assert (data["names"], data["scenes"]) == (list(films), ["here", "there"])
    assert (data["frames"], data["seen"], data["size"], data["step"]) == (5, 2, [20, 24], 32)
    for film, strips in zip(films.values(), data["strips"], strict=True):
        for scene, strip in zip(film, strips, strict=True):
            image = Image.open(io.BytesIO(base64.b64decode(strip)))
            pixels = np.asarray(image.convert("RGB")).astype(float)
            assert pixels.shape == (5 * 32, 32, 3)
            for index, frame in enumerate(scene):
                shown = pixels[32 * index :][:20, :24]
                assert abs(shown - frame.permute(1, 2, 0).numpy()).mean() < 8


def test_it_is_the_same_each_time():
    one, same = (play_films(films_of(), seen=1, scenes=["a", "b"]) for _ in range(2))
    assert one._repr_mimebundle_() == same._repr_mimebundle_()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda films: {}, ValueError, "films must be at least one"),
        (lambda films: films | {"short": films["film 0"][:, :3]}, ValueError, "all of one shape"),
        (lambda films: {"one": films["film 0"][:1]}, ValueError, "S = 2 scenes"),
        (lambda films: {"gray": films["film 0"][:, :, :1]}, ValueError, r"\(S, T, 3, height"),
        (lambda films: {"one": films["film 0"][:, :1]}, ValueError, "T at least seen = 2"),
        (lambda films: {"float": films["film 0"] / 255}, TypeError, "must be a uint8 tensor"),
    ],
)
def test_films_that_do_not_fit(change, error, message):
    with pytest.raises(error, match=message):
        play_films(change(films_of()), seen=2, scenes=["here", "there"])
    with pytest.raises(ValueError, match="seen must be"):
        play_films(films_of(), seen=0, scenes=["here", "there"])
