"""Recipes by name, their settings, and what is stored of them."""

import itertools
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import MODELS, load_checkpoint
from vqvae_lite.recipes.names import KINDS, PROFILES, RECIPES, check_recipe
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import (
    CodeData,
    ImageData,
    Recipe,
    SoundData,
    check_can_resume,
    recipe_of,
    with_setting,
)
from vqvae_lite.sound.speech import SPEAKERS
from vqvae_lite.training import TrainingConfig

SHARED = Path(__file__).resolve().parents[2] / "checkpoints"
LARGER_SET = "~/.cache/vqvae_lite/maze-33600"
FIVE = ("kal", "awb", "rms", "slt", "allison")
FILMS = "video", "paper", "video", CodeData("46194ffc6ece", 8, folder=LARGER_SET)
# Name, profile, kind and data of what the shared checkpoints were trained by; those of priors say
# whose codes they learned, too.
TRAINED_BY = {
    "latent_priors/autoencoder": ("maze", "quick", "autoencoder", ImageData(32)),
    "latent_priors/prior": ("prior", "quick", "pixelcnn", CodeData("047dd028db3d")),
    "likelihood/gumbel": ("maze", "quick", "gumbel", ImageData(32)),
    "likelihood/prior": ("prior", "quick", "pixelcnn", CodeData("853d0563dab3")),
    "likelihood/vae": ("maze", "quick", "vae", ImageData(32)),
    "likelihood/vimco": ("maze", "quick", "vimco", ImageData(32)),
    "likelihood/vqvae": ("maze", "quick", "vqvae", ImageData(32)),
    "maze": ("maze", "paper", "vqvae", ImageData(84, mirrored=True)),
    "photographs": (
        "folder",
        "quick",
        "vqvae",
        ImageData(32, "cifar10-jpeg/train", mirrored=True),
    ),
    "phonemes_wavenet": ("speech", "paper", "soundvqvae", SoundData(16000, 5120, 0, FIVE)),
    "prior": ("prior", "paper", "pixelcnn", CodeData("46194ffc6ece")),
    "prior_small": ("prior", "quick", "pixelcnn", CodeData("46194ffc6ece")),
    "speech": ("speech", "paper", "soundvqvae", SoundData(8000, 2048, 0.8, SPEAKERS)),
    "speech_prior": ("prior", "quick", "wavenet", CodeData("", 512)),
    "video": FILMS,
    "video_at_once": FILMS,
}


@pytest.mark.parametrize(
    "name", [str(file.parent.relative_to(SHARED)) for file in sorted(SHARED.rglob("config.json"))]
)
def test_what_the_shared_checkpoints_were_trained_by(name):
    checkpoint = load_checkpoint(SHARED / name)
    if name not in TRAINED_BY:
        with pytest.raises(CheckpointError, match="was saved without a recipe"):
            recipe_of(checkpoint)
        return
    recipe = recipe_of(checkpoint)
    *expected, data = TRAINED_BY[name]
    if isinstance(data, CodeData) and not data.codes_of:
        data = replace(data, codes_of=checkpoint.config["codes_of"])
    assert [recipe.name, recipe.profile, recipe.kind] == expected
    assert recipe.data == data
    assert recipe.model == checkpoint.model.config
    training = checkpoint.config.get("recipe", checkpoint.config)["training"]
    assert recipe.training == TrainingConfig(**training)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_flat_recipes_of_a_folder():
    image = {"name": "folder", "profile": "quick", "size": 16, "folder": "pictures"}
    sound = {"name": "sound", "profile": "quick", "rate": 1000, "window": 64, "speakers": ["b"]}
    parts = {"model": {"width": 8}, "training": {"steps": 5}}
    recipe = Recipe.from_json({**image, **parts})
    assert recipe.kind == "vqvae"
    assert recipe.data == ImageData(size=16, folder="pictures", mirrored=False)
    assert (recipe.model.width, recipe.training.steps) == (8, 5)
    recipe = Recipe.from_json({**sound, **parts, "folder": "said"})
    assert recipe.kind == "soundvqvae"
    assert recipe.data == SoundData(rate=1000, window=64, speakers=("b",), folder="said")


@pytest.mark.parametrize(
    "damage",
    [3, "x", [], {}, {"data": {}}, {"data": 3}, {"data": {"sise": 84}}, {"model": {"wide": 3}},
     {"kind": "nonsense"}, {"training": {"steps": 0}}, {"more": 1}, {"name": "nothing"},
     {"profile": [[]]},
     {"data": {"size": 10**6}}, {"data": {"size": 30}}, {"data": {"size": 84, "folder": 3}},
     {"data": {"size": 84, "mirrored": "no"}}, {"training": {"seed": -1}}],
)  # fmt: skip
def test_no_recipe(damage):
    stored = damage
    if isinstance(damage, dict) and damage:
        stored = get_recipe("maze", "quick").to_json() | damage
    checkpoint = load_checkpoint(SHARED / "maze")
    checkpoint = checkpoint._replace(config={**checkpoint.config, "recipe": stored})
    with pytest.raises(
        CheckpointError, match=r"maze/config.json cannot be read as the recipe of a run: "
    ):
        recipe_of(checkpoint)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("wide=3", "unknown setting 'wide=3'"),
        ("width", "unknown setting 'width'"),
        ("width=x", "setting 'width' expects int, got 'x'"),
        ("compile=yes", "setting 'compile' expects bool, got 'yes'"),
        ("mirrored=1", "setting 'mirrored' expects bool, got '1'"),
        ("decay=x", "setting 'decay' expects float or none"),
        ("size=30", "size must be a multiple of 4, got 30"),
        ("size=0", "size must be at least 1"),
        ("steps=0", "steps must be at least 1"),
        ("folder=x", "unknown setting 'folder=x'"),
        ("name=x", "unknown setting 'name=x'"),
    ],
)
def test_bad_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        get_recipe("maze", "quick", [setting])


def test_settings_of_every_kind():
    settings = ["decay=none", "compile=true", "width=8", "precision=float32", "mirrored=true"]
    recipe = get_recipe("cifar10", "paper", settings)
    assert recipe.model.decay is None
    assert recipe.training.compile is True
    assert (recipe.model.width, recipe.training.precision) == (8, "float32")
    assert recipe.data == ImageData(size=32, mirrored=True)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_settings_of_sound():
    settings = ["strides=2,4", "window=80", "rate=4000", "decay=none"]
    recipe = get_recipe("speech", "quick", settings)
    assert recipe.data == SoundData(rate=4000, window=80, speakers=("kal", "slt"))
    assert (recipe.model.strides, recipe.model.decay) == ((2, 4), None)
    for setting, message in [
        ("strides=2,x", "setting 'strides' expects int values, commas between them, got '2,x'"),
        ("strides=2,0", "strides must be at least 1"),
        ("window=100", "window must be a multiple of 32, got 100"),
        ("rate=0", "rate must be at least 1"),
        ("disguise=1.5", r"disguise must be in \[0, 1\], got 1.5"),
        ("num_speakers=3", "it follows from the data"),
        ("speakers=kal,kal", "each be named once"),
    ]:
        with pytest.raises(ValueError, match=message):
            get_recipe("speech", "quick", [setting])


def test_a_name_that_is_none():
    everyone = "maze, cifar10, folder, speech, sound, prior, video"
    for name, hint in [("spech", " (did you mean 'speech'?)"), ("x", "")]:
        message = f"unknown recipe {name!r}{hint}: expected one of {everyone}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            get_recipe(name, "quick")
    with pytest.raises(
        ValueError, match=r"profile must be one of \('quick', 'paper', 'paper-ema'\), got 'slow'"
    ):
        get_recipe("maze", "slow")
    with pytest.raises(ValueError, match="kind must be one of .*, got 'soundvqvae'"):
        get_recipe("maze", "quick", kind="soundvqvae")


@pytest.mark.parametrize(
    ("name", "takes", "needs"),
    [
        ("maze", {"kind", "folder"}, set()),
        ("cifar10", {"kind"}, set()),
        ("folder", {"kind", "folder"}, {"folder"}),
        ("speech", set(), set()),
        ("sound", {"folder"}, {"folder"}),
        ("prior", {"codes_of"}, {"codes_of"}),
        ("video", {"folder", "codes_of"}, {"codes_of"}),
    ],
)
def test_what_a_recipe_takes_and_needs(name, takes, needs):
    given = dict.fromkeys(("kind", "folder", "codes_of"))
    for what in given:
        if what in takes:
            check_recipe(name, **{**given, **dict.fromkeys(needs, "x"), what: "x"})
        else:
            with pytest.raises(ValueError, match=f"{name!r} takes no {what} .*, got 'x'"):
                check_recipe(name, **{what: "x"})
        if what in needs:
            with pytest.raises(ValueError, match=f"{name!r} needs {what}"):
                check_recipe(name, **given)


def test_every_recipe_has_both_profiles_and_the_papers_latents():
    latents = {"cifar10": 8, "folder": 32, "maze": 21}
    for (name, side), kind in itertools.product(latents.items(), KINDS):
        folder = "~/pictures" if name == "folder" else None
        assert get_recipe(name, "quick", kind=kind, folder=folder).profile == "quick"
        recipe = get_recipe(name, "paper", kind=kind, folder=folder)
        assert (recipe.kind, recipe.data.folder) == (kind, folder)
        assert recipe.data.size // 2**recipe.model.num_halvings == side
        assert recipe.model.width == 256
        assert kind == "vae" or recipe.model.num_codes == 512
        training = recipe.training
        assert training.workers == (8 if name == "folder" else 0)
        assert (training.steps, training.batch_size, training.learning_rate) == (250_000, 128, 2e-4)


def test_recipes_of_sound_have_both_profiles_and_the_papers_encoder():
    paper = get_recipe("speech", "paper")
    assert paper.model.strides == (2,) * 6
    assert (paper.model.num_codes, paper.data.rate, paper.model.num_speakers) == (512, 16000, 8)
    assert paper.data.speakers == SPEAKERS
    quick = get_recipe("speech", "quick")
    # As many codes a second as the paper.
    assert quick.data.rate / quick.model.hop == paper.data.rate / paper.model.hop == 250
    assert quick.model.num_speakers == len(quick.data.speakers)
    for profile in PROFILES:
        recipe = get_recipe("sound", profile, ["speakers=b,a"], folder="~/said")
        assert (recipe.data.folder, recipe.data.speakers) == ("~/said", ("b", "a"))
        assert recipe.model.num_speakers == 2
        assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
        assert get_recipe("sound", profile, folder="said").data.speakers == ()


@pytest.mark.parametrize("name", ["maze", "cifar10", "folder", "speech", "sound"])
def test_the_papers_codebooks_learn_by_gradient_and_another_profiles_by_averages(name):
    """Section 3.2: the moving averages of appendix A.1 were not used for the experiments."""
    folder = "mine" if name in ("folder", "sound") else None
    paper, ema = (get_recipe(name, profile, folder=folder) for profile in PROFILES[1:])
    assert paper.model.decay is None
    assert ema.model.decay == 0.99
    assert replace(ema, profile="paper", model=replace(ema.model, decay=None)) == paper
    assert Recipe.from_json(json.loads(json.dumps(ema.to_json()))) == ema


def test_what_has_no_such_codebook_has_no_such_profile():
    vqvae = VQVAE(ModelConfig(width=4, num_codes=20, code_dim=4))
    for name, kind, given in [
        ("maze", "vae", {"kind": "vae"}),
        ("cifar10", "vimco", {"kind": "vimco"}),
        ("maze", "gumbel", {"kind": "gumbel"}),
        ("prior", "pixelcnn", {"codes_of": vqvae}),
        ("video", "video", {"codes_of": vqvae}),
    ]:
        with pytest.raises(ValueError, match=f"^a {kind} has no codebook .* profile is 'paper'$"):
            get_recipe(name, "paper-ema", **given)


def test_a_depth_that_nobody_could_halve_is_refused_at_once():
    for halvings in (5, 10**12):
        with pytest.raises(
            ValueError, match=r"^size must be a multiple of (32|2 \*\* 10+), got 84$"
        ):
            get_recipe("maze", "quick", [f"num_halvings={halvings}"])


def test_a_run_goes_on_with_its_own_settings_alone():
    checkpoint = load_checkpoint(SHARED / "maze")
    with pytest.raises(ValueError, match="maze has taken 138008 of 138008 steps already"):
        check_can_resume(checkpoint, recipe_of(checkpoint))
    recipe = replace(recipe_of(checkpoint), profile="quick", training=TrainingConfig(steps=138_009))
    check_can_resume(checkpoint, recipe)
    check_can_resume(checkpoint, with_setting(recipe, "mirrored=true"))
    check_can_resume(checkpoint, replace(recipe, data=ImageData(84, folder="mazes")))
    for other, message in [
        (with_setting(recipe, "width=65"), "with width 64; it cannot go on as 65"),
        (with_setting(recipe, "decay=none"), "with decay 0.99; it cannot go on as None"),
        (with_setting(recipe, "size=32"), "with size 84; it cannot go on as 32"),
        (replace(recipe, name="cifar10"), "with name maze; it cannot go on as cifar10"),
        (get_recipe("maze", "quick", kind="vae"), "with kind vqvae; it cannot go on as vae"),
    ]:
        with pytest.raises(ValueError, match=f"maze was trained {message}"):
            check_can_resume(checkpoint, other)
    wider = checkpoint._replace(model=VQVAE(ModelConfig(width=8)))
    with pytest.raises(ValueError, match="its recipe is of another model than it holds"):
        check_can_resume(wider, recipe)


def test_a_prior_goes_on_with_the_same_codes_and_windows():
    checkpoint = load_checkpoint(SHARED / "speech_prior")
    recipe = replace(recipe_of(checkpoint), training=TrainingConfig())
    check_can_resume(checkpoint, recipe)
    codes_of = recipe.data.codes_of
    for data, message in [
        (CodeData("0" * 12, 512), f"with codes_of {codes_of}; it cannot go on as 000000000000"),
        (CodeData(codes_of, 256), "with window 512; it cannot go on as 256"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_can_resume(checkpoint, replace(recipe, data=data))


def test_every_recipe_is_in_the_table():
    vqvae = VQVAE(ModelConfig(width=4, num_codes=20, code_dim=4))
    for name, profile in itertools.product(RECIPES, PROFILES):
        needs = {what: "x" for what, needed in RECIPES[name].items() if needed}
        if "codes_of" in needs:
            needs["codes_of"] = vqvae
            if profile == "paper-ema":
                continue
        assert get_recipe(name, profile, **needs).name == name


def test_a_folder_is_stored_so_that_it_is_found_from_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given, stored in [
        ("pictures", str(tmp_path / "pictures")),
        ("../pictures", str(tmp_path.parent / "pictures")),
        (tmp_path / "pictures", str(tmp_path / "pictures")),
        ("~/pictures", "~/pictures"),
    ]:
        assert get_recipe("folder", "quick", folder=given).data.folder == stored


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("soundvqvae", {"rate": 10**12, "window": 2048}),
        ("soundvqvae", {"rate": 0, "window": 2048}),
        ("soundvqvae", {"rate": 8000, "window": 3}),
        ("soundvqvae", {"rate": 8000, "window": 2048, "speakers": [3]}),
        ("wavenet", {"codes_of": 3, "window": 8}),
        ("wavenet", {"codes_of": "a", "window": None}),
        ("pixelcnn", {"codes_of": "a", "window": 8}),
    ],
)
def test_no_recipe_of_sound_or_codes(kind, data):
    model = MODELS[kind][1]()
    stored = {"name": "sound", "profile": "quick", "kind": kind, "model": asdict(model.config)}
    config = {"recipe": {**stored, "training": {}, "data": data}}
    with pytest.raises(CheckpointError, match="x/config.json cannot be read as the recipe of a"):
        recipe_of(Checkpoint(Path("x"), model, config, {}))


def test_a_recipe_is_of_the_model_beside_it():
    checkpoint = load_checkpoint(SHARED / "maze")
    recipe = checkpoint.config["recipe"]
    other = {**recipe, "model": {**recipe["model"], "num_codes": "x"}}
    checkpoint = checkpoint._replace(config={**checkpoint.config, "recipe": other})
    with pytest.raises(CheckpointError, match="its recipe is of another model than it holds"):
        recipe_of(checkpoint)
