"""The dynamics model measured on test mazes: ahead, against what is simpler; steered; for long.

    python benchmarks/video.py checkpoints/maze checkpoints/video checkpoints/video_at_once

Six frames are seen and ten imagined, from places eight frames apart. "copy" takes the last frame
seen for all that follow; its nats are those of a mixture, the last frame's code or any code by its
frequency in training, with shares fitted on the validation mazes for each number of frames ahead.
The temperature of the samples, for accuracy and PSNR, is chosen on the validation mazes; nats
are always at temperature 1, given frames that were imagined at temperature 1.

Long films have a hundred frames and begin two frames apart. A classifier is asked to tell theirs
from the decoded real frames at the same places. Once it sees whole frames, shrunk to 32 by 32
pixels, and learns from three of the four test walks. Once it sees pieces of that size that are cut
out of the frames, and learns from films of the training walks.
"""

import argparse
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from record import percent, run
from sample_quality import put_right, told_apart
from torch import Tensor

from vqvae_lite.images import shrink, to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.video.clips import MazeClips
from vqvae_lite.video.coding import VideoCodes, encode_clips
from vqvae_lite.video.evaluation import (
    compare_ahead,
    cut_clips,
    nats_ahead,
    nats_per_video_code,
)
from vqvae_lite.video.judge import ActionJudge, train_judge
from vqvae_lite.video.model import VideoPrior

SEEN, IMAGINED, EVERY = 6, 10, 8
AHEAD = (1, 3, 5, 10)
TEMPERATURES = (0.25, 0.5, 0.75, 1.0)
LONG, LONG_EVERY = 100, 2
STRETCHES = ((1, 10), (21, 30), (91, 100))  # of a long film
SHOWN = 32  # pixels each way, of what a classifier is shown
# Of a frame; the steps of a classifier that is shown them; frames between the films it learns from.
PIECES, PIECES_STEPS, LEARNED_EVERY = 8, 1000, 17
SEEDS = (0, 1, 2)  # of classifiers
TOLD = ((1, 2), (4, 6), (9, 11), (29, 31), (98, 100))  # frames that a classifier is shown
FORWARD, LEFT, RIGHT = range(3)
STEERED = {
    "all forward": [FORWARD] * 10,
    "all left": [LEFT] * 10,
    "all right": [RIGHT] * 10,
    "left, then forward": [LEFT] * 5 + [FORWARD] * 5,
}


class Split:
    """The mazes of a split as codes, and pieces of 16 frames out of them."""

    def __init__(self, model: VQVAE, split: str):
        walks = MazeClips(split)
        self.all: VideoCodes = encode_clips(model, walks)
        length = SEEN + IMAGINED
        self.codes = cut_clips(self.all.codes, length, EVERY)
        self.actions = cut_clips(self.all.actions, length - 1, EVERY)
        self.frames = cut_clips([walk.frames for walk in walks], length, EVERY)

    @property
    def seen(self) -> Tensor:
        return self.codes[:, :SEEN]

    @property
    def true(self) -> Tensor:
        return self.codes[:, SEEN:]


def decode(model: VQVAE, codes: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) from codes (N, h, w)."""
    with torch.no_grad():
        return torch.cat([to_uint8(model.decode(part)) for part in codes.split(64)])


def imagine(prior: VideoPrior, split: Split, temperature: float) -> Tensor:
    return prior.sample(
        split.seen, IMAGINED, split.actions, temperature=temperature, seed=0, progress=False
    )


def rows(values: Tensor, digits: int = 4) -> dict[str, float]:
    """What stands at the frames ahead that are shown."""
    return {str(ahead): round(values[ahead - 1].item(), digits) for ahead in AHEAD}


def copy_shares(split: Split, chance: Tensor) -> Tensor:
    """For each frame ahead, the share of the last frame's code that makes the truth likeliest."""
    grid = torch.linspace(0.005, 0.6, 120, dtype=torch.float64)
    nats = torch.stack([copy_nats(split, chance, share) for share in grid])
    return grid[nats.argmin(0)]


def copy_nats(split: Split, chance: Tensor, share: Tensor) -> Tensor:
    """Nats per code for each frame ahead: the last frame's code with a share, or any by chance."""
    same = split.seen[:, -1:] == split.true
    return -(share * same + (1 - share) * chance[split.true]).log().mean((0, 2, 3))


def measure_copy(model: VQVAE, split: Split, shares: Tensor, chance: Tensor) -> dict:
    last = split.seen[:, -1:].expand(-1, IMAGINED, -1, -1)
    nats = copy_nats(split, chance, shares[None, :, None, None])
    found = compare_ahead(model, last, split.true, split.frames[:, SEEN:])
    return {
        "nats_per_code": rows(nats),
        "accuracy_percent": rows(100 * found.accuracy, 2),
        "psnr_decoded": rows(found.psnr_decoded, 2),
        "psnr_frame": rows(found.psnr_frame, 2),
        "shares": rows(shares, 3),
    }


def choose_temperature(model: VQVAE, prior: VideoPrior, split: Split) -> tuple[float, dict]:
    """The temperature of highest PSNR over all frames ahead, against the decoded truth."""
    psnr = {}
    for temperature in TEMPERATURES:
        drawn = imagine(prior, split, temperature)
        found = compare_ahead(model, drawn, split.true, split.frames[:, SEEN:])
        psnr[temperature] = found.psnr_decoded.mean().item()
    tried = {str(temperature): round(value, 3) for temperature, value in psnr.items()}
    return max(psnr, key=psnr.get), tried


def measure_ahead(model: VQVAE, prior: VideoPrior, validation: Split, test: Split) -> dict:
    temperature, tried = choose_temperature(model, prior, validation)
    plain = imagine(prior, test, 1.0)
    found = at_one = compare_ahead(model, plain, test.true, test.frames[:, SEEN:])
    if temperature != 1:
        drawn = imagine(prior, test, temperature)
        found = compare_ahead(model, drawn, test.true, test.frames[:, SEEN:])
    nats = nats_ahead(prior, test.seen, plain, test.true, test.actions)
    turned = [test.all.actions[(i + 1) % len(test.all.actions)] for i in range(len(test.all.codes))]
    return {
        "parameters": sum(parameter.numel() for parameter in prior.parameters()),
        "nats_per_code": rows(nats.mean(0)),
        "temperature": temperature,
        "psnr_of_each_temperature_on_validation": tried,
        "accuracy_percent": rows(100 * found.accuracy, 2),
        "psnr_decoded": rows(found.psnr_decoded, 2),
        "psnr_frame": rows(found.psnr_frame, 2),
        "psnr_decoded_at_temperature_1": rows(at_one.psnr_decoded, 2),
        "nats_per_code_of_the_next_frame": {
            "true actions": round(
                nats_per_video_code(prior, test.all.codes, test.all.actions, SEEN), 4
            ),
            "another walk's actions": round(
                nats_per_video_code(prior, test.all.codes, turned, SEEN), 4
            ),
        },
    }


def judge_of(model: VQVAE, train: Split) -> ActionJudge:
    """A judge of actions, trained on the decoded frames of real walks and their mirror images."""
    films = [decode(model, clip) for clip in train.all.codes]
    pairs = list(zip(films, train.all.actions, strict=True))
    return train_judge(pairs, 3, mirrored={LEFT: RIGHT, RIGHT: LEFT}, steps=800)


def agreement(judge: ActionJudge, films: Sequence[Tensor], actions: Sequence[Tensor]) -> float:
    """Per cent of the steps in which the judge names the action."""
    named = torch.cat([judge.name(film) for film in films])
    return percent((named == torch.cat(list(actions))).double().mean().item())


def real_steps(model: VQVAE, test: Split, judge: ActionJudge) -> dict[str, float]:
    """The same for the steps of the real walks, decoded, one action at a time."""
    named = torch.cat([judge.name(decode(model, clip)) for clip in test.all.codes])
    done = torch.cat(test.all.actions)
    return {
        name: percent((named == done)[done == action].double().mean().item())
        for action, name in enumerate(MazeClips.actions)
    }


def measure_steering(model: VQVAE, prior: VideoPrior, test: Split, judge: ActionJudge) -> dict:
    films = [decode(model, clip) for clip in test.all.codes]
    result = {"real test clips, decoded": agreement(judge, films, test.all.actions)}
    for name, chosen in STEERED.items():
        to_come = torch.tensor(chosen).expand(len(test.seen), -1)
        actions = torch.cat([test.actions[:, : SEEN - 1], to_come], 1)
        drawn = prior.sample(test.seen, IMAGINED, actions, seed=1, progress=False)
        codes = torch.cat([test.seen[:, -1:], drawn], 1)
        result[name] = agreement(judge, [decode(model, film) for film in codes], to_come)
    result["all four"] = round(sum(result[name] for name in STEERED) / len(STEERED), 2)
    return result


class Imagines(Protocol):
    """What draws films, as `VideoPrior` does."""

    def sample(
        self, codes: Tensor, frames: int, actions: Tensor, *, seed: int, progress: bool
    ) -> Tensor:
        """See `VideoPrior.sample`."""
        ...


class Films(NamedTuple):
    """Of a split: imagined after the first frames, and real.

    Attributes:
        imagined: codes, (N, SEEN + LONG, h, w).
        real: the same.
        actions: (N, SEEN + LONG - 1), of both.
    """

    imagined: Tensor
    real: Tensor
    actions: Tensor

    def decoded(self, model: VQVAE, first: int, last: int) -> list[Tensor]:
        """The frames from `first` to `last` after those seen: uint8 (M, 3, H, W) of each."""
        stretch = slice(SEEN + first - 1, SEEN + last)
        return [decode(model, films[:, stretch].flatten(0, 1)) for films in self[:2]]


def long_films(prior: Imagines, split: Split, every: int) -> Films:
    """Films under the walks' own actions, from places `every` frames apart."""
    real = cut_clips(split.all.codes, SEEN + LONG, every)
    actions = cut_clips(split.all.actions, SEEN + LONG - 1, every)
    drawn = prior.sample(real[:, :SEEN], LONG, actions, seed=2, progress=False)
    return Films(torch.cat([real[:, :SEEN], drawn], 1), real, actions)


def told(model: VQVAE, films: Films) -> dict[str, float]:
    """Per cent of the frames, imagined or real, that chapter 6's classifier puts right; 50: none.

    It is asked of each of the four walks in turn, and learns from the other three.
    """
    result = {}
    for first, last in TOLD:
        pictures = [shrink(frames, SHOWN) for frames in films.decoded(model, first, last)]
        result[f"{first} to {last}"] = percent(told_apart(*pictures, seeds=SEEDS))
    return result


def pieces(pictures: Tensor) -> Tensor:
    """Of each picture (N, 3, H, W) some pieces of SHOWN by SHOWN, at places that depend on N."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (
        torch.randint(size - SHOWN + 1, (PIECES * len(pictures),), generator=generator).tolist()
        for size in pictures.shape[2:]
    )
    places = zip(pictures.repeat(PIECES, 1, 1, 1), rows, columns, strict=True)
    return torch.stack([one[:, y : y + SHOWN, x : x + SHOWN] for one, y, x in places])


def told_by_pieces(model: VQVAE, learned: Films, asked: Films) -> dict[str, float]:
    """The same for pieces of frames, by a classifier that has learned from other walks' films."""
    result = {}
    for first, last in TOLD:
        shown, unseen = (
            [pieces(frames) for frames in films.decoded(model, first, last)]
            for films in (learned, asked)
        )
        right = [put_right(shown, unseen, PIECES_STEPS, seed) for seed in SEEDS]
        result[f"{first} to {last}"] = percent(statistics.fmean(right))
    return result


def measure_long(model: VQVAE, films: Films, still: GatedPixelCNN, judge: ActionJudge) -> dict:
    """Films of 100 imagined frames under the walks' own actions, stretch by stretch."""
    result: dict = {"films": len(films.real), "told_from_real_percent": told(model, films)}
    for kind, film in (("imagined", films.imagined), ("real", films.real)):
        result[kind] = {}
        for first, last in STRETCHES:
            part = film[:, SEEN + first - 1 : SEEN + last]
            # With the frame before, so that every step to one of them can be judged.
            shown = [decode(model, one) for one in film[:, SEEN + first - 2 : SEEN + last]]
            pictures = torch.cat([frames[1:] for frames in shown]).double()
            result[kind][f"{first} to {last}"] = {
                "action_named_percent": agreement(
                    judge, shown, films.actions[:, SEEN + first - 2 : SEEN + last - 1]
                ),
                "nats_per_code_of_single_frames": round(
                    nats_per_code(still, part.flatten(0, 1)), 3
                ),
                "codes_in_a_frame": round(
                    sum(len(one.unique()) for one in part.flatten(0, 1)) / part[:, :, 0, 0].numel(),
                    1,
                ),
                "brightness": round(pictures.mean().item(), 1),
                "contrast": round(pictures.flatten(1).std(1).mean().item(), 1),
            }
    return result


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="a checkpoint of a model of the mazes")
    parser.add_argument("video", help="a checkpoint of `train video`, over its codes")
    parser.add_argument("at_once", help="the same with num_layers=0")
    parser.add_argument("--prior", default="checkpoints/prior", help="over single frames")
    parser.add_argument("--name", default="video", help="of the results file")
    options = parser.parse_args()
    vqvae = load_checkpoint(options.vqvae)
    model = vqvae.model
    video, at_once, still = (
        load_prior(path, model) for path in (options.video, options.at_once, options.prior)
    )
    train, validation, test = (Split(model, name) for name in ("train", "validation", "test"))
    frequencies = CodeFrequencies(torch.cat(train.all.codes), model.config.num_codes)
    chance = frequencies.log_probs[0].exp()
    judge = judge_of(model, train)
    priors = {"full": video.model, "at_once": at_once.model}
    films = {name: long_films(prior, test, LONG_EVERY) for name, prior in priors.items()}
    figures = {
        "seen": SEEN,
        "imagined": IMAGINED,
        "pieces": len(test.codes),
        "uniform_nats_per_code": round(math.log(model.config.num_codes), 4),
        "step": video.config["step"],
        "copy": measure_copy(model, test, copy_shares(validation, chance), chance),
        "at_once": measure_ahead(model, at_once.model, validation, test),
        "full": measure_ahead(model, video.model, validation, test),
        "steering_percent": measure_steering(model, video.model, test, judge),
        "real_steps_percent": real_steps(model, test, judge),
        "long": measure_long(model, films["full"], still.model, judge),
        "long_at_once": measure_long(model, films["at_once"], still.model, judge),
        "told_by_pieces_percent": {
            name: told_by_pieces(model, long_films(prior, train, LEARNED_EVERY), films[name])
            for name, prior in priors.items()
        },
    }
    print(figures)
    return options.name, figures


if __name__ == "__main__":
    run(main)
