"""Conversions judged: whose voice, at what pitch, and whether the words are still there."""

import statistics
from collections.abc import Callable, Sequence

import torch
from record import percent
from saidagain import SHUFFLED, Decoded, Sentence
from torch import Tensor
from voices import judge_waves, train_judge
from words import Fit, Listener

from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.measures import median_pitch, pitch_track

VOICED = 0.1  # the share of frames that must have a pitch for a median of it to say something


def measure_voice(
    speech: dict[str, list[Utterance]],
    speakers: Sequence[str],
    sentences: Sequence[Sentence],
    decoded: Decoded,
) -> dict:
    """How often the judge takes a conversion for its target and for its source, in percent."""
    judge = train_judge(speech["train"], speech["validation"], speakers)
    real = judge_waves(judge, [one.wave for one in speech["test"]]).argmax(1)
    truth = torch.tensor([speakers.index(one.speaker) for one in speech["test"]])
    places = {key: index for index, key in enumerate(decoded)}
    named = judge_waves(judge, list(decoded.values())).argmax(1)

    def share(chosen: Callable[[str, str], str]) -> dict:
        def of_pair(source: str, target: str) -> float:
            wanted = speakers.index(chosen(source, target))
            found = [
                float(named[places[place, target]].item() == wanted)
                for place, one in enumerate(sentences)
                if one.utterance.speaker == source
            ]
            return percent(statistics.mean(found))

        return matrix(speakers, of_pair)

    as_target, as_source = share(lambda _, target: target), share(lambda source, _: source)
    return {
        "judge_on_real_test_speech": percent((real == truth).double().mean().item()),
        "judge_on_real_test_speech_by_speaker": {
            name: percent((real[truth == index] == index).double().mean().item())
            for index, name in enumerate(speakers)
        },
        "conversions": len(sentences) * (len(speakers) - 1),
        "named_target": mean_of_pairs(as_target),
        "named_source": mean_of_pairs(as_source),
        "reconstructions_named_speaker": round(
            statistics.mean(as_target[name][name] for name in speakers), 2
        ),
        "named_target_by_source_and_target": as_target,
        "named_source_by_source_and_target": as_source,
    }


def measure_pitch(
    test: Sequence[Utterance],
    speakers: Sequence[str],
    sentences: Sequence[Sentence],
    pitches: dict[tuple[int, str], Tensor],
) -> dict:
    """The median pitch of conversions over the target's own on all of its real test speech.

    A pair that is hardly voiced has no ratio, and is not within 15 percent.
    """
    own = {
        name: torch.cat([pitch_track(one.wave) for one in test if one.speaker == name])
        for name in speakers
    }

    def said(source: str, target: str) -> Tensor:
        tracks = [
            pitches[place, target]
            for place, one in enumerate(sentences)
            if one.utterance.speaker == source
        ]
        return torch.cat(tracks)

    def voiced(source: str, target: str) -> float:
        return (~said(source, target).isnan()).double().mean().item()

    def ratio(source: str, target: str) -> float | None:
        if voiced(source, target) < VOICED:
            return None
        return round(median_pitch(said(source, target)) / median_pitch(own[target]), 3)

    ratios = matrix(speakers, ratio)
    pairs = [ratios[a][b] for a in speakers for b in speakers if a != b]
    off = [abs(ratio - 1) for ratio in pairs if ratio is not None]
    return {
        "own_hz": {name: round(median_pitch(own[name]), 1) for name in speakers},
        "pairs_within_15_percent": percent(sum(one <= 0.15 for one in off) / len(pairs)),
        "median_deviation_percent": percent(statistics.median(off)) if off else None,
        "pairs_with_too_little_voice": len(pairs) - len(off),
        "voiced_percent_of_own": {
            name: percent((~own[name].isnan()).double().mean().item()) for name in speakers
        },
        "voiced_percent_by_source_and_target": matrix(
            speakers, lambda source, target: percent(voiced(source, target))
        ),
        "ratio_by_source_and_target": ratios,
    }


def measure_words(
    test: Sequence[Utterance],
    speakers: Sequence[str],
    sentences: Sequence[Sentence],
    decoded: Decoded,
) -> dict:
    """How the source's text fits (see `words`); for the sources whose phones are known."""
    listener = Listener()
    sources = [name for name in speakers if any(one.phones for one in test if one.speaker == name)]
    fits: dict[tuple[str, str], list[tuple[Fit | None, Fit | None]]] = {}
    for place, one in enumerate(sentences):
        source = one.utterance.speaker
        if source not in sources:
            continue
        wrong = other_text(one.utterance, test)
        waves = {"real": one.utterance.wave}
        waves |= {name: decoded[place, name] for name in (*speakers, SHUFFLED)}
        for target, wave in waves.items():
            pair = tuple(
                listener.fit(wave, text, one.utterance) for text in (one.utterance.text, wrong)
            )
            fits.setdefault((source, target), []).append(pair)

    def mean(chosen: Callable[[str, str], bool]) -> dict:
        return summary([fit for key, some in fits.items() if chosen(*key) for fit in some])

    lines = {
        "real": mean(lambda _, target: target == "real"),
        "reconstructions": mean(lambda source, target: source == target),
        "conversions": mean(lambda source, target: target in speakers and target != source),
        SHUFFLED: mean(lambda _, target: target == SHUFFLED),
    }
    plain, converted = lines["reconstructions"], lines["conversions"]
    return {
        "sources": sources,
        **lines,
        "conversions_over_reconstructions": {
            line: round(converted[line] / plain[line], 3)
            for line in ("lead_of_right_text", "agreement_percent")
            if plain.get(line) and converted.get(line)
        },
        "lead_by_source_and_target": {
            source: {
                target: summary(fits[source, target]).get("lead_of_right_text")
                for target in ("real", *speakers, SHUFFLED)
            }
            for source in sources
        },
        "agreement_by_source_and_target": {
            source: {
                target: summary(fits[source, target]).get("agreement_percent")
                for target in ("real", *speakers, SHUFFLED)
            }
            for source in sources
        },
    }


def other_text(utterance: Utterance, test: Sequence[Utterance]) -> str:
    """Of the speaker's other test sentence that is nearest to this one in length."""
    others = [
        one
        for one in test
        if one.speaker == utterance.speaker and one.text != utterance.text and one.phones
    ]
    return min(others, key=lambda one: abs(len(one.wave) - len(utterance.wave))).text


def summary(pairs: Sequence[tuple[Fit | None, Fit | None]]) -> dict:
    """Means over (right text, wrong text); a lead needs both to be aligned."""
    right = [fit for fit, _ in pairs if fit]
    both = [(fit, wrong) for fit, wrong in pairs if fit and wrong]
    result = {
        "sounds": len(pairs),
        "not_aligned": len(pairs) - len(right),
        "wrong_text_not_aligned": sum(wrong is None for _, wrong in pairs),
    }
    if right:
        result["nats_a_frame"] = round(statistics.mean(fit.nats for fit in right), 3)
        result["agreement_percent"] = percent(statistics.mean(fit.agreement for fit in right))
    if both:
        result["nats_a_frame_of_wrong_text"] = round(
            statistics.mean(fit.nats for _, fit in both), 3
        )
        result["lead_of_right_text"] = round(statistics.mean(a.nats - b.nats for a, b in both), 3)
    return result


def matrix(speakers: Sequence[str], value: Callable[[str, str], float | None]) -> dict:
    return {source: {target: value(source, target) for target in speakers} for source in speakers}


def mean_of_pairs(values: dict[str, dict[str, float]]) -> float:
    """The mean of a matrix without its diagonal, the plain reconstructions."""
    pairs = [row[target] for source, row in values.items() for target in row if target != source]
    return round(statistics.mean(pairs), 2)
