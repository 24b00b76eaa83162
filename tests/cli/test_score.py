"""The command that lists a folder's strangest pictures."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from commands import SECONDS, SHORT, TINY_SOUND, fails, make_sounds, run_cli, settings
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.cli import score
from vqvae_lite.evaluation import score_images
from vqvae_lite.images import FolderImages
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import VideoConfig

TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Plain pictures in two classes, one of noise among them; a model of them, and priors."""
    root = tmp_path_factory.mktemp("score")
    generator = np.random.default_rng(0)
    for number in range(6):
        path = root / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (40 * number, 90, 90)).save(path)
    noise = generator.integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(noise).save(root / "pictures" / "b" / "noise.png")  # of grey
    train = ["train", "folder", "--folder", root / "pictures", "--run", root / "vqvae"]
    assert run_cli(*train, *settings(*TINY, *SHORT, "steps=60")) == 0
    tiny = settings("width=4", "num_layers=1", *SHORT)
    prior = ["train", "prior", "--codes-of", root / "vqvae", *tiny]
    assert run_cli(*prior, "--run", root / "prior") == 0
    assert run_cli(*prior, "--classes", "--run", root / "of-classes") == 0
    config = VideoConfig(num_codes=20, num_actions=None, width=4, pixelcnn_width=4, num_layers=1,
                         embedding=2)  # fmt: skip
    codes_of = fingerprint(load_checkpoint(root / "vqvae").model)
    save_checkpoint(root / "video", VideoPrior(config), step=1, details={"codes_of": codes_of})
    make_sounds(root / "said", SECONDS)
    train = ["train", "sound", "--folder", root / "said", "--run", root / "sound"]
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT)) == 0
    return root


def printed(capsys, *arguments):
    """The header of what is printed, and the rows."""
    capsys.readouterr()
    assert run_cli("score", *arguments) == 0
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    return header, rows


def test_the_strangest_comes_first(place, capsys):
    header, rows = printed(capsys, place / "vqvae", place / "pictures")
    assert header == ["psnr_db", "file"]
    assert rows[0][1] == "b/noise.png"
    values = [float(row[0]) for row in rows]
    assert values == sorted(values)
    images = FolderImages(place / "pictures", 16)
    scores = score_images(load_checkpoint(place / "vqvae").model, images)
    names = [file.relative_to(place / "pictures").as_posix() for file in images.files]
    assert {name: float(value) for value, name in rows} == pytest.approx(
        dict(zip(names, scores.psnr.tolist(), strict=True)), abs=1e-3
    )
    _, top = printed(capsys, place / "vqvae", place / "pictures", "--top", 2)
    assert top == rows[:2]


@pytest.mark.parametrize("prior", ["prior", "of-classes"])
def test_by_what_a_prior_expects(prior, place, tmp_path, capsys):
    command = [place / "vqvae", place / "pictures", "--prior", place / prior]
    header, rows = printed(capsys, *command)
    assert header == ["psnr_db", "nats_per_code", "file"]
    nats = [float(row[1]) for row in rows]
    assert len(set(nats)) > 1
    assert nats == sorted(nats, reverse=True)
    _, by_error = printed(capsys, *command, "--by", "error")
    assert sorted(by_error) == sorted(rows)
    assert [float(row[0]) for row in by_error] == sorted(float(row[0]) for row in rows)


def test_a_prior_is_told_the_classes_that_the_folders_name(place, capsys, monkeypatch):
    told = []

    def scored(*arguments, **options):
        told.append(options["label"])
        return score_images(*arguments, **options)

    monkeypatch.setattr(score, "score_images", scored)
    command = [place / "vqvae", place / "pictures", "--prior"]
    assert run_cli("score", *command, place / "prior") == 0
    assert run_cli("score", *command, place / "of-classes") == 0
    files = FolderImages(place / "pictures", 16).files
    assert told[0] is None
    assert told[1].tolist() == ["ab".index(file.parent.name) for file in files]
    said = fails(capsys, "score", *command[:1], place / "pictures" / "a", "--prior",
                 place / "of-classes")  # fmt: skip
    assert "must be in the folder of its class, one of a, b" in said


def test_all_are_written_to_a_table(place, tmp_path, capsys):
    file = tmp_path / "new" / "scores.csv"
    command = [place / "vqvae", place / "pictures", "--prior", place / "prior"]
    _, rows = printed(capsys, *command, "--top", 1, "--csv", file)
    with file.open(newline="") as text:
        table = list(csv.DictReader(text))
    assert list(table[0]) == ["file", "psnr_db", "nats_per_code"]
    assert len(table) == 7
    assert len(rows) == 1
    assert table[0]["file"] == rows[0][2]
    assert float(table[0]["nats_per_code"]) == pytest.approx(float(rows[0][1]), abs=1e-3)
    assert [path.name for path in file.parent.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["vqvae", "nowhere"], "there is none at nowhere"),
        (["vqvae", "said"], "none found in said"),
        (["nowhere", "pictures"], "nowhere"),
        (["sound", "pictures"], "holds a SoundVQVAE, not a VQ-VAE of images"),
        (["prior", "pictures"], "holds a GatedPixelCNN: only a VQ-VAE has codes of images"),
        (["vqvae", "pictures", "--prior", "vqvae"], "holds a VQVAE that is no prior over codes"),
        (["vqvae", "pictures", "--prior", "video"], "VideoPrior: a prior over pictures is needed"),
        (["vqvae", "pictures", "--by", "nats"], "--by nats is of a prior: name its run"),
        (["vqvae", "pictures", "--top", "0"], "--top must be at least 1, got 0"),
        (["vqvae", "pictures", "--csv", "pictures"], "pictures is a folder: name the file"),
        (["vqvae", "pictures", "--device", "foo"], "foo"),
    ],
)
def test_bad_input_ends_in_one_line(command, message, place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    assert message in fails(capsys, "score", *command)


def test_a_file_that_is_no_picture_is_named_before_any_is_decoded(
    place, tmp_path, capsys, monkeypatch
):
    shutil.copytree(place / "pictures" / "b", tmp_path / "pictures")
    (tmp_path / "pictures" / "last.png").write_text("no image")
    monkeypatch.setattr("vqvae_lite.images.read_image", lambda *_: pytest.fail("it was decoded"))
    said = fails(capsys, "score", place / "vqvae", tmp_path / "pictures")
    assert "last.png cannot be read as an image" in said


def test_a_picture_that_cannot_be_read_is_named(place, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "pictures" / "a.png")
    whole = (place / "pictures" / "b" / "noise.png").read_bytes()
    for broken in (b"no picture", whole[: len(whole) // 2]):
        (tmp_path / "pictures" / "b.png").write_bytes(broken)
        said = fails(capsys, "score", place / "vqvae", tmp_path / "pictures", "--csv",
                     tmp_path / "x.csv")  # fmt: skip
        assert "b.png cannot be read as an image" in said
        assert not (tmp_path / "x.csv").exists()
