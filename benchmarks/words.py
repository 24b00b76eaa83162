"""Are the words still there? What pocketsphinx makes of a sound and a text.

It aligns the text's phones with the sound: each frame of 10 ms is given to one phone, in their
order, such that its acoustic model finds the whole as likely as it can. Three things are taken:

- the fit: log p(frame | aligned phone), the mean over the frames, in nats, less what the state of
  the model that fits the frame best would give. So 0 would be the best sound there can be, and it
  falls with all that is wrong: words, but also noise and an unusual voice.
- the lead of the right text: by how many nats a frame it fits better than the text of another
  sentence of about the same length. What a sound lacks in quality it lacks for both, so this tells
  about the words; and its 0 means something: the two texts fit equally well. A ratio of two leads
  can be quoted therefore, while one of two fits could not.
- agreement: the share of frames that are given to the phone that the labels of the original have
  there. Knowing the text helps a great deal: it must be compared with what shuffled codes get.
"""

import math
import sys
from typing import NamedTuple

import numpy as np
import pocketsphinx
from record import ROOT
from torch import Tensor

sys.path.insert(0, str(ROOT / "data" / "speech"))

from align import EXTRA_WORDS, SILENCES, spell_out

from vqvae_lite.sound.files import RATE, Utterance
from vqvae_lite.sound.measures import FRAME_HOP
from vqvae_lite.sound.speech import PHONES, frame_phones

# The model's scores are in powers of 1.0001, and of these it gives the whole 1024ths.
NATS = 1024 * math.log(1.0001)
BEAM = 1e-250  # how unlikely a start is kept: with its own beam, wrong texts fail to align
AX, AH = PHONES.index("ax"), PHONES.index("ah")  # one phone for the aligner


class Fit(NamedTuple):
    """What an alignment says; see above.

    Attributes:
        nats: a frame, at most 0.
        agreement: with the labels, in [0, 1].
    """

    nats: float
    agreement: float


class Listener:
    """pocketsphinx with its American English model."""

    def __init__(self):
        self._decoder = _make_decoder()

    def fit(self, wave: Tensor, text: str, labels: Utterance) -> Fit | None:
        """How a text fits a sound; None where it cannot be aligned at all.

        Args:
            wave: (T,) at 16 kHz.
            text: English, of words that the dictionary has.
            labels: the utterance whose phones are the true ones.
        """
        sound = np.round(wave.clamp(-1, 1).numpy() * (2**15 - 1)).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(" ".join(spell_out(text)))
            self._hear(sound)
            if self._decoder.hyp() is None:
                return None
            self._decoder.set_alignment()
            self._hear(sound)
            segments = [segment for word in self._decoder.get_alignment() for segment in word]
        except RuntimeError:
            self._decoder = _make_decoder()  # it is of no use after an error
            return None
        frames = sum(segment.duration for segment in segments)
        found = np.full(frames, -1)
        for segment in segments:
            name = "pau" if segment.name in SILENCES else segment.name.lower()
            found[segment.start : segment.start + segment.duration] = PHONES.index(name)
        true = frame_phones(labels.phones, frames, FRAME_HOP / RATE).numpy()
        true = np.where(true == AX, AH, true)
        score = sum(segment.score for segment in segments) * NATS / frames
        return Fit(score, float((found == true)[true >= 0].mean()))

    def _hear(self, sound: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(sound, full_utt=True)
        self._decoder.end_utt()


def _make_decoder() -> pocketsphinx.Decoder:
    # A score is relative to the best of the states that were looked at. With compallsen these are
    # all; else they would be those of the text, and the fits of two texts could not be compared.
    decoder = pocketsphinx.Decoder(
        samprate=RATE,
        lm=None,
        loglevel="FATAL",
        bestpath=False,
        compallsen=True,
        beam=BEAM,
        pbeam=BEAM,
        wbeam=BEAM,
    )
    for word, sounds in EXTRA_WORDS.items():
        decoder.add_word(word, sounds, True)
    return decoder
