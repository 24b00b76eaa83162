"""What is said of the data in speech.json: how good its sound and its labels are."""

from collections.abc import Iterable
from difflib import SequenceMatcher

import numpy as np
from levels import FRAME, active_level, frame_levels
from voices import Recording

from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.labels import Phone

LOUD, QUIET = -30, -40  # dB below the loudest frame of an utterance: above the one, below the other
STEP = 0.01  # seconds between the points at which two labellings are compared


def measure_sound(source: list[Recording], decoded: list[np.ndarray]) -> dict[str, float]:
    """Level, peak and loudness of the decoded utterances of a speaker, and what the coding cost."""
    noise = [
        10 * np.log10(np.square(one.samples).sum() / np.square(one.samples - other).sum())
        for one, other in zip(source, decoded, strict=True)
    ]
    levels = [active_level(samples) for samples in decoded]
    return {
        "snr_db_mean": round(float(np.mean(noise)), 1),
        "snr_db_min": round(min(noise), 1),
        "level_db_mean": round(float(np.mean(levels)), 2),
        "level_db_min": round(min(levels), 2),
        "level_db_max": round(max(levels), 2),
        "peak_max": round(max(float(np.abs(samples).max()) for samples in decoded), 3),
    }


def measure_labels(recordings: Iterable[Recording]) -> dict[str, float]:
    """How well the phones of a speaker agree with the energy of the wave."""
    loud, quiet, phones = [], [], 0
    for recording in recordings:
        levels, paused = _frame_pauses(recording)
        loud.append(~paused[levels > LOUD])
        quiet.append(paused[levels < QUIET])
        phones += len(recording.phones)
    return {
        "phones": phones,
        "loud_frames_in_a_phone": round(float(np.concatenate(loud).mean()), 4),
        "quiet_frames_in_a_pause": round(float(np.concatenate(quiet).mean()), 4),
    }


def missed_seconds(recording: Recording) -> float:
    """How long it is loud where the phones have a pause: speech that the text does not have."""
    levels, paused = _frame_pauses(recording)
    return float((paused & (levels > LOUD)).sum()) * FRAME / RATE


def compare_labels(
    pairs: Iterable[tuple[tuple[Phone, ...], tuple[Phone, ...]]],
) -> dict[str, float]:
    """How well found phones agree with the true ones: pairs of (true, found).

    Frames are compared every 10 ms; boundaries where both have the same two phones in a row.
    """
    same = total = 0
    errors = []
    for true, found in pairs:
        times = np.arange(STEP / 2, true[-1].end, STEP)
        same += (_label(true, times) == _label(found, times)).sum()
        total += len(times)
        symbols = [[phone.phone for phone in phones] for phones in (true, found)]
        for block in SequenceMatcher(None, *symbols, autojunk=False).get_matching_blocks():
            errors += [
                abs(true[block.a + k].start - found[block.b + k].start)
                for k in range(1, block.size)
            ]
    return {
        "frames_that_agree": round(float(same / total), 4),
        "median_boundary_error_ms": round(1000 * float(np.median(errors)), 1),
        "boundaries_within_20_ms": round(float(np.mean(np.array(errors) <= 0.02)), 4),
        "boundaries": len(errors),
    }


def _frame_pauses(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame of 20 ms its level against the loudest in dB, and whether it is in a pause."""
    levels = frame_levels(recording.samples)
    middles = (np.arange(len(levels)) + 0.5) * FRAME / RATE
    return levels - levels.max(), _label(recording.phones, middles) == "pau"


def _label(phones: tuple[Phone, ...], times: np.ndarray) -> np.ndarray:
    symbols = np.array([*(phone.phone for phone in phones), ""])
    return symbols[np.searchsorted([phone.end for phone in phones], times, side="right")]
