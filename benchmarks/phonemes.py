"""Codes against phones (section 4.3): the accuracy of a 41-way map on held-out sentences.

Each code is given its commonest phone on training sentences, and the map is scored on the test
sentences: of the four synthetic voices, whose phones are exact, and of Allison, whose phones are
aligned. Three models are scored: the paper's, with a WaveNet to decode; one that is asked for
cepstra, trained on the voices in question; and that of the other set, which never heard them.

Beside them: the commonest phone alone; codes drawn at random as often as the model's; k-means on
MFCC with as many codes of as many samples; and a small network that is told the phones, to show
what labels are worth. Whatever has a choice makes it on the validation sentences.

    python benchmarks/phoneme_models.py  # trains the models of cepstra, some minutes
    python benchmarks/phonemes.py
"""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from record import ROOT, percent, run, without_options
from torch import Tensor, nn

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import SPLITS
from vqvae_lite.codebook import nearest_codes
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.models import load_checkpoint
from vqvae_lite.sound.cepstral import CepstralVQVAE
from vqvae_lite.sound.coding import encode_wave
from vqvae_lite.sound.files import RATE, Utterance
from vqvae_lite.sound.measures import FRAME_HOP, mfcc
from vqvae_lite.sound.phonemes import count_phones, k_means, phone_accuracy, phone_map
from vqvae_lite.sound.speech import PHONES, SYNTHETIC, frame_phones, load_speech

SETS = {"synthetic": SYNTHETIC, "allison": ("allison",)}
# By set: the checkpoints of the models. All have as many codes of as many samples.
MODELS = {
    "synthetic": {
        "vqvae": "phonemes", "of_allison": "phonemes_allison", "wavenet": "phonemes_wavenet"
    },
    "allison": {
        "vqvae": "phonemes_allison", "of_synthetic": "phonemes", "wavenet": "phonemes_wavenet"
    },
}  # fmt: skip
FRAMES = 4  # of 10 ms, a code
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
        codes: of each model, int64 (N,).
        phones: int64 (N,), -1 where none is spoken.
        features: float32 (N, 13), the mean of the MFCC over a code's samples.
        in_units: float32 (N, P), likewise of the cepstra that the model "vqvae" is asked for.
        context: float32 (N, 7 * 13), those of the codes around as well.
        share_in_one_phone: of the codes, those whose samples are all of one phone.
    """

    voice: Tensor
    codes: dict[str, Tensor]
    phones: Tensor
    features: Tensor
    in_units: Tensor
    context: Tensor
    share_in_one_phone: float


def main() -> tuple[str, dict]:
    without_options(__doc__)
    figures = {
        "codes_a_second": 100 / FRAMES,
        "paper_percent": PAPER,
        "phones": list(PHONES),
        "sets": {name: measure(name, speakers) for name, speakers in SETS.items()},
    }
    return "phonemes", figures


def read(models: dict[str, nn.Module], utterances: Sequence[Utterance]) -> Split:
    """The codes, phones and MFCC of some utterances, one after another."""
    hop, parts, pure = FRAMES * FRAME_HOP, [], []
    codes = {name: [] for name in models}
    names = list(dict.fromkeys(utterance.speaker for utterance in utterances))
    for utterance in utterances:
        for name, model in models.items():
            codes[name].append(codes_of(model, utterance.wave))
        whole = F.pad(utterance.wave, (0, -len(utterance.wave) % hop))
        count = len(whole) // hop
        features = mfcc(whole).unflatten(0, (count, FRAMES)).mean(1)
        asked = models["vqvae"]
        in_units = asked.cepstra(utterance.wave).unflatten(0, (count, FRAMES)).mean(1) @ asked.units
        around = F.pad(features.T, (CONTEXT, CONTEXT), mode="replicate").T
        phones = frame_phones(utterance.phones, count, hop / RATE)
        every = frame_phones(utterance.phones, count * FRAMES, FRAME_HOP / RATE)
        pure.append((every.unflatten(0, (count, -1)) == phones[:, None]).all(1)[phones >= 0])
        parts.append(
            (
                torch.full_like(phones, names.index(utterance.speaker)),
                phones,
                features,
                in_units,
                around.unfold(0, 2 * CONTEXT + 1, 1).flatten(1),
            )
        )
    voice, phones, features, in_units, around = (
        torch.cat(part) for part in zip(*parts, strict=True)
    )
    return Split(
        voice,
        {name: torch.cat(rows) for name, rows in codes.items()},
        phones,
        features,
        in_units,
        around,
        torch.cat(pure).double().mean().item(),
    )


def codes_of(model: nn.Module, wave: Tensor) -> Tensor:
    """The codes of a wave at 16 kHz, int64 (N,), by either kind of model."""
    if isinstance(model, CepstralVQVAE):
        return model.encode(model.cepstra(wave)[None])[0]
    return encode_wave(model, wave)


def measure(name: str, speakers: Sequence[str]) -> dict:
    """All lines for one set of voices, in percent; printed too."""
    checkpoints = {
        line: load_checkpoint(ROOT / "checkpoints" / folder)
        for line, folder in MODELS[name].items()
    }
    models = {line: checkpoint.model for line, checkpoint in checkpoints.items()}
    num_codes = models["vqvae"].config.num_codes
    parts = {split: read(models, load_speech(split, speakers)) for split in SPLITS}
    train, test = parts["train"], parts["test"]
    deviation, mean = torch.std_mean(train.features, 0)

    def standardised(part: Split) -> Tensor:
        return (part.features - mean) / deviation

    result = {
        "training_codes": int((train.phones >= 0).sum()),
        "test_codes": int((test.phones >= 0).sum()),
        "pauses": percent((test.phones[test.phones >= 0] == PAUSE).double().mean().item()),
        "codes_in_one_phone": percent(test.share_in_one_phone),
        "commonest_phone": score([torch.zeros_like(part.phones) for part in (train, test)], parts),
        "random_codes": random_codes(train.codes["vqvae"], num_codes, parts),
        "k_means": k_means_line(num_codes, parts, standardised),
        "k_means_not_standardised": k_means_line(num_codes, parts, lambda part: part.features),
        "k_means_in_the_units_of_vqvae": k_means_line(num_codes, parts, lambda part: part.in_units),
        **{line: model_line(line, checkpoint, parts) for line, checkpoint in checkpoints.items()},
        "told_the_phones": {"accuracy": percent(told_the_phones(parts))},
    }
    mapping = make_map(train.codes["vqvae"], train.phones)
    result["vqvae_by_voice"] = {
        speaker: percent(phone_accuracy(mapping, test.codes["vqvae"][mine], test.phones[mine]))
        for index, speaker in enumerate(speakers)
        for mine in [test.voice == index]
    }
    for line, value in result.items():
        print(name, line, value, flush=True)
    table = count_phones(test.codes["vqvae"], test.phones, num_codes, len(PHONES))
    result["counts_of_test"] = [" ".join(map(str, row)) for row in table.tolist()]
    return result


def model_line(line: str, checkpoint: Checkpoint, parts: dict[str, Split]) -> dict:
    """A model's score, how it uses its codes, and its score on what its map was made from."""
    train, test = parts["train"], parts["test"]
    usage = CodeUsage(checkpoint.model.config.num_codes)
    usage.update(test.codes[line][None])
    mapping = make_map(train.codes[line], train.phones)
    seen = phone_accuracy(mapping, train.codes[line], train.phones)
    return {
        **score((train.codes[line], test.codes[line]), parts),
        "on_training_sentences": percent(seen),
        "perplexity": round(usage.perplexity, 1),
        "codes_used": round(usage.fraction_used, 4),
        "step": checkpoint.config["step"],
    }


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
            torch.multinomial(frequency, len(parts[split].phones), True, generator=generator)
            for split in ("train", "test")
        ]
        scores.append(score(drawn, parts))
    return {line: round(statistics.mean(one[line] for one in scores), 2) for line in scores[0]}


def k_means_line(
    num_codes: int, parts: dict[str, Split], points: Callable[[Split], Tensor]
) -> dict:
    """K-means on what `points` gives of the training sentences; the seed best on validation."""
    scaled = {split: points(part) for split, part in parts.items()}
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


if __name__ == "__main__":
    run(main)
