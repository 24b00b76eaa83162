"""When each phone of a recording with a known text is spoken: pocketsphinx's forced alignment."""

import re

import numpy as np
import pocketsphinx

from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.labels import Phone

STEP = 0.01  # seconds a frame of the aligner
# Words of the prompts that its dictionary lacks, slips of the transcripts among them.
EXTRA_WORDS = {
    "backtick": "B AE K T IH K",
    "caret": "K EH R AH T",
    "dahdi": "D AA D IY",
    "decending": "D IH S EH N D IH NG",
    "digium": "D IH JH IY AH M",
    "forevermore": "F ER EH V ER M AO R",
    "fourtieth": "F AO R T IY AH TH",
    "iax": "AY EY EH K S",
    "indentified": "AY D EH N T AH F AY D",
    "ivr": "AY V IY AA R",
    "lowercase": "L OW ER K EY S",
    "mgcp": "EH M JH IY S IY P IY",
    "pbx": "P IY B IY EH K S",
    "prepend": "P R IY P EH N D",
    "prepending": "P R IY P EH N D IH NG",
    "represenatives": "R EH P R IH Z EH N T AH T IH V Z",
    "rerecord": "R IY R IH K AO R D",
    "semicolon": "S EH M IY K OW L AH N",
    "touchtone": "T AH CH T OW N",
    "umute": "AH N M Y UW T",
    "undelete": "AH N D IH L IY T",
    "undeleted": "AH N D IH L IY T IH D",
    "unistim": "Y UW N IH S T IH M",
    "unmute": "AH N M Y UW T",
    "unmuted": "AH N M Y UW T IH D",
    "uppercase": "AH P ER K EY S",
    "waldo's": "W AA L D OW Z",
    "witheld": "W IH TH HH EH L D",
    "www": "D AH B AH L Y UW D AH B AH L Y UW D AH B AH L Y UW",
    "xray": "EH K S R EY",
}
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
KEYS = {"*": "star", "#": "pound"}  # of a telephone
SILENCES = ("SIL", "+NSN+", "+SPN+")


class Aligner:
    """The American English model that comes with pocketsphinx, and its dictionary."""

    def __init__(self):
        self._decoder = _make_decoder()

    def align(self, samples: np.ndarray, text: str) -> tuple[Phone, ...]:
        """The phones of a recording, without a gap from its start to its end; () where none fit.

        Symbols are in lower case and those of flite, but for its "ax", which is "ah" here.
        """
        words = spell_out(text)
        if not words or any(self._decoder.lookup_word(word) is None for word in words):
            return ()
        sound = np.round(samples * (2**15 - 1)).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(" ".join(words))
            self._hear(sound)
            if self._decoder.hyp() is None:
                return ()
            self._decoder.set_alignment()
            self._hear(sound)
            found = [
                (segment.start, segment.duration, segment.name)
                for word in self._decoder.get_alignment()
                for segment in word
            ]
        except RuntimeError:
            self._decoder = _make_decoder()  # it is of no use after an error
            return ()
        length, phones = len(samples) / RATE, []
        for start, duration, name in found:
            phone = "pau" if name in SILENCES else name.lower()
            end = min(round((start + duration) * STEP, 3), length)
            if phones and phones[-1].phone == phone == "pau":
                phones[-1] = phones[-1]._replace(end=end)
            elif start * STEP < end:
                phones.append(Phone(round(start * STEP, 3), end, phone))
        if phones and phones[-1].end < length:  # the frames stop short of the end
            phones[-1] = phones[-1]._replace(end=length)
        return tuple(phones)

    def _hear(self, sound: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(sound, full_utt=True)
        self._decoder.end_utt()


def _make_decoder() -> pocketsphinx.Decoder:
    # Without bestpath=False every fifth prompt fails to align.
    decoder = pocketsphinx.Decoder(samprate=RATE, lm=None, loglevel="FATAL", bestpath=False)
    for word, sounds in EXTRA_WORDS.items():
        decoder.add_word(word, sounds, True)
    return decoder


def spell_out(text: str) -> list[str]:
    """The words of a text in lower case; numbers below 100 whole, larger ones digit by digit."""
    text = re.sub(r"(\d)\.(\d)", r"\1 point \2", text)
    text = re.sub(r"[*#]", lambda match: f" {KEYS[match.group()]} ", text)
    text = re.sub(r"\d+", lambda match: f" {_say(match.group())} ", text)
    return re.sub(r"[^a-z' ]+", " ", text.lower()).split()


def _say(digits: str) -> str:
    number = int(digits)
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {ONES[number % 10]}" if number % 10 else "")
    return " ".join(ONES[int(digit)] for digit in digits)
