"""Who speaks? A small network that is trained on real speech, to judge conversions by.

It sees log-mel spectrograms without their level and averages over time what it finds, so it goes by
the voice and not by the words. All speech goes through mu-law first, and that of training also gets
noise of 15 to 40 dB below it: a sampled wave has both, and neither shall give a voice away.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.sound.files import RATE, Utterance
from vqvae_lite.sound.measures import BANDS, log_mel
from vqvae_lite.sound.mulaw import to_levels, to_wave

WIDTH = 64
STEPS, BATCH, EVERY = 600, 32, 50  # of the training; how often validation is looked at
WINDOW = RATE  # samples of a training window
NOISE = (15.0, 40.0)  # dB below the speech
QUIET = -80.0  # dB: mu-law's own noise is not far below


class VoiceJudge(nn.Module):
    """Logits of the speakers (B, num_speakers) from waves (B, T) at 16 kHz."""

    def __init__(self, num_speakers: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(BANDS, WIDTH, 5),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 5, stride=2),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 5, stride=2),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * WIDTH, num_speakers)

    def forward(self, waves: Tensor) -> Tensor:
        mel = log_mel(waves).clamp_min(QUIET)
        mel = (mel - mel.mean((1, 2), keepdim=True)) / 20
        found = self.body(mel.transpose(1, 2))
        return self.head(torch.cat([found.mean(2), found.std(2)], 1))


def train_judge(
    train: Sequence[Utterance], validation: Sequence[Utterance], speakers: Sequence[str]
) -> VoiceJudge:
    """The judge as it was when its accuracy on the validation speech was best.

    Every speaker is heard as often as every other.
    """
    speech = [
        to_wave(to_levels(torch.cat([one.wave for one in train if one.speaker == speaker])))
        for speaker in speakers
    ]
    best, kept = (-1.0, 0.0), {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = VoiceJudge(len(speakers))
        optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
        for step in range(1, STEPS + 1):
            target = torch.randint(len(speakers), (BATCH,))
            waves = torch.stack([_window(speech[speaker]) for speaker in target.tolist()])
            loss = F.cross_entropy(judge.train()(_with_noise(waves)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % EVERY == 0:
                logits = judge_waves(judge, [one.wave for one in validation])
                truth = torch.tensor([speakers.index(one.speaker) for one in validation])
                right = (logits.argmax(1) == truth).double().mean().item()
                found = right, -F.cross_entropy(logits, truth).item()
                if found > best:
                    best = found
                    kept = {name: value.clone() for name, value in judge.state_dict().items()}
    judge.load_state_dict(kept)
    return judge


@torch.no_grad()
def judge_waves(judge: VoiceJudge, waves: Sequence[Tensor]) -> Tensor:
    """Logits of the speakers for whole utterances, (N, num_speakers)."""
    judge.eval()
    return torch.cat([judge(to_wave(to_levels(wave))[None]) for wave in waves])


def _window(speech: Tensor) -> Tensor:
    start = int(torch.randint(len(speech) - WINDOW + 1, ()))
    return speech[start : start + WINDOW]


def _with_noise(waves: Tensor) -> Tensor:
    low, high = NOISE
    below = low + (high - low) * torch.rand(len(waves), 1)
    level = waves.square().mean(1, keepdim=True).sqrt() * 10 ** (-below / 20)
    return waves + level * torch.randn_like(waves)
