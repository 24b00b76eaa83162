"""Codes against phones (section 4.3): the accuracy of a 41-way map on held-out sentences.

Each code is given its commonest phone on training sentences, and the map is scored on the test
sentences: of the four synthetic voices, whose phones are exact, and of Allison, whose phones are
aligned. Beside it: the commonest phone alone; codes drawn at random as often as the model's;
k-means on MFCC with as many codes of as many samples; and a small network that is told the phones,
to show what labels are worth. Whatever has a choice makes it on the validation sentences.

    python benchmarks/phonemes.py checkpoints/phonemes
"""

import argparse
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from record import ROOT, percent, write_result
from torch import Tensor, nn

sys.path.insert(0, str(ROOT))

from vqvae_lite.checkpoints import load_checkpoint
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.phonemes import count_phones, k_means, phone_accuracy, phone_map
from vqvae_lite.quantizer import nearest_codes
from vqvae_lite.sound import RATE, Utterance
from vqvae_lite.soundcoding import encode_wave
from vqvae_lite.soundmeasures import HOP, mfcc
from vqvae_lite.soundmodel import SoundVQVAE
from vqvae_lite.speech import PHONES, SPLITS, SYNTHETIC, frame_phones, load_speech

SETS = {"synthetic": SYNTHETIC, "allison": ("allison",)}
PAUSE = PHONES.index("pau")
PAPER = {"accuracy": 49.3, "commonest_phone": 7.2}  # percent, as the paper gives them
SEEDS = 5  # of k-means; the best on validation is taken
RANDOM_SEEDS = 20  # of the random codes; the mean is taken
CONTEXT = 3  # codes to each side that the network with labels sees, about as many as the encoder
EPOCHS, BATCH = 20, 256  # of its training


class Split(NamedTuple):
    """The sentences of a set and a split, one row a code.

    Attributes:
        voice: int64 (N,), of the set's speakers.
        codes: int64 (N,).
        phones: int64 (N,), -1 where none is spoken.
        features: float32 (N, 13), the mean of the MFCC over a code's samples.
        context: float32 (N, 7 * 13), those of the codes around as well.
        share_in_one_phone: of the codes, those whose samples are all of one phone.
    """

    voice: Tensor
    codes: Tensor
    phones: Tensor
    features: Tensor
    context: Tensor
    share_in_one_phone: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a checkpoint or run folder of a model of sound")
    parser.add_argument("--name", default="phonemes", help="of the results file")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.model)
    model = checkpoint.model
    if model.config.hop % HOP:
        parser.error(f"a code must stand for a multiple of {HOP} samples, got {model.config.hop}")
    splits = {
        name: {split: read(model, load_speech(split, speakers)) for split in SPLITS}
        for name, speakers in SETS.items()
    }
    figures = {
        "settings": asdict(model.config),
        "step": checkpoint.config["step"],
        "codes_a_second": RATE / model.config.hop,
        "paper_percent": PAPER,
        "sets": {name: measure(model, name, splits) for name in SETS},
        "phones": list(PHONES),
        "counts_of_synthetic_test": counts(model, splits["synthetic"]["test"]),
    }
    command = shlex.join(["python", "benchmarks/phonemes.py", *sys.argv[1:]])
    print(f"written to {write_result(options.name, command, figures)}")


def read(model: SoundVQVAE, utterances: Sequence[Utterance]) -> Split:
    """The codes, phones and MFCC of some utterances, one after another."""
    hop, parts, pure = model.config.hop, [], []
    names = list(dict.fromkeys(utterance.speaker for utterance in utterances))
    for utterance in utterances:
        codes = encode_wave(model, utterance.wave)
        whole = F.pad(utterance.wave, (0, -len(utterance.wave) % hop))
        features = mfcc(whole).unflatten(0, (len(codes), hop // HOP)).mean(1)
        around = F.pad(features.T, (CONTEXT, CONTEXT), mode="replicate").T
        phones = frame_phones(utterance.phones, len(codes), hop / RATE)
        every = frame_phones(utterance.phones, len(codes) * hop // HOP, HOP / RATE)
        pure.append((every.unflatten(0, (len(codes), -1)) == phones[:, None]).all(1)[phones >= 0])
        parts.append(
            (
                torch.full_like(codes, names.index(utterance.speaker)),
                codes,
                phones,
                features,
                around.unfold(0, 2 * CONTEXT + 1, 1).flatten(1),
            )
        )
    joined = (torch.cat(part) for part in zip(*parts, strict=True))
    return Split(*joined, torch.cat(pure).double().mean().item())


def measure(model: SoundVQVAE, name: str, splits: dict[str, dict[str, Split]]) -> dict:
    """All lines for one set of voices, in percent; printed too."""
    num_codes, parts = model.config.num_codes, splits[name]
    train, test = parts["train"], parts["test"]
    usage = CodeUsage(num_codes)
    usage.update(test.codes[None])
    result = {
        "training_codes": int((train.phones >= 0).sum()),
        "test_codes": int((test.phones >= 0).sum()),
        "pauses": percent((test.phones[test.phones >= 0] == PAUSE).double().mean().item()),
        "codes_in_one_phone": percent(test.share_in_one_phone),
        "perplexity": round(usage.perplexity, 1),
        "codes_used": round(usage.fraction_used, 4),
        "commonest_phone": score([torch.zeros_like(part.codes) for part in (train, test)], parts),
        "random_codes": random_codes(train.codes, num_codes, parts),
        "k_means": k_means_line(num_codes, parts, standard=True),
        "k_means_not_standardised": k_means_line(num_codes, parts, standard=False),
        "vqvae": score((train.codes, test.codes), parts),
        "told_the_phones": {"accuracy": percent(told_the_phones(parts))},
    }
    result["vqvae"]["on_training_sentences"] = percent(
        phone_accuracy(make_map(train.codes, train.phones), train.codes, train.phones)
    )
    others = splits["synthetic"]["train"]
    mapping = make_map(others.codes, others.phones)
    if name == "synthetic":
        result["by_voice"] = {
            speaker: percent(phone_accuracy(mapping, test.codes[mine], test.phones[mine]))
            for index, speaker in enumerate(SYNTHETIC)
            for mine in [test.voice == index]
        }
    else:
        accuracy = phone_accuracy(mapping, test.codes, test.phones)
        result["by_the_map_of_synthetic"] = percent(accuracy)
    for line, value in result.items():
        print(name, line, value, flush=True)
    return result


def make_map(codes: Tensor, phones: Tensor) -> Tensor:
    return phone_map(codes, phones, int(codes.max()) + 1, len(PHONES))


def score(codes: Sequence[Tensor], parts: dict[str, Split], held_out: str = "test") -> dict:
    """Of codes of the training sentences and of held-out ones: how often the map is right.

    Without pauses: they are left out both of the making of the map and of the score.
    """
    size = max(int(part.max()) for part in codes) + 1
    result = {}
    for line, left_out in (("accuracy", -1), ("accuracy_without_pauses", PAUSE)):
        train, test = (
            parts[split].phones.masked_fill(parts[split].phones == left_out, -1)
            for split in ("train", held_out)
        )
        mapping = phone_map(codes[0], train, size, len(PHONES))
        result[line] = percent(phone_accuracy(mapping, codes[1], test))
    return result


def random_codes(codes: Tensor, num_codes: int, parts: dict[str, Split]) -> dict:
    """Codes that know nothing, each as frequent as in `codes`: the mean over seeds."""
    frequency = torch.bincount(codes, minlength=num_codes).double()
    scores = []
    for seed in range(RANDOM_SEEDS):
        generator = torch.Generator().manual_seed(seed)
        drawn = [
            torch.multinomial(frequency, len(parts[split].codes), True, generator=generator)
            for split in ("train", "test")
        ]
        scores.append(score(drawn, parts))
    return {line: round(statistics.mean(one[line] for one in scores), 2) for line in scores[0]}


def k_means_line(num_codes: int, parts: dict[str, Split], standard: bool) -> dict:
    """K-means on the MFCC of the training sentences, by the seed that is best on validation.

    `standard`: each coefficient is brought to mean 0 and variance 1 over the training sentences.
    """
    deviation, mean = torch.std_mean(parts["train"].features, 0)
    scale = deviation if standard else torch.ones_like(deviation)
    scaled = {split: (part.features - mean) / scale for split, part in parts.items()}
    tried = []
    for seed in range(SEEDS):
        centres = k_means(scaled["train"], num_codes, seed=seed)
        codes = {split: nearest_codes(features, centres) for split, features in scaled.items()}
        validation = score((codes["train"], codes["validation"]), parts, "validation")
        tried.append((validation["accuracy"], seed, codes))
    accuracy, seed, codes = max(tried, key=lambda one: one[0])
    return {
        **score((codes["train"], codes["test"]), parts),
        "on_validation": accuracy,
        "seed": seed,
    }


def told_the_phones(parts: dict[str, Split]) -> float:
    """Accuracy on the test sentences of a network that learns the phones from the MFCC around."""
    deviation, mean = torch.std_mean(parts["train"].context, 0)
    inputs, targets = {}, {}
    for split, part in parts.items():
        spoken = part.phones >= 0
        inputs[split] = ((part.context - mean) / deviation)[spoken]
        targets[split] = part.phones[spoken]

    def accuracy(split: str) -> float:
        with torch.no_grad():
            found = network.eval()(inputs[split]).argmax(1)
        return (found == targets[split]).double().mean().item()

    best = (0.0, 0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(inputs["train"].shape[1], 256),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(256, len(PHONES)),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(EPOCHS):
            network.train()
            for chosen in torch.randperm(len(targets["train"])).split(BATCH):
                logits = network(inputs["train"][chosen])
                loss = F.cross_entropy(logits, targets["train"][chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            best = max(best, (accuracy("validation"), accuracy("test")))
    return best[1]


def counts(model: SoundVQVAE, part: Split) -> list[str]:
    """How often each code stands where each phone is spoken: a row a code, a number a phone."""
    table = count_phones(part.codes, part.phones, model.config.num_codes, len(PHONES))
    return [" ".join(map(str, row)) for row in table.tolist()]


if __name__ == "__main__":
    main()
