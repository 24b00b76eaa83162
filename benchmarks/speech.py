"""The speech model on test sentences: what its codes keep, and what it is told and does not keep.

Reconstruction: what the true codes are worth to the decoder, how far what it says is from the
original phone by phone, and whether the pitch is kept; beside codes shuffled in time, another
sentence, and coders of sound. Conversion, from every speaker to every other: whom a judge that only
knows real speech takes the voice for, where its pitch lies, whether the words are still there.

Everything is heard at 16 kHz. Where the model has a lower rate, real speech too is brought to that
rate and back first, so that nothing is told apart by frequencies that the model never had.

    python benchmarks/speech.py checkpoints/speech
"""

import argparse
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict

import torch
from record import percent, run
from coders import measure_coders
from conversion import measure_pitch, measure_voice, measure_words
from saidagain import SHUFFLED, Decoded, Sentence, as_heard, choose, decode_all
from torch import Tensor

from vqvae_lite.checks import SPLITS
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.sound import rate_of, speakers_of
from vqvae_lite.sound.files import RATE, resample
from vqvae_lite.sound.measures import phone_distance, pitch_track
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.sound.mulaw import to_wave
from vqvae_lite.sound.speech import load_speech


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a checkpoint or run folder of a model of sound")
    parser.add_argument("--name", default="speech", help="of the results file")
    parser.add_argument("--sentences", type=int, default=4, help="of each speaker, at least 2")
    parser.add_argument("--temperature", type=float, default=1.0, help="of the samples")
    options = parser.parse_args()
    if options.sentences < 2:
        parser.error(f"--sentences must be at least 2, got {options.sentences}")
    checkpoint = load_checkpoint(options.model)
    model, speakers, rate = checkpoint.model, speakers_of(checkpoint), rate_of(checkpoint)
    speech = {split: as_heard(load_speech(split, speakers), rate) for split in SPLITS}
    sentences = choose(model, rate, speech["test"], speakers, options.sentences)
    figures = {
        "settings": asdict(model.config),
        "step": checkpoint.config["step"],
        "rate": rate,
        "temperature": options.temperature,
        "speakers": list(speakers),
        "sentences_of_each": options.sentences,
        "seconds": round(sum(len(one.utterance.wave) for one in sentences) / RATE, 1),
    }

    def keep(name: str, measured: dict) -> None:
        figures[name] = measured
        print(name, measured, flush=True)

    keep("codes", measure_codes(model, rate, sentences))
    keep("coders", measure_coders([one.utterance for one in sentences], rate))
    decoded = decode_all(model, rate, sentences, speakers, options.temperature)
    pitches = {key: pitch_track(wave) for key, wave in decoded.items()}
    reconstruction = {
        name: measure_reconstruction(model, rate, name, speakers, sentences, decoded, pitches)
        for name in speakers
    }
    keep("reconstruction", reconstruction)
    keep("voice", measure_voice(speech, speakers, sentences, decoded))
    keep("pitch", measure_pitch(speech["test"], speakers, sentences, pitches))
    keep("words", measure_words(speech["test"], speakers, sentences, decoded))
    return options.name, figures


def measure_codes(model: SoundVQVAE, rate: int, sentences: Sequence[Sentence]) -> dict:
    """How many bits a second the codes are."""
    usage, codes_a_second = CodeUsage(model.config.num_codes), rate / model.config.hop
    for sentence in sentences:
        usage.update(sentence.codes[None])
    return {
        "codes_a_second": codes_a_second,
        "bits_a_second": round(codes_a_second * math.log2(model.config.num_codes)),
        "bits_a_second_by_their_frequencies": round(codes_a_second * math.log2(usage.perplexity)),
        "perplexity": round(usage.perplexity, 1),
        "codes_used": round(usage.fraction_used, 4),
    }


@torch.no_grad()
def measure_reconstruction(
    model: SoundVQVAE,
    rate: int,
    name: str,
    speakers: Sequence[str],
    sentences: Sequence[Sentence],
    decoded: Decoded,
    pitches: dict[tuple[int, str], Tensor],
) -> dict:
    """Of one speaker in the own voice; distances in dB from the original after mu-law."""
    mine = [place for place, one in enumerate(sentences) if one.utterance.speaker == name]
    speaker = torch.tensor([speakers.index(name)])
    nats = {"codes": 0.0, SHUFFLED: 0.0}
    distances = {"decoded": [], SHUFFLED: [], "another_sentence": [], "mulaw_alone": []}
    tracks = {"original": [], "decoded": [], SHUFFLED: []}
    samples = 0
    for place, other in zip(mine, mine[1:] + mine[:1], strict=True):
        utterance, levels, *rows = sentences[place]
        samples += len(levels)
        for line, codes in zip(nats, rows, strict=True):
            condition = model.context(model.quantizer.lookup(codes[None]))
            nats[line] -= model.decoder(levels[None], speaker, condition).log_prob.item()
        tracks["original"].append(pitch_track(utterance.wave))
        tracks["decoded"].append(pitches[place, name])
        tracks[SHUFFLED].append(pitches[place, SHUFFLED])
        if utterance.phones:
            given = resample(to_wave(levels), rate, RATE)[: len(utterance.wave)]
            for line, wave, said in (
                ("decoded", given, decoded[place, name]),
                (SHUFFLED, given, decoded[place, SHUFFLED]),
                ("another_sentence", given, decoded[other, name]),
                ("mulaw_alone", utterance.wave, given),
            ):
                distances[line].append(phone_distance(wave, said, utterance.phones))
    result = {}
    for line, total in nats.items():
        result[f"nats_a_sample_{line}"] = round(total / samples, 4)
        result[f"bits_a_sample_{line}"] = round(total / samples / math.log(2), 4)
    for line, values in distances.items():
        if values:
            result[f"distance_db_{line}"] = round(statistics.mean(values), 2)
    original = torch.cat(tracks["original"])
    result["pitch_decoded"] = agree(original, torch.cat(tracks["decoded"]))
    result["pitch_shuffled"] = agree(original, torch.cat(tracks[SHUFFLED]))
    return result


def agree(pitch: Tensor, other: Tensor) -> dict:
    """Two tracks that run in step; ratio and correlation over the frames voiced in both."""
    voiced, others = ~pitch.isnan(), ~other.isnan()
    both = voiced & others
    result = {
        "voiced_percent": percent(others.double().mean().item()),
        "voiced_alike_percent": percent((voiced == others).double().mean().item()),
        "frames_voiced_in_both": int(both.sum()),
    }
    if both.sum() > 2:
        a, b = pitch[both].log(), other[both].log()
        result["median_ratio"] = round((b - a).median().exp().item(), 3)
        result["correlation_of_logs"] = round(torch.corrcoef(torch.stack([a, b]))[0, 1].item(), 3)
    return result


if __name__ == "__main__":
    run(main)
