"""Apple's GPU: what every model asks of it, on a device that is made up and refuses the same.

It has no float64. What is measured in float64 is moved to the CPU for that, and comes out as there.
"""

from functools import cache, partial
from pathlib import Path

import pytest
import torch
import torchgen
from PIL import Image
from torchgen.gen import parse_native_yaml
from torchgen.model import DispatchKey

import test_modes
from commands import SHORT, TINY_SOUND, fails, make_sounds, run_cli, settings
from pretend import MPS, OnMPS, apples_gpu
from test_modes import ALL, LATENTS, MAPS, SPEAKERS, leaves, make
from vqvae_lite import training
from vqvae_lite.distributed import Place, processes
from vqvae_lite.encoding import CodeMaps
from vqvae_lite.images import TensorImages
from vqvae_lite.modules import device_of
from vqvae_lite.priors.nats import CodeFrequencies
from vqvae_lite.recipes.images import mirror_and_prepare
from vqvae_lite.recipes.video import codes_and_actions
from vqvae_lite.sound.disguise import crop_and_disguise
from vqvae_lite.sound.windows import Sound, SpokenCodes, SpokenFrames, Windows, crop
from vqvae_lite.training import TrainingConfig, prepare_images, train
from vqvae_lite.video.coding import VideoWindows

if not torch.amp.is_autocast_available("mps"):
    pytest.skip("mps needs PyTorch 2.5", allow_module_level=True)

pytestmark = pytest.mark.slow

GENERATOR = torch.Generator().manual_seed(0)
PICTURES = TensorImages(torch.randint(256, (6, 3, 16, 16), generator=GENERATOR).to(torch.uint8))
LEVELS = [torch.randint(256, (900,), generator=GENERATOR).to(torch.uint8) for _ in SPEAKERS]
FRAMES = [torch.randn(40, 5, generator=GENERATOR) for _ in SPEAKERS]
ROWS = [torch.randint(7, (60,), generator=GENERATOR) for _ in SPEAKERS]
FILMS = [torch.randint(7, (5, 4, 4), generator=GENERATOR) for _ in range(2)]
ACTIONS = [torch.tensor([0, 1, 1, 0]), torch.tensor([1, 1, 0, 0])]

# What each kind of model is trained on, and how a batch becomes what it takes.
TRAINED = {
    "vqvae": (PICTURES, mirror_and_prepare),
    "likely": (PICTURES, prepare_images),
    "vae": (PICTURES, prepare_images),
    "vimco": (PICTURES, prepare_images),
    "gumbel": (PICTURES, prepare_images),
    "autoencoder": (PICTURES, prepare_images),
    "pixelvae": (CodeMaps(MAPS), torch.Tensor.long),
    "pixelvqvae": (CodeMaps(MAPS), torch.Tensor.long),
    "soundvqvae": (Windows(LEVELS, 320, Sound), crop),
    "soundvqvae in disguise": (
        Windows(LEVELS, 320, Sound), partial(crop_and_disguise, rate=1000, share=0.5)
    ),
    "cepstralvqvae": (Windows(FRAMES, 8, SpokenFrames), crop),
    "pixelcnn": (CodeMaps(MAPS % 7), lambda maps: (maps.long(), maps[:, 0, 0] % 3)),
    "wavenet": (Windows(ROWS, 8, SpokenCodes), crop),
    "video": (VideoWindows(FILMS, ACTIONS, 3), codes_and_actions),
}  # fmt: skip


@cache
def without_kernel():
    """The operations that PyTorch, as it is installed, cannot do on Apple's GPU.

    By the table that it is built from, native_functions.yaml: what has neither a kernel for it nor
    one that is made of other operations.
    """
    native = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"
    table = parse_native_yaml(str(native / "native_functions.yaml"), str(native / "tags.yaml"))
    kernels = [
        table.backend_indices[key]
        for key in DispatchKey
        if key in table.backend_indices and (key.name == "MPS" or "Composite" in key.name)
    ]
    functions = {str(function.func.name): function for function in table.native_functions}
    missing = set()
    for name, function in functions.items():
        if function.structured_delegate:
            function = functions[str(function.structured_delegate)]
        if not any(kernel.has_kernel(function) for kernel in kernels):
            missing.add(name)
    return missing


def test_the_table_of_operations_is_read_rightly():
    missing = without_kernel()
    assert {"add.Tensor", "convolution", "_to_copy", "sort.stable"}.isdisjoint(missing)
    assert {"geqrf", "linalg_eig", "_cdist_backward"} & missing


def here(value):
    return value.cpu() if isinstance(value, OnMPS) else value


def trained(name, place):
    torch.manual_seed(3)
    images, prepare = TRAINED[name]
    config = TrainingConfig(steps=3, batch_size=2, learning_rate=1e-2, precision="float32")
    model = make(name.split()[0])
    history = train(model, images, config, place=place, prepare=prepare, progress=False)
    return model, history


@pytest.mark.parametrize("name", TRAINED)
def test_every_model_trains_as_on_the_cpu(name, monkeypatch):
    with monkeypatch.context() as patch:
        # Noise is drawn in the order in which numbers lie in memory.
        patch.setattr(training, "layout_on", lambda _: torch.contiguous_format)
        model, history = trained(name, Place(0, 1, torch.device("cpu")))
    with apples_gpu() as asked:
        other, told = trained(name, Place(0, 1, MPS))
        assert len(asked) > 20
        assert not asked & without_kernel()
        assert device_of(other) == MPS
        state = {key: here(value) for key, value in other.state_dict().items()}
    torch.testing.assert_close(state, dict(model.state_dict()), rtol=1e-4, atol=1e-5)
    assert told[-1].means == pytest.approx(history[-1].means, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        pytest.param(name, use, id=f"{name}-{number}")
        for name, uses in ALL.items()
        for number, use in enumerate(uses)
    ],
)
def test_whatever_is_asked_of_a_model_comes_out_as_on_the_cpu(name, use, monkeypatch):
    expected = leaves(use(make(name)))
    with apples_gpu() as asked:
        model = make(name).to(MPS)
        try:
            found = use(model)
        except RuntimeError as error:
            if "on the same device" not in str(error):
                raise
            move_what_is_given(monkeypatch)
            found = use(model)
        assert len(asked) > 5
        assert not asked & without_kernel()
        found = [here(leaf) for leaf in leaves(found)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def move_what_is_given(monkeypatch):
    """What the uses give a model themselves, on its device: they are written for the CPU."""
    for name, value in list(vars(test_modes).items()):
        if isinstance(value, torch.Tensor):
            monkeypatch.setattr(test_modes, name, value.to(MPS))
    noise = test_modes.noise
    monkeypatch.setattr(test_modes, "noise", lambda model: noise(model).to(MPS))


def test_bins_and_frequencies_are_counted_as_on_the_cpu():
    latents = torch.randn(9, 2, 4, 4, generator=torch.Generator().manual_seed(5))
    model = make("autoencoder")
    model.fit_bins(latents)
    costs = CodeFrequencies(LATENTS, 4).log_prob(LATENTS)
    with apples_gpu():
        other = make("autoencoder").to(MPS)
        other.fit_bins(latents.to(MPS))
        assert torch.equal(other.values.cpu(), model.values)
        assert torch.equal(other.edges.cpu(), model.edges)
        assert torch.equal(CodeFrequencies(LATENTS, 4).log_prob(LATENTS.to(MPS)), costs)


def test_channels_come_first_where_gradients_would_be_wrong_otherwise():
    images = PICTURES.images[:2]
    assert prepare_images(images).is_contiguous(memory_format=torch.channels_last)
    with apples_gpu():
        assert prepare_images(images.to(MPS)).is_contiguous()
        model, _ = trained("vqvae", Place(0, 1, MPS))
        assert all(parameter.is_contiguous() for parameter in model.parameters())


@pytest.fixture
def mac(monkeypatch):
    """As `apples_gpu`, and PyTorch says that it is there."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with apples_gpu() as asked:
        yield asked


def test_apples_gpu_is_taken_where_it_is(mac, monkeypatch):
    with processes("mps") as place:
        assert place == Place(0, 1, MPS)
    with processes() as place:
        assert place.device.type != "mps", "only where it is asked for"
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="'mps' is one, and there are 2"), processes("mps"):
        pass
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device: device != "mps")
    with pytest.raises(ValueError, match="'mps' needs PyTorch 2.5, this is"), processes("mps"):
        pass


def test_apples_gpu_is_refused_in_one_line_where_it_is_not(monkeypatch, capsys, tmp_path):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    told = fails(capsys, "train", "maze", "--run", tmp_path / "run", "--device", "mps")
    assert told == "vqvae-lite: device 'mps' was asked for, but no GPU of Apple's is available"
    assert not (tmp_path / "run").exists()


def test_the_commands_do_on_apples_gpu_what_they_do_elsewhere(mac, tmp_path, capsys):
    for name, picture in enumerate(PICTURES.images.permute(0, 2, 3, 1).numpy()):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{name}.png")
    sounds = make_sounds(tmp_path / "sounds", {"ann/a.wav": 0.4, "bob/b.wav": 0.4})
    run, prior, said = (tmp_path / name for name in ("run", "prior", "said"))
    small = ["size=16", "width=8", "num_codes=16", "code_dim=4"]
    train = ["train", "folder", "--folder", tmp_path / "pictures", "--run", run]
    codes = [tmp_path / "pictures", tmp_path / "a.codes"]
    speak = ["train", "sound", "--folder", sounds, "--run", said, *settings(*TINY_SOUND, *SHORT)]
    for command in (
        [*train, *settings(*small, *SHORT)],
        [*train, *settings(*small, *SHORT, "steps=6"), "--resume"],
        ["evaluate", run, "--folder", tmp_path / "pictures"],
        ["encode", run, *codes],
        ["decode", run, codes[1], tmp_path / "decoded"],
        ["train", "prior", "--codes-of", run, "--run", prior, *settings("width=8", *SHORT)],
        ["sample", run, prior, tmp_path / "drawn", "--count", "2", "--seed", "1"],
        speak,
        ["evaluate", said, "--folder", sounds],
        ["convert", said, sounds, tmp_path / "converted", "--speaker", "bob", "--seed", "1"],
    ):
        mac.clear()
        assert run_cli(*command, "--device", "mps") == 0, capsys.readouterr().err
        assert len(mac) > 10
        assert not mac & without_kernel()
    assert len(list((tmp_path / "drawn").iterdir())) == 2
