"""What stands on the page of results: the paper's claims, and each thing that was measured.

The numbers come from the results files (results_told.py); none is typed in but the paper's own.
"""

from collections.abc import Callable
from typing import NamedTuple

import results_told as told

CHAPTERS = {
    1: "01_quantizer",
    2: "02_losses",
    3: "03_images",
    4: "04_likelihood",
    5: "05_collapse",
    6: "06_prior",
    7: "07_speech",
    8: "08_video",
}


class Row(NamedTuple):
    """A line of a table of results: `measured` makes the sentence from the file's content."""

    what: str
    measured: Callable[[dict], str]
    chapters: tuple[int, ...]
    file: str


class Claim(NamedTuple):
    """A line of the table of claims: `here` makes the sentence from the contents of the files."""

    paper: str
    here: Callable[..., str]
    reached: str
    chapters: tuple[int, ...]
    files: tuple[str, ...]


MAZE = "maze checkpoint, test mazes (560 frames)"
PHOTOGRAPHS = (
    "bits per dimension on a copy of CIFAR-10 saved as JPEG, test set (10,000), 12,000 steps of 16 "
    "(VIMCO 6,000); VAE and VQ-VAE: means of three seeds"
)
VOICES = (
    "voice conversion, all pairs of eight voices, 125 codes a second at 8 kHz, 32 test sentences"
)
OBEYS = "films imagined from actions: does the model obey"
QUANTIZER = (
    "the quantizer beside vector-quantize-pytorch 1.32.0, same algorithm, forward and backward, "
    "32,768 vectors, 2 cores"
)
README_ROWS = (MAZE, PHOTOGRAPHS, VOICES, OBEYS, QUANTIZER)

GROUPS = {
    "Pictures": [
        Row(MAZE, told.fidelity, (3,), "maze_checkpoint"),
        Row(
            "a copy of CIFAR-10 saved as JPEG, test set (10,000), 4000 steps on one CPU thread",
            told.fidelity,
            (3,),
            "cifar10_jpeg_copy",
        ),
        Row(
            "the same, 48 channels, 28,000 steps of 64: the photographs' model of chapter 3's page",
            told.fidelity,
            (3,),
            "photographs",
        ),
        Row(
            "PSNR of small VQ-VAEs (32 channels, 800 steps of 16) on frames of test mazes (140), "
            "beside coders",
            told.frames_by_rate,
            (3,),
            "image_rate_distortion",
        ),
        Row(
            "the same on photographs of a copy of CIFAR-10 saved as JPEG (250), from which coders, "
            "JPEG above all, gain",
            told.photographs_by_rate,
            (3,),
            "image_rate_distortion",
        ),
    ],
    "Likelihood": [
        Row(
            "bits per dimension, frames of test mazes at 32 x 32 (560), 10,000 steps of 16: means "
            "of three seeds",
            told.bits,
            (4,),
            "likelihood_maze",
        ),
        Row(PHOTOGRAPHS, told.bits, (4,), "likelihood_cifar10_copy"),
        Row(
            "bits per dimension of VQ-VAEs by size of the codebook and number of codebooks, the "
            "same frames of mazes, 10,000 steps of 16, means of three seeds",
            told.sizes,
            (4,),
            "rate_distortion",
        ),
        Row(
            "the same by the weight of the commitment, beta (K = 512, two codebooks)",
            told.betas,
            (2, 4),
            "rate_distortion",
        ),
        Row(
            "ways to models that can be sampled, frames of test mazes at 32 x 32 (560), 10,000 "
            "steps of 16: bits per dimension in all",
            told.ways,
            (6,),
            "latent_priors",
        ),
    ],
    "Latents that are used": [
        Row(
            "posterior collapse: a PixelCNN decoder that sees all, 16 x 16 grey levels, test "
            "mazes; what swapping the latents of two pictures adds to the NLL",
            told.collapse,
            (5,),
            "collapse",
        ),
        Row("the same: the usual cures, and a heavy commitment", told.cures, (5,), "collapse"),
        Row(
            "three latents, 27 bits, for the 441 codes of a frame, with a PixelCNN decoder; what "
            "swapping them adds to the NLL",
            told.second_stage,
            (5,),
            "second_stage",
        ),
    ],
    "Priors": [
        Row(
            "a PixelCNN prior over the codes of the frames' VQ-VAE, test mazes (560 frames)",
            told.prior,
            (6,),
            "prior",
        ),
        Row(
            "its samples beside decoded test frames; in brackets codes drawn by their frequencies",
            told.prior_samples,
            (6,),
            "prior_samples",
        ),
    ],
    "Speech": [
        Row(VOICES, told.conversion, (7,), "speech"),
        Row(
            "the same, trained as the paper has it: no voices in disguise",
            told.conversion,
            (7,),
            "speech_undisguised",
        ),
        Row(
            "phones from 128 codes, 25 a second, accuracy of the 41-way map on held-out sentences",
            told.phonemes,
            (7,),
            "phonemes",
        ),
    ],
    "Video": [
        Row(
            "a dynamics model over the same codes, steered by actions; six frames of "
            "a test walk seen, ten imagined (64 pieces)",
            told.ahead,
            (8,),
            "video",
        ),
        Row(OBEYS, told.obeys, (8,), "video"),
        Row("how long it holds: 72 films of 100 frames", told.drift, (8,), "video"),
        Row(
            "what a classifier sees of these films, and of films drawn all at once",
            told.classified,
            (8,),
            "video",
        ),
        Row(
            "the same, trained on for as long without errors in its past",
            told.drift,
            (8,),
            "video_no_errors",
        ),
        Row(
            "the model's guesses and those of a prior that sees no past, as one",
            told.second_opinion,
            (8,),
            "second_opinion",
        ),
        Row(
            "whether the same wall comes back, by a model with a memory: turns away and back, from "
            "43 views of test walks",
            told.turned_back,
            (8,),
            "turn_back",
        ),
    ],
    "Speed and memory": [
        Row(QUANTIZER, told.quantizer, (1,), "quantizer"),
        Row(
            "the whole VQ-VAE in the page, in WebAssembly, one thread of a headless Chromium",
            told.page_model,
            (3,),
            "page_model",
        ),
        Row(
            "sampling a map of 32 x 32 codes from a gated PixelCNN (8 layers, 64 wide), batch 16, "
            "one CPU thread",
            told.sampling,
            (6,),
            "sampling",
        ),
        Row(
            "sampling from a WaveNet (18 layers, 64 wide), two CPU threads",
            told.wavenet_sampling,
            (7,),
            "wavenet_sampling",
        ),
        Row(
            "an imagined frame in code space, two CPU threads", told.video_cost, (8,), "video_cost"
        ),
        Row(
            "VIMCO, the paper's network, batch 128, 50 samples: a training step's memory",
            told.vimco_memory,
            (4,),
            "vimco_memory",
        ),
        Row(
            "the search for the nearest codes, by size, two threads",
            told.search,
            (1,),
            "search",
        ),
        Row(
            "the same beside two processes that keep a core each busy",
            told.search,
            (1,),
            "search_busy",
        ),
        Row(
            "a training step of the paper's network in bfloat16 and channels-last, beside float32; "
            "32 images of 32 x 32, two CPU threads",
            told.training,
            (3,),
            "training",
        ),
        Row(
            "reading JPEG images of 256 x 256 at 128 x 128, one process; and listing 100,000 files",
            told.reading,
            (3,),
            "reading",
        ),
        Row(
            "files of codes of 21 x 21, written part by part, one thread",
            told.scale,
            (3,),
            "scale",
        ),
        Row(
            "the recipes' profile `paper`, VQ-VAEs with moving averages (`paper-ema`), on one GPU, "
            "in bfloat16: memory, and the hours of all steps, estimated from a few",
            told.full_size,
            (3, 4, 5, 6, 7, 8),
            "full_size",
        ),
    ],
}

CLAIMS = [
    Claim(
        "Discrete latents lose little likelihood (section 4.1). CIFAR-10, bits per dimension: VAE "
        "4.51, VQ-VAE 4.67, VIMCO 5.14",
        lambda d: f"a copy of CIFAR-10 saved as JPEG: {told.bits(d)}",
        "The order, yes. With three codes at a position our VQ-VAE is nearer to the VAE than "
        "theirs, with ten further from it; our VIMCO, with less training, is much further from it",
        (4,),
        ("likelihood_cifar10_copy",),
    ),
    Claim(
        "Results do not vary for beta from 0.1 to 2.0 (section 3.2)",
        lambda d: f"bits per dimension, frames of mazes: {told.betas(d)}",
        "If its terms are means, as ours are: yes, from 0.1 to 4, with one training each. If they "
        "are sums, its range is 0.00013 to 0.0026 in our units: no, at 0.0001 and 0.001 it costs "
        "0.2 bits and more",
        (2, 4),
        ("rate_distortion",),
    ),
    Claim(
        "ImageNet at 128 x 128 in 42.6 times fewer bits, somewhat blurred (section 4.2)",
        told.fewer_bits,
        "Yes, on mazes; of ImageNet nothing is known here",
        (3,),
        ("maze_checkpoint",),
    ),
    Claim(
        "A PixelCNN over the codes draws new pictures that look like the data (section 4.2)",
        lambda d, samples: (
            f"{told.prior(d)}. A classifier tells samples from decoded test frames in "
            f"{samples['sets']['samples']['apart']['mean']:.0%} of cases at 32 x 32, and frames of "
            f"training mazes in {samples['sets']['training']['apart']['mean']:.0%}"
        ),
        "In part: what belongs below or above is there more often than by chance, and less often "
        "than in frames",
        (6,),
        ("prior", "prior_samples"),
    ),
    Claim(
        "No posterior collapse with a decoder that needs no latents (sections 1 and 4.2)",
        lambda d: f"what swapping latents adds to the NLL: {told.collapse(d)}",
        "Yes, at the paper's weight of the commitment; with a weight some thirty times larger a "
        "VQ-VAE fell silent as well",
        (5,),
        ("collapse",),
    ),
    Claim(
        "Three latents, 27 bits, describe a frame of DeepMind Lab, and are used (section 4.2)",
        lambda d: (
            f"frames of mazes, what swapping the three adds to the NLL: {told.second_stage(d)}"
        ),
        "Yes, with each of three seeds, where the paper shows pictures",
        (5,),
        ("second_stage",),
    ),
    Claim(
        "Speech in 64 times fewer steps keeps the words and not the waveform (section 4.3)",
        lambda d: (
            f"{d['codes']['codes_a_second']:.0f} codes a second at 8 kHz, "
            f"{d['codes']['bits_a_second']} bits: a recogniser that is given the text "
            f"puts {d['words']['reconstructions']['agreement_percent']:.1f} % of the frames where "
            f"the labels have them, of the recordings' "
            f"{d['words']['real']['agreement_percent']:.1f} %, of shuffled codes' "
            f"{d['words']['shuffled']['agreement_percent']:.1f} %"
        ),
        "Yes, less clearly than in the recording",
        (7,),
        ("speech",),
    ),
    Claim(
        "Naming another speaker to the decoder converts the voice (section 4.3)",
        lambda d, plain: (
            f"a judge hears the target in {plain['voice']['named_target']:.1f} % of conversions; "
            f"with voices in disguise for the encoder, {d['voice']['named_target']:.1f} %"
        ),
        "With help that is not in the paper; without it in seven conversions out of ten",
        (7,),
        ("speech", "speech_undisguised"),
    ),
    Claim(
        "128 codes at 25 a second, found without labels, tell phonemes: 49.3 % of 41, the most "
        "likely phoneme alone 7.2 % (section 4.3)",
        told.phonemes,
        "Not by the paper's model; by one that is asked for cepstra, a little better than k-means",
        (7,),
        ("phonemes",),
    ),
    Claim(
        "A prior over the codes of LibriSpeech babbles with words in it (section 4.3)",
        lambda: "syllables and a melody, by ear; no words",
        "No: an hour of speech, and a small prior",
        (7,),
        (),
    ),
    Claim(
        "Ten frames imagined in codes follow the actions, without loss of quality (section 4.4)",
        told.obeys,
        "Follow: yes. Without loss: for ten frames by most counts, not by eye; later they drift",
        (8,),
        ("video",),
    ),
]
