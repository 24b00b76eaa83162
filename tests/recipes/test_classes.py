"""Classes: of folders and of CIFAR-10, told to a prior from training to samples."""

import json

import pytest
import torch
from PIL import Image

from commands import fails, make_sounds, run_cli, settings
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.images import CIFAR10_CLASSES, FolderImages, TensorImages
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.recipes.classes import WithLabels, class_number, classes_of, labels_of
from vqvae_lite.recipes.priors import map_data
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.training import ALONE

SHORT = ["steps=2", "batch_size=2", "checkpoint_every=2"]
TINY = ["size=16", "width=8", "num_codes=16", "code_dim=4", "likelihood=logistic"]
SOUND = ["strides=4,4", "width=8", "num_residual=1", "num_codes=20", "code_dim=4", "rate=1000"]
SOUND += ["decoder_width=6", "skip_width=8", "num_cycles=1", "layers_per_cycle=3", "window=64"]
ROWS = ["width=4", "skip_width=4", "num_cycles=1", "layers_per_cycle=2", "window=8"]


def picture(path, color):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), color).save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Dark cats and light dogs, a VQ-VAE of them, and a prior that is told which is which."""
    root = tmp_path_factory.mktemp("classes")
    for number in range(4):
        picture(root / "pets" / "cat" / f"{number}.png", (number, 0, 0))
        picture(root / "pets" / "dog" / "big" / f"{number}.png", (250 + number, 255, 255))
    train = ["train", "folder", "--folder", root / "pets", "--run", root / "vqvae"]
    assert run_cli(*train, *settings(*SHORT, *TINY, "mirrored=true")) == 0
    assert run_cli(*prior(root), "--run", root / "prior") == 0
    return root


def prior(root):
    train = ["train", "prior", "--codes-of", root / "vqvae", "--classes"]
    more = ["steps=12", "checkpoint_every=12", "learning_rate=0.03", "width=8", "num_layers=1"]
    return [*train, *settings("batch_size=4", *more)]


def test_the_names_are_those_of_the_folders_and_are_shown(place, capsys):
    stored = load_checkpoint(place / "prior")
    assert recipe_of(stored).data.classes == ("cat", "dog")
    assert stored.model.config.num_classes == 2
    assert run_cli("info", place / "prior") == 0
    shown = capsys.readouterr().out
    recipe = json.loads(shown[shown.index("{") :])["recipe"]
    assert recipe["data"]["classes"] == ["cat", "dog"]


def test_each_map_has_the_class_of_its_folder_mirrored_or_not(place, tmp_path):

    data = map_data(
        recipe_of(load_checkpoint(place / "prior")), load_checkpoint(place / "vqvae"), ALONE
    )
    assert isinstance(data.dataset, WithLabels)
    assert data.dataset.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1] * 2
    codes, label = data.prepare(data.dataset.__getitems__([3, 4]))
    assert label.tolist() == [0, 1]
    assert torch.equal(codes[1], data.dataset[4].codes)


def test_samples_are_of_the_class_that_is_named_or_of_all_in_turn(place, tmp_path, monkeypatch):
    drawn = []
    model = type(load_checkpoint(place / "prior").model)
    draw = model.sample

    def remember(self, *arguments, **options):
        drawn.append(options["label"].tolist())
        return draw(self, *arguments, **options)

    monkeypatch.setattr(model, "sample", remember)
    sample = ["sample", place / "vqvae", place / "prior"]
    assert run_cli(*sample, tmp_path / "dogs", "--count", 3, "--label", "dog") == 0
    assert run_cli(*sample, tmp_path / "all", "--count", 3) == 0
    assert drawn == [[1, 1, 1], [0, 1, 0]]


def test_what_is_measured_is_told_the_class(place, tmp_path, capsys):
    evaluate = ["evaluate", place / "vqvae", "--prior", place / "prior", "--folder"]
    assert run_cli(*evaluate, place / "pets") == 0
    found = json.loads(capsys.readouterr().out)
    vqvae, told = (load_checkpoint(place / name).model for name in ("vqvae", "prior"))
    images = FolderImages(place / "pets", 16)
    codes = torch.stack([vqvae.encode(image[None].float() / 127.5 - 1)[0] for image in images])
    label = torch.tensor([0] * 4 + [1] * 4)
    assert found["nats_per_code"] == pytest.approx(nats_per_code(told, codes, label=label))
    assert found["nats_per_code"] != pytest.approx(nats_per_code(told, codes, label=1 - label))
    bits = found["bits_per_dim"]
    per_image = found["nats_per_code"] * codes[0].numel() / (3 * 16 * 16) / torch.tensor(2.0).log()
    assert bits["prior"] == pytest.approx(per_image.item())
    assert bits["bound"] == pytest.approx(bits["reconstruction"] + bits["prior"])
    picture(tmp_path / "more" / "cow" / "0.png", (9, 9, 9))
    assert "must be in the folder of its class, one of cat, dog" in fails(
        capsys, *evaluate, tmp_path / "more"
    )


def test_a_run_goes_on_with_the_same_classes_alone(place, tmp_path, capsys):
    run = [*prior(place), "--run", tmp_path / "run"]
    assert run_cli(*run) == 0
    more = [*run, "--resume", *settings("steps=14")]
    without = [word for word in more if word != "--classes"]
    assert "it cannot go on as" in fails(capsys, *without)
    assert run_cli(*more) == 0


def test_what_has_no_classes_is_refused(place, tmp_path, capsys):
    recipe = get_recipe("maze", "quick", ["width=8", "size=28"])
    save_checkpoint(
        tmp_path / "maze", VQVAE(recipe.model), step=1, details={"recipe": recipe.to_json()}
    )
    train = ["train", "prior", "--run", tmp_path / "run", "--codes-of"]
    assert "'maze' has no classes" in fails(capsys, *train, tmp_path / "maze", "--classes")
    assert "takes no classes (--classes" in fails(
        capsys, "train", "maze", "--run", tmp_path / "run", "--classes"
    )
    assert "--classes tells a prior its classes" in fails(
        capsys, *train, tmp_path / "maze", "--set", "num_classes=10"
    )
    sample = ["sample", place / "vqvae", place / "prior", tmp_path / "out", "--label", "cow"]
    assert "--label must be one of cat, dog; got 'cow'" in fails(capsys, *sample)
    plain = [word for word in prior(place) if word != "--classes"]
    assert run_cli(*plain, "--run", tmp_path / "plain") == 0
    sample[2] = tmp_path / "plain"
    assert "--label is for a prior that was trained with --classes" in fails(capsys, *sample)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "out").exists()


def test_a_picture_beside_the_folders_of_the_classes_is_named(place, tmp_path, capsys):
    picture(tmp_path / "flat" / "0.png", (1, 2, 3))
    train = ["train", "folder", "--folder", tmp_path / "flat", "--run", tmp_path / "vqvae"]
    assert run_cli(*train, *settings(*SHORT, *TINY)) == 0
    run = [*prior(tmp_path), "--run", tmp_path / "run"]
    assert "it must hold a folder for each" in fails(capsys, *run)
    picture(tmp_path / "flat" / "cat" / "0.png", (1, 2, 3))
    assert "0.png must be in the folder of its class, one of cat" in fails(capsys, *run)
    assert not (tmp_path / "run").exists()


def test_cifar10_has_its_own_classes(monkeypatch):
    class Stored:
        data = torch.zeros(5002, 32, 32, 3, dtype=torch.uint8).numpy()
        targets = [3, 5] + [7] * 5000

    monkeypatch.setattr("vqvae_lite.images._open_cifar10", lambda *_: Stored)
    recipe = get_recipe("cifar10", "quick")
    assert classes_of(recipe) == CIFAR10_CLASSES
    images = TensorImages(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    assert labels_of(images, CIFAR10_CLASSES, None, "train").tolist() == [3, 5]
    assert labels_of(images, CIFAR10_CLASSES, None, "validation").tolist() == [7] * 5000
    with pytest.raises(ValueError, match="these images have no classes"):
        labels_of(images, ("cat",), None, "train")


def test_speakers_are_the_classes_of_sound(tmp_path):
    said = make_sounds(tmp_path / "said", {"ann/a.wav": 0.4, "bob/b.wav": 0.4})
    train = ["train", "sound", "--folder", said, "--run", tmp_path / "sound"]
    assert run_cli(*train, *settings(*SHORT, *SOUND)) == 0
    train = ["train", "prior", "--codes-of", tmp_path / "sound", "--run", tmp_path / "prior"]
    assert run_cli(*train, "--classes", *settings(*SHORT, *ROWS)) == 0
    stored = load_checkpoint(tmp_path / "prior")
    assert stored.model.config.num_classes == 2
    assert recipe_of(stored).data.classes == ("ann", "bob")


def test_many_classes_are_not_all_listed():
    with pytest.raises(ValueError, match=r"9, or one of 90 more, see `info`; got 'x'$"):
        class_number("x", [str(number) for number in range(100)])
