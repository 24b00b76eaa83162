"""Trains the models of cepstra, for the phonemes: one on the synthetic voices, one on Allison.

    python benchmarks/phoneme_models.py

About two minutes each on two cores. The folders runs/phonemes and runs/phonemes_allison then hold
what `checkpoints` has, with the optimizer's state.
"""

from dataclasses import asdict

from record import ROOT, run, without_options
from stages import train_stages

from vqvae_lite.sound.cepstral import CepstralConfig, CepstralVQVAE
from vqvae_lite.sound.speech import SYNTHETIC, load_speech
from vqvae_lite.sound.windows import SpokenFrames, Windows, by_speaker, crop
from vqvae_lite.training import TrainingConfig

RUNS = {"phonemes": SYNTHETIC, "phonemes_allison": ("allison",)}
WINDOW = 128  # frames: 1.28 seconds
TRAINING = TrainingConfig(steps=6000, batch_size=16, learning_rate=1e-3, checkpoint_every=500)
LAST_STEPS = 1500


def main() -> None:
    without_options(__doc__)
    for name, speakers in RUNS.items():
        settings = CepstralConfig(num_speakers=len(speakers))
        utterances = load_speech("train", speakers)
        waves = [one.wave for one in utterances]
        model = CepstralVQVAE(settings)
        rows = by_speaker(utterances, [model.cepstra(wave) for wave in waves], speakers)
        train_stages(
            "cepstralvqvae",
            settings,
            lambda rows=rows: Windows(rows, WINDOW, SpokenFrames),
            TRAINING,
            LAST_STEPS,
            ROOT / "runs" / name,
            lambda stage, speakers=speakers: {
                "speakers": list(speakers), "training": asdict(stage)
            },
            begin=lambda model, waves=waves: model.set_units(waves),
            prepare=crop,
        )  # fmt: skip


if __name__ == "__main__":
    run(main)
