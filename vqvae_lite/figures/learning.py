"""A codebook of the plane while it learns: what is recorded, and the figure that replays it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from vqvae_lite.figures.page import InteractiveFigure, pack, rounded
from vqvae_lite.figures.plots import COLORS
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.quantizer import VectorQuantizer

# Much happens right after the data change, and little later: each of the first steps is kept,
# then every fourth.
_EVERY_STEP_UNTIL, _THEN_EVERY = 20, 4

PER_UNIT = 1000  # places are sent to the page as whole thousandths


class State(NamedTuple):
    """How well a codebook stands for data, all of it and not a batch.

    Attributes:
        perplexity: of the codes chosen, in [1, K].
        used: how many codes are chosen at least once.
        distortion: mean squared distance from a vector to its code, in squared latent units.
    """

    perplexity: float
    used: int
    distortion: float


class History(NamedTuple):
    """A codebook at T moments of its training.

    Attributes:
        steps: T step numbers, from 0, the untrained codebook, to the last.
        codebooks: (T, K, D).
        states: T states, each on the data that were current at that moment.
    """

    steps: list[int]
    codebooks: Tensor
    states: list[State]


@torch.no_grad()
def measure(vq: VectorQuantizer, vectors: Tensor) -> State:
    """The state of a quantizer on vectors (N, D); changes nothing."""
    codes = vq.encode(vectors)
    usage = CodeUsage(vq.num_codes)
    usage.update(codes)
    distortion = (vectors - vq.lookup(codes)).square().sum(1).mean()
    return State(usage.perplexity, int((usage.counts > 0).sum()), distortion.item())


def learn(
    vq: VectorQuantizer,
    phases: Sequence[Tensor],
    *,
    steps: int,
    learning_rate: float = 0.5,
    batch_size: int = 64,
    generator: torch.Generator | None = None,
) -> History:
    """Trains the codebook alone, on vectors that stand still within a phase.

    Args:
        vq: with one codebook; a gradient codebook is moved by plain gradient descent.
        phases: the vectors of each phase, (N, D).
        steps: training steps in each phase, at least 1.
        learning_rate: of the gradient codebook; an EMA codebook has no use for it.
        batch_size: vectors drawn at random for a step.
        generator: draws the batches; None is torch's default.

    Raises:
        ValueError: there are no phases, or a number is below 1.
    """
    if not phases or steps < 1 or batch_size < 1:
        raise ValueError(
            f"expected a phase, a step and a vector at least, got {len(phases)} phases, "
            f"steps {steps}, batch_size {batch_size}"
        )
    by_gradient = vq.decay is None
    optimizer = torch.optim.SGD(vq.parameters(), learning_rate) if by_gradient else None
    kept, codebooks, states = [], [], []

    def keep(step: int, vectors: Tensor) -> None:
        kept.append(step)
        codebooks.append(vq.codebook.detach().clone())
        states.append(measure(vq, vectors))

    for phase, vectors in enumerate(phases):
        for step in range(steps):
            if step <= _EVERY_STEP_UNTIL or step % _THEN_EVERY == 0:
                keep(phase * steps + step, vectors)
            rows = torch.randint(len(vectors), (batch_size,), generator=generator)
            loss = vq(vectors[rows]).loss
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    keep(len(phases) * steps, phases[-1])
    return History(kept, torch.stack(codebooks), states)


def draw_codebook(axis: Axes, vectors: Tensor, codebook: Tensor, *, limit: float = 3.0) -> Axes:
    """Vectors joined to their codes; codes that no vector chooses are crosses.

    Args:
        axis: where to draw.
        vectors: (N, 2).
        codebook: (K, 2).
        limit: the square shown reaches from -limit to limit on both axes.
    """
    codes = torch.cdist(vectors, codebook).argmin(1)
    spokes = torch.stack([vectors, codebook[codes]], 1)
    axis.plot(*spokes.permute(2, 1, 0).numpy(), color=COLORS["sky"], linewidth=0.4, zorder=1)
    axis.scatter(*vectors.T, s=3, color="0.45", zorder=2)
    used = torch.zeros(len(codebook), dtype=torch.bool)
    used[codes] = True
    axis.scatter(*codebook[used].T, s=45, color=COLORS["blue"], edgecolor="white", zorder=4)
    axis.scatter(*codebook[~used].T, s=50, color=COLORS["vermilion"], marker="X", zorder=3)
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.set(xlabel="first component", ylabel="second component")
    return axis


def replay_learning(
    phases: Sequence[Tensor],
    histories: Mapping[tuple[str, str], History],
    *,
    news: Sequence[str],
    limit: float = 3.0,
) -> InteractiveFigure:
    """Codes finding data in the plane, to play, to step through and to compare.

    Args:
        phases: the vectors of each phase, (N, 2), with one N.
        histories: what `learn` recorded on these phases, for each pair (how the codebook learns,
            what is done about dead codes); all combinations, with the same steps.
        news: for each phase, what has just happened to the data.
        limit: the square shown reaches from -limit to limit on both axes.

    Raises:
        ValueError: a combination is missing, or the histories were recorded at different steps.
    """
    rules, cares = (list(dict.fromkeys(names)) for names in zip(*histories, strict=True))
    missing = [(rule, care) for rule in rules for care in cares if (rule, care) not in histories]
    if missing:
        raise ValueError(f"histories must hold every combination, {missing[0]} is missing")
    steps = histories[rules[0], cares[0]].steps
    if any(history.steps != steps for history in histories.values()):
        raise ValueError("histories must all be recorded at the same steps")
    data = {
        "steps": steps,
        "limit": limit,
        "unit": PER_UNIT,
        "phases": [pack_places(vectors) for vectors in phases],
        "news": list(news),
        "rules": rules,
        "cares": cares,
        "runs": [
            {
                "rule": rules.index(rule),
                "care": cares.index(care),
                "codebooks": pack_places(history.codebooks),
                "states": rounded(history.states, 3),
            }
            for (rule, care), history in histories.items()
        ],
    }
    count = len(histories[rules[0], cares[0]].codebooks[0])
    return InteractiveFigure(
        "learning",
        data,
        title="Codes finding the data, step by step",
        description=(
            f"A plane with {len(phases[0])} data points and {count} codes that move as they are "
            f"trained, for {steps[-1]} steps. Buttons choose how the codebook learns and what is "
            "done about dead codes; a slider, a play button and the arrow keys choose the step."
        ),
        still=_still(phases[-1], histories, rules, cares, limit),
        height=760,
        click="#play",
        key="#step|ArrowRight",
    )


def pack_places(places: Tensor) -> dict:
    """Places of the plane, (..., 2), as `pack` gives them in whole parts of `PER_UNIT`."""
    return pack((places * PER_UNIT).round(), "int16")


def _still(vectors, histories, rules, cares, limit):
    figure, axes = plt.subplots(
        len(rules), len(cares), figsize=(7.2, 5.2), sharex=True, sharey=True, squeeze=False
    )
    for row, rule in zip(axes, rules, strict=True):
        for axis, care in zip(row, cares, strict=True):
            history = histories[rule, care]
            draw_codebook(axis, vectors, history.codebooks[-1], limit=limit)
            axis.set_title(f"{rule}, {care}:\n{history.states[-1].used} codes used", fontsize=9)
            axis.label_outer()
    return figure
