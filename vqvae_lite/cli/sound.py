"""The commands of `vqvae-lite` for sound."""

import json
import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.cli.files import all_or_none, check_no_split, new_files
from vqvae_lite.codefile import read_codes
from vqvae_lite.distributed import Meeting, Place, processes, share_of
from vqvae_lite.files import visible_files
from vqvae_lite.modules import fingerprint
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.recipes.shards import write_together
from vqvae_lite.recipes.sound import load_utterances, rate_of, speakers_of
from vqvae_lite.sound.coding import SoundCodes, decode_waves, encode_wave
from vqvae_lite.sound.evaluation import evaluate_sound
from vqvae_lite.sound.files import (
    SOUND_SUFFIXES,
    check_target,
    read_folder,
    read_sound,
    write_sound,
)
from vqvae_lite.sound.model import SoundVQVAE

_SECONDS = 36_000  # of all that one command draws


class SoundFile(NamedTuple):
    """A file of sound: its path below the folder without the suffix, its speaker, where it is.

    The speaker is "" where no folder on the way to the file is called after one of the model's.
    """

    name: str
    speaker: str
    path: Path


def run_evaluate(options: Namespace, checkpoint: Checkpoint) -> None:
    """Measures a model, and a prior over its codes, on held-out speech, and prints JSON."""
    recipe = recipe_of(checkpoint)
    data = recipe.data
    if options.folder is not None:
        check_no_split(options)
        utterances = read_folder(options.folder, data.rate, annotated=False)
    elif data.folder is not None:
        raise ValueError(
            f"{checkpoint.path} was trained on a folder of sound, which has no held-out part: "
            f"name another with --folder"
        )
    else:
        utterances = load_utterances(recipe, options.split or "test")
    waves = [utterance.wave for utterance in utterances]
    speakers = [_index(data.speakers, utterance.speaker) for utterance in utterances]
    prior = options.prior and load_prior(options.prior, checkpoint.model).model
    with processes(options.device) as place:
        model = checkpoint.model.to(place.device)
        result = evaluate_sound(
            model, waves, speakers, data.rate, place=place, progress=True
        )._asdict()
        if prior:
            prior.to(place.device)
            meeting, own = Meeting(place), share_of(len(waves), place)
            nats, count = 0.0, 0
            for at in tqdm(own, unit="utterance", disable=place.rank > 0):
                codes = encode_wave(model, waves[at])
                label = None if prior.config.num_classes is None else torch.tensor([speakers[at]])
                nats += nats_per_code(prior, [codes], label=label) * len(codes)
                count += len(codes)
            parts = meeting.gather((nats, count))
            nats, count = (sum(part[which] for part in parts) for which in (0, 1))
            result["nats_per_code"] = nats / count
            result["nats_per_code_of_the_uniform_prior"] = math.log(model.config.num_codes)
        if place.rank == 0:
            print(json.dumps(result, indent=2))


def run_encode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A folder of sound, or one file, to one file of codes."""
    speakers, rate = speakers_of(checkpoint), rate_of(checkpoint)
    files = find_sounds(options.folder, speakers)
    with processes(options.device) as place:
        model = checkpoint.model.to(place.device)
        parts = _encoded(model, files, rate, place)
        size = write_together(options.output, parts, len(files), place)
        if place.rank == 0:
            seconds = sum(read_codes(options.output, SoundCodes).lengths) / rate
            bits = math.log2(model.config.num_codes) * rate / model.config.hop
            print(
                f"{len(files)} sounds, {seconds:.1f} s, in {size} bytes: "
                f"{bits:.0f} bits a second instead of {16 * rate}"
            )


def _encoded(
    model: SoundVQVAE, files: Sequence[SoundFile], rate: int, place: Place
) -> Iterator[SoundCodes]:
    """The codes of this process's share of files, one after another."""
    mark = fingerprint(model)
    for at in tqdm(share_of(len(files), place), unit="sound", disable=place.rank > 0):
        wave = read_sound(files[at].path, rate)
        yield SoundCodes(
            codes=[encode_wave(model, wave)],
            num_codes=model.config.num_codes,
            hop=model.config.hop,
            rate=rate,
            names=[files[at].name],
            speakers=[files[at].speaker],
            lengths=[len(wave)],
            model=mark,
        )


def run_decode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A file of codes to a folder of sound, each in its own voice or all in another's."""
    speakers = speakers_of(checkpoint)
    file = read_codes(options.codes, SoundCodes)
    made_by = (file.model, file.hop, file.rate)
    if made_by != (fingerprint(checkpoint.model), checkpoint.model.config.hop, rate_of(checkpoint)):
        raise ValueError(f"{options.codes} was not made by the model in {options.checkpoint}")
    if options.speaker is None and "" in file.speakers:
        nobodys = file.names[file.speakers.index("")]
        raise ValueError(
            f"it is not known who says {nobodys}: name a voice with --speaker, one of "
            f"{', '.join(speakers)}"
        )
    said_by = file.speakers if options.speaker is None else [options.speaker] * len(file.names)
    voices = [_index(speakers, speaker) for speaker in said_by]
    targets = _targets(options, file.names, file.rate)
    with processes(options.device) as place:
        if place.rank:
            return
        waves = decode_waves(
            checkpoint.model.to(place.device),
            file.codes,
            voices,
            temperature=options.temperature,
            seed=options.seed,
        )
        _write(waves, file.lengths, file.rate, targets)
    print(f"{len(targets)} sounds in {options.output}")


def run_convert(options: Namespace, checkpoint: Checkpoint) -> None:
    """A folder of sound, or one file, to the same words in the voice of a speaker."""
    speakers, rate = speakers_of(checkpoint), rate_of(checkpoint)
    voice = _index(speakers, options.speaker)
    files = find_sounds(options.folder, speakers)
    targets = _targets(options, [file.name for file in files], rate)
    with processes(options.device) as place:
        if place.rank:
            return
        model = checkpoint.model.to(place.device)
        codes, lengths = _encode_files(model, files, rate)
        waves = decode_waves(
            model,
            codes,
            [voice] * len(codes),
            temperature=options.temperature,
            seed=options.seed,
        )
        _write(waves, lengths, rate, targets)
    print(f"{len(targets)} sounds in {options.output}, in the voice of {options.speaker}")


def run_sample(options: Namespace, checkpoint: Checkpoint) -> None:
    """Codes drawn from a prior, decoded in the voice of a speaker to a folder of sound."""
    speakers, rate = speakers_of(checkpoint), rate_of(checkpoint)
    if not 0 < options.seconds * options.count <= _SECONDS:
        raise ValueError(
            f"--seconds must be above 0, and at most {_SECONDS} in all: {options.count} sounds of "
            f"{options.seconds} are not"
        )
    first, *others = speakers
    if options.speaker is None and others:
        raise ValueError(f"--speaker must name the voice, one of {', '.join(speakers)}")
    voice = _index(speakers, first if options.speaker is None else options.speaker)
    voices = [voice] * options.count
    length = round(options.seconds * rate)
    names = [f"sample_{index:04}" for index in range(options.count)]
    targets = _targets(options, names, rate)
    prior = load_prior(options.prior, checkpoint.model).model
    with processes(options.device) as place:
        if place.rank:
            return
        label = torch.tensor(voices, device=place.device)
        codes = prior.to(place.device).sample(
            math.ceil(length / checkpoint.model.config.hop),
            batch=options.count,
            temperature=options.temperature,
            top_k=options.top_k,
            seed=options.seed,
            label=None if prior.config.num_classes is None else label,
        )
        model = checkpoint.model.to(place.device)
        waves = decode_waves(model, list(codes.cpu()), voices, seed=options.seed)
        _write(waves, [length] * options.count, rate, targets)
    print(f"{len(targets)} sounds in {options.output}")


def find_sounds(path: str | Path, speakers: Sequence[str]) -> list[SoundFile]:
    """The sound files in a folder and the folders in it, or one file; see `visible_files`.

    Args:
        path: a folder, in any layout, or a file.
        speakers: names to look for among the folders.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: the folder holds no sound, or two files of one name but for the suffix.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder of sound at {path}")
    root = path if path.is_dir() else path.parent
    found: dict[str, SoundFile] = {}
    for file in visible_files(path, SOUND_SUFFIXES) if path.is_dir() else [path]:
        folders = [root.resolve().name, *file.relative_to(root).parts[:-1]]
        speaker = next((name for name in reversed(folders) if name in speakers), "")
        name = file.relative_to(root).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{found[name].path} and {file} are both the sound {name!r}")
        found[name] = SoundFile(name, speaker, file)
    if not found:
        raise ValueError(f"no sound ({', '.join(SOUND_SUFFIXES)}) found in {path}")
    return list(found.values())


def _index(speakers: Sequence[str], name: str) -> int:
    if name not in speakers:
        raise ValueError(f"speaker must be one of {', '.join(speakers)}; got {name!r}")
    return speakers.index(name)


def _targets(options: Namespace, names: list[str], rate: int) -> list[Path]:
    """The files to write, once it is known that they can be."""
    suffix = f".{options.format}"
    check_target(f"sound{suffix}", rate)
    return new_files(options.output, names, suffix)


def _encode_files(
    model: SoundVQVAE, files: Sequence[SoundFile], rate: int
) -> tuple[list[Tensor], list[int]]:
    """The codes of each file and its length in samples."""
    codes, lengths = [], []
    for file in tqdm(files, unit="sound"):
        wave = read_sound(file.path, rate)
        codes.append(encode_wave(model, wave))
        lengths.append(len(wave))
    return codes, lengths


def _write(
    waves: Iterator[tuple[int, Tensor]], lengths: list[int], rate: int, targets: list[Path]
) -> None:
    """Writes each wave, cut to its length, as soon as it is there."""
    with all_or_none(targets):
        for place, wave in waves:
            write_sound(targets[place], wave[: lengths[place]], rate)
