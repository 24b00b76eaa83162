"""The command line for sound, from a folder of recordings to other voices."""

import json
import math

import pytest
import torch

from commands import SECONDS, SHORT, TINY_SOUND, fails, make_sounds, run_cli, settings
from vqvae_lite.checkpoints import last_checkpoint, save_checkpoint
from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.recipe import SoundData, recipe_of
from vqvae_lite.sound.coding import SoundCodes
from vqvae_lite.sound.files import read_sound
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.sound.mulaw import to_levels


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Recordings of two speakers, and a run of a model of them."""
    root = tmp_path_factory.mktemp("sound")
    make_sounds(root / "said", SECONDS)
    train = ["train", "sound", "--folder", root / "said", "--device", "cpu"]
    assert run_cli(*train, "--run", root / "run", *settings(*TINY_SOUND, *SHORT)) == 0
    return root


def test_a_run_may_go_on_in_disguise(place, tmp_path, capsys):
    """The encoder then hears something else, so the same steps give other weights."""
    train = ["train", "sound", "--folder", place / "said", "--device", "cpu"]
    for name, share in [("plain", 0), ("hidden", 1)]:
        run = [*train, "--run", tmp_path / name]
        assert run_cli(*run, *settings(*TINY_SOUND, *SHORT, "steps=2")) == 0
        more = settings(*TINY_SOUND, *SHORT, f"disguise={share}")
        assert run_cli(*run, *more, "--resume") == 0
    plain, hidden = (load_checkpoint(tmp_path / name) for name in ("plain", "hidden"))
    assert recipe_of(hidden).data.disguise == 1
    assert torch.equal(
        plain.model.state_dict()["decoder.head.weight"],
        load_checkpoint(place / "run").model.state_dict()["decoder.head.weight"],
    )
    assert not torch.equal(
        plain.model.state_dict()["encoder.out.weight"],
        hidden.model.state_dict()["encoder.out.weight"],
    )
    error = fails(capsys, *train, "--run", tmp_path / "no", *settings("disguise=1.5"))
    assert "disguise must be in [0, 1], got 1.5" in error


def test_train_stores_recipe_and_speakers_and_resumes_to_the_same_numbers(place, tmp_path, capsys):
    checkpoint = load_checkpoint(place / "run")
    assert isinstance(checkpoint.model, SoundVQVAE)
    assert checkpoint.config["speakers"] == ["ann", "bob"]
    recipe = recipe_of(checkpoint)
    assert recipe.data == SoundData(
        rate=1000, window=64, speakers=("ann", "bob"), folder=str(place / "said")
    )
    assert recipe.name == "sound"
    assert (recipe.model.num_speakers, recipe.model.strides) == (2, (4, 4))
    train = ["train", "sound", "--folder", place / "said", "--run", tmp_path / "run"]
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT, "steps=2")) == 0
    assert "add --resume" in fails(capsys, *train, *settings(*TINY_SOUND, *SHORT))
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT), "--resume") == 0
    resumed = load_checkpoint(tmp_path / "run").model.state_dict()
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, resumed[name]), name
    longer = [*train, "--resume"]
    for change, message in [
        ("width=9", "with width 8; it cannot go on as 9"),
        ("rate=2000", "with rate 1000; it cannot go on as 2000"),
        ("speakers=bob,ann", "with speakers ('ann', 'bob')"),
    ]:
        error = fails(capsys, *longer, *settings(*TINY_SOUND, *SHORT, "steps=6", change))
        assert message in error
        assert "cannot go on as" in error


def test_encode_and_decode_are_the_models(place, tmp_path, capsys):
    file = tmp_path / "said.codes"
    assert run_cli("encode", place / "run", place / "said", file) == 0
    assert f"3 sounds, 1.2 s, in {file.stat().st_size} bytes" in capsys.readouterr().out
    model = load_checkpoint(place / "run").model
    stored = read_codes(file, SoundCodes)
    assert (stored.num_codes, stored.hop, stored.rate) == (20, 16, 1000)
    assert stored.names == ["ann/a", "ann/long/b", "bob/a"]
    assert stored.speakers == ["ann", "ann", "bob"]
    assert stored.lengths == [310, 500, 400]
    for codes, name in zip(stored.codes, SECONDS, strict=True):
        wave = read_sound(place / "said" / name, 1000)
        levels = torch.full((math.ceil(len(wave) / 16) * 16,), 128, dtype=torch.uint8)
        levels[: len(wave)] = to_levels(wave)
        assert torch.equal(codes, model.encode(levels[None])[0])

    decode = ["decode", place / "run", file]
    assert run_cli(*decode, tmp_path / "a", "--seed", 3) == 0
    assert run_cli(*decode, tmp_path / "b", "--seed", 3, "--format", "flac") == 0
    assert run_cli(*decode, tmp_path / "c", "--seed", 4) == 0
    for name, length in zip(stored.names, stored.lengths, strict=True):
        waves = [
            read_sound(tmp_path / end, 1000)
            for end in (f"a/{name}.wav", f"b/{name}.flac", f"c/{name}.wav")
        ]
        assert len(waves[0]) == length
        torch.testing.assert_close(waves[0], waves[1], rtol=0, atol=2**-14)  # 16 bits each
        assert (waves[0] - waves[2]).abs().max() > 0.1
    assert "is there already" in fails(capsys, *decode, tmp_path / "a")
    assert run_cli("info", file) == 0
    shown = capsys.readouterr().out
    assert "3 sounds, 1.2 s at 1000 a second; 77 codes of 20, one for 16 samples" in shown
    assert run_cli("info", place / "run") == 0
    assert shown.splitlines()[1] in capsys.readouterr().out


def test_convert_speaks_in_the_voice_that_is_named(place, tmp_path, monkeypatch):
    voices = []
    decode = SoundVQVAE.decode

    def heard(model, codes, speaker, **options):
        voices.append((codes.shape, speaker.tolist(), options["temperature"], options["seed"]))
        return decode(model, codes, speaker, **options)

    monkeypatch.setattr(SoundVQVAE, "decode", heard)
    convert = ["convert", place / "run", place / "said", tmp_path / "out", "--speaker", "bob"]
    assert run_cli(*convert, "--seed", 7, "--temperature", 0.5) == 0
    assert voices == [((3, 32), [1, 1, 1], 0.5, 7)]
    written = {
        str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.wav")
    }
    assert written == {"ann/a.wav", "ann/long/b.wav", "bob/a.wav"}
    assert len(read_sound(tmp_path / "out" / "ann" / "long" / "b.wav", 1000)) == 500
    # Each in its own voice, the shortest first.
    voices.clear()
    assert run_cli("encode", place / "run", place / "said", tmp_path / "codes") == 0
    assert run_cli("decode", place / "run", tmp_path / "codes", tmp_path / "own") == 0
    assert (
        run_cli("decode", place / "run", tmp_path / "codes", tmp_path / "all", "--speaker", "bob")
        == 0
    )
    assert [speakers for _, speakers, _, _ in voices] == [[0, 1, 0], [1, 1, 1]]


def test_sounds_of_nobody_known(place, tmp_path, capsys):
    flat = make_sounds(tmp_path / "flat", {"x.wav": 0.05, "carl/y.opus": 0.04})
    convert = ["convert", place / "run"]
    assert run_cli(*convert, flat, tmp_path / "out", "--speaker", "ann") == 0
    assert len(read_sound(tmp_path / "out" / "x.wav", 1000)) == 50
    assert len(read_sound(tmp_path / "out" / "carl" / "y.wav", 1000)) == 40
    assert run_cli(*convert, flat / "x.wav", tmp_path / "one", "--speaker", "ann") == 0
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["x.wav"]
    codes = tmp_path / "codes"
    assert run_cli("encode", place / "run", flat, codes) == 0
    assert read_codes(codes, SoundCodes).speakers == ["", ""]
    error = fails(capsys, "decode", place / "run", codes, tmp_path / "no")
    assert "not known who says carl/y: name a voice with --speaker, one of ann, bob" in error
    # A file knows its speaker from the folder that it is in.
    assert run_cli("encode", place / "run", place / "said" / "bob" / "a.ogg", codes) == 0
    assert read_codes(codes, SoundCodes).speakers == ["bob"]


def test_evaluate_prints_json(place, capsys):
    evaluate = ["evaluate", place / "run"]
    assert run_cli(*evaluate, "--folder", place / "said") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["utterances"] == 3
    assert 0 < result["bits_per_sample"] < 8.5
    assert result["bits_per_second"] == pytest.approx(math.log2(20) * 1000 / 16)
    assert "no held-out part" in fails(capsys, *evaluate)
    assert "--samples is for images" in fails(
        capsys, *evaluate, "--folder", place / "said", "--samples", 5
    )


def test_errors_are_one_line_and_nothing_is_written(place, tmp_path, capsys):
    out = tmp_path / "out"
    run, said = place / "run", place / "said"
    train = ["train", "sound", "--run", tmp_path / "r"]
    assert "'sound' needs folder" in fails(capsys, *train)
    assert "none at" in fails(capsys, *train, "--folder", tmp_path / "nowhere")
    assert "speakers must be some of ['ann', 'bob']" in fails(
        capsys, *train, "--folder", said, *settings("speakers=carl")
    )
    assert "give a window of 8192 samples" in fails(
        capsys, *train, "--folder", said, *settings("window=4096")
    )
    speech = ["train", "speech", "--run", tmp_path / "r"]
    assert "takes no folder" in fails(capsys, *speech, "--folder", said)
    assert "'speech' takes no kind (--model" in fails(capsys, *speech, "--model", "vimco")
    assert not (tmp_path / "r").exists()

    convert = ["convert", run, said, out, "--speaker"]
    assert "must be one of ann, bob; got 'carl'" in fails(capsys, *convert, "carl")
    assert "must end in .wav" in fails(capsys, *convert, "ann", "--format", "mp3")
    assert "rate of an .opus file" in fails(capsys, *convert, "ann", "--format", "opus")
    assert "temperature" in fails(capsys, *convert, "ann", "--temperature", 0)
    assert "no file or folder of sound at" in fails(
        capsys, "convert", run, tmp_path / "nowhere", out, "--speaker", "ann"
    )
    (tmp_path / "empty").mkdir()
    assert "no sound (" in fails(capsys, "encode", run, tmp_path / "empty", tmp_path / "c")
    assert "expected a file of codes" in fails(capsys, "decode", run, tmp_path / "c", out)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "x.wav").write_bytes(b"no sound")
    assert "x.wav cannot be read as sound" in fails(
        capsys, "convert", run, broken, out, "--speaker", "ann"
    )
    twins = make_sounds(tmp_path / "twins", {"x.wav": 0.05, "x.flac": 0.05})
    assert "are both the sound 'x'" in fails(capsys, "convert", run, twins, out, "--speaker", "ann")
    assert not out.exists()


def test_encode_refuses_a_folder_before_it_encodes(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vqvae_lite.cli.sound.encode_wave", None)
    error = fails(capsys, "encode", place / "run", place / "said", tmp_path)
    assert f"{tmp_path} is a folder: name the file to write" in error


@pytest.mark.parametrize("change", [{"hop": 8, "lengths": [16]}, {"rate": 2000}])
def test_decode_refuses_another_hop_or_rate_than_the_models(change, place, tmp_path, capsys):
    codes = [torch.zeros(2).long()]
    model = fingerprint(load_checkpoint(place / "run").model)
    given = {"hop": 16, "rate": 1000, "speakers": ["ann"], "lengths": [20], **change}
    write_codes(tmp_path / "x", SoundCodes(codes, 20, ["x"], model, **given))
    decode = ["decode", place / "run", tmp_path / "x", tmp_path / "out"]
    assert "was not made by the model" in fails(capsys, *decode)
    assert not (tmp_path / "out").exists()


def test_sound_and_images_are_told_apart(place, tmp_path, capsys):
    out = tmp_path / "out"
    model = load_checkpoint(place / "run").model
    maze = save_checkpoint(tmp_path / "maze", VQVAE(ModelConfig(width=4, code_dim=2)), step=1)
    assert "holds a VQVAE, not a VQ-VAE of sound" in fails(
        capsys, "convert", maze, place / "said", out, "--speaker", "ann"
    )
    sound = tmp_path / "sound.codes"
    codes = SoundCodes(
        [torch.zeros(2).long()], 20, ["../x"], fingerprint(model), 16, 1000, ["ann"], [20]
    )
    write_codes(sound, codes)
    assert "holds codes of 'sound', not of images" in fails(capsys, "decode", maze, sound, out)
    assert "--speaker is for sound" in fails(capsys, "decode", maze, sound, out, "--speaker", "ann")
    assert "leads out of" in fails(capsys, "decode", place / "run", sound, out)
    other = SoundVQVAE(model.config)
    save_checkpoint(tmp_path / "other", other, step=1, details={"speakers": ["ann", "bob"]})
    assert "was not made by the model" in fails(capsys, "decode", tmp_path / "other", sound, out)
    save_checkpoint(tmp_path / "bare", other, step=1)
    assert "'speakers' must be a list of 2 names, as of details" in fails(
        capsys, "decode", tmp_path / "bare", sound, out
    )
    assert "was saved without a recipe" in fails(capsys, "evaluate", tmp_path / "bare")
    assert not out.exists()


def test_a_model_saved_with_its_speakers_alone_takes_16_khz(tmp_path):
    config = SoundConfig(
        strides=(4, 4), width=4, num_residual=0, num_codes=5, code_dim=2, decoder_width=4,
        skip_width=4, num_cycles=1, layers_per_cycle=2,
    )  # fmt: skip
    save_checkpoint(tmp_path / "m", SoundVQVAE(config), step=1, details={"speakers": ["ann"]})
    make_sounds(tmp_path / "said", {"x.wav": 0.02})
    convert = ["convert", tmp_path / "m", tmp_path / "said", tmp_path / "out", "--speaker", "ann"]
    assert run_cli(*convert, "--format", "opus") == 0
    assert len(read_sound(tmp_path / "out" / "x.opus")) == 320


@pytest.mark.slow
def test_the_shipped_speech_is_a_recipe(tmp_path, capsys):
    arguments = ["train", "speech", "--run", tmp_path / "run", "--device", "cpu"]
    tiny = settings(*TINY_SOUND, "steps=1", "batch_size=2")
    assert run_cli(*arguments, *tiny) == 0
    checkpoint = load_checkpoint(last_checkpoint(tmp_path / "run"))
    assert checkpoint.config["speakers"] == list(recipe_of(checkpoint).data.speakers)
    capsys.readouterr()
    assert run_cli("evaluate", tmp_path / "run", "--split", "validation") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["utterances"] == 22
    # What has hardly begun costs all of a sample's 8 bits.
    assert result["bits_per_sample"] == pytest.approx(8, abs=0.3)
