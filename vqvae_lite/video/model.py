"""A dynamics model in code space: the codes of a frame, given those before it and the actions.

After section 4.4, where frames follow from a few first ones and from actions, never going back to
pixels. A network looks at the last few maps of codes and at what was done, and says what it found
for each position. A gated PixelCNN is conditioned on that and draws the map of the next frame code
by code, so that its parts agree and nothing is averaged; or every code is drawn at once, from the
past alone, which is faster, and shows what the order is for.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vqvae_lite.checks import check_classes, check_codes, check_positive_int, config_or_default
from vqvae_lite.modules import evaluating, with_float64
from vqvae_lite.priors.drawing import check_sharpness, draw, generator_for
from vqvae_lite.priors.layers import CodeHead
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNOutput
from vqvae_lite.video.memory import same_view
from vqvae_lite.video.past import Past, VideoConfig

HEAD_START = 0.1  # of the last weights, so that the first predictions are nearly uniform


class VideoOutput(NamedTuple):
    """What a `VideoPrior` returns.

    Attributes:
        log_prob: of each frame after the first given those before it, in nats: (B, T - 1).
        loss: nats per code, the mean over all of these; a scalar.
    """

    log_prob: Tensor
    loss: Tensor


class AtOnce(nn.Module):
    """All codes of a frame from the past alone, as if none of them knew of the others.

    It is called, and sampled from, as a `GatedPixelCNN` with a condition is.
    """

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.head = CodeHead(config.num_codes, config.width)

    def forward(self, codes: Tensor, condition: Tensor) -> PixelCNNOutput:
        """See `GatedPixelCNN.forward`."""
        logits = self.logits(condition)
        log_prob = -F.cross_entropy(logits, codes.long(), reduction="none").flatten(1).sum(1)
        return PixelCNNOutput(logits, log_prob, -log_prob.sum() / codes.numel())

    def logits(self, condition: Tensor) -> Tensor:
        """(B, K, H, W) from features (B, width, H, W)."""
        batch, _, height, width = condition.shape
        features = condition.permute(0, 2, 3, 1).flatten(0, 2)
        logits = self.head(features, features.new_empty(1, len(features)))[0]
        return logits.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def sample(
        self, condition: Tensor, temperature: float, top_k: int | None, seed: int | None
    ) -> Tensor:
        """int64 (B, H, W); the arguments are those of `GatedPixelCNN.sample`."""
        generator = generator_for(self, condition.device, seed)
        logits = self.logits(condition).permute(0, 2, 3, 1)
        drawn = draw(logits.flatten(0, 2), temperature, top_k, generator)
        return drawn.view(logits.shape[:3])


class VideoPrior(nn.Module):
    """p(codes of frame t | codes of the frames before it, actions up to it), frame by frame.

    Args:
        config: see `VideoConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "video"  # what checkpoints call it

    def __init__(self, config: VideoConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, VideoConfig)
        self.past = Past(config)
        self.frame = GatedPixelCNN(config.pixelcnn) if config.num_layers else AtOnce(config)

    @torch.no_grad()
    def start_from(self, codebook: Tensor) -> None:
        """Gives codes that look alike like vectors and like weights, before any training.

        Nothing in a code's number tells what it looks like, and to learn it from numbers alone
        takes long. So every vector, and every code's column of weights at the end, starts as the
        principal components of the codebook.

        Args:
            codebook: (K, D), of the VQ-VAE whose codes these are.

        Raises:
            ValueError: it has another shape.
        """
        if codebook.ndim != 2 or len(codebook) != self.config.num_codes:
            raise ValueError(
                f"codebook must have the shape ({self.config.num_codes}, D), "
                f"got {tuple(codebook.shape)}"
            )
        tables = [self.past.embedding.weight[:-1], self.frame.head.weight[0].t()]
        if isinstance(self.frame, GatedPixelCNN):
            tables.append(self.frame.embedding.weight)
        u, s, _ = torch.linalg.svd(codebook - codebook.mean(0), full_matrices=False)
        for table in tables:
            components = (u * s)[:, : table.shape[1]]
            table.zero_()
            table[:, : components.shape[1]] = components / components.square().mean().sqrt()
        self.frame.head.weight.mul_(HEAD_START)

    def forward(self, codes: Tensor, actions: Tensor | None = None) -> VideoOutput:
        """Log-likelihood of every frame after the first, all at once.

        In training mode with `config.own_draws`, given a past that errs: what is judged are the
        true codes all the same.

        Args:
            codes: integers in [0, K), (B, T, H, W), T at least 2.
            actions: integers in [0, num_actions), (B, T - 1): what was done between two frames.
                None for a model without actions.

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        errs = self.training and self.config.own_draws > 0
        past = self._past_that_errs(codes, actions) if errs else codes
        return self._from(1, codes, actions, past)

    def log_prob(self, codes: Tensor, actions: Tensor | None = None, first: int = 1) -> Tensor:
        """Log p(frames from `first` on | those before), in nats: float64 (B,).

        In eval mode, whatever mode it is in, and without the work of the frames before.

        Args:
            codes: as for `forward`.
            actions: as for `forward`.
            first: from 1 to T - 1, of the frames that are judged; T - 1 judges the last alone.

        Raises:
            TypeError, ValueError: as `forward`.
        """
        with evaluating(self):
            log_prob = with_float64(self._from(first, codes, actions, codes).log_prob)
            return log_prob.sum(1, dtype=torch.float64)

    @torch.no_grad()
    def sample(
        self,
        codes: Tensor,
        frames: int,
        actions: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws the next frames one after another, without a look at any pixel (section 4.4).

        In eval mode; the model is given back in the mode it was in.

        Args:
            codes: integers in [0, K), (B, T, H, W): the frames seen, T at least 1.
            frames: how many to draw, N.
            actions: integers in [0, num_actions), (B, T - 1 + N): between the frames seen, and then
                those to follow. None for a model without actions.
            temperature: see `GatedPixelCNN.sample`.
            top_k: see `GatedPixelCNN.sample`.
            seed: decides the sample, together with all other arguments.
            progress: whether to show a bar with the time left.

        Returns:
            int64 (B, N, H, W).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        check_positive_int(frames=frames)
        self._check(codes, actions, codes.shape[1] - 1 + frames if codes.ndim == 4 else 0)
        check_sharpness(temperature, top_k, self.config.num_codes)
        film = codes.long()
        with evaluating(self):
            for step in tqdm(range(frames), unit="frame", disable=not progress):
                length = film.shape[1]
                before = None if actions is None else actions[:, :length]
                condition = self._look(length, film, before)
                sharpness = {
                    "temperature": temperature,
                    "top_k": top_k,
                    "seed": None if seed is None else seed * 1_000_003 + step,
                }
                if isinstance(self.frame, AtOnce):
                    drawn = self.frame.sample(condition, **sharpness)
                else:
                    drawn = self.frame.sample(
                        codes.shape[2:],
                        batch=len(codes),
                        condition=condition,
                        progress=False,
                        **sharpness,
                    )
                film = torch.cat([film, drawn[:, None]], 1)
        return film[:, -frames:]

    @torch.no_grad()
    def _past_that_errs(self, codes: Tensor, actions: Tensor | None) -> Tensor:
        """A film (B, T, H, W) as given, but for a share of its codes after the first frame.

        These are drawn, each given the true past and the true codes before it in its frame.
        """
        with evaluating(self):
            self._check(codes, actions, codes.shape[1] - 1 if codes.ndim == 4 else 0)
            condition = self._look(1, codes[:, :-1], actions)
            logits = self.frame(codes[:, 1:].flatten(0, 1), condition=condition).logits
        # The largest of logits with Gumbel noise is a draw from their softmax.
        drawn = (logits - torch.empty_like(logits).exponential_().log()).argmax(1)
        share = self.config.own_draws * torch.rand(len(codes), 1, 1, 1, device=codes.device)
        replaced = torch.rand(codes[:, 1:].shape, device=codes.device) < share
        later = torch.where(replaced, drawn.view_as(replaced), codes[:, 1:].long())
        return torch.cat([codes[:, :1].long(), later], 1)

    def _from(self, first: int, codes: Tensor, actions: Tensor | None, past: Tensor) -> VideoOutput:
        """What `forward` gives, for the frames from `first` on alone, after this past."""
        self._check(codes, actions, codes.shape[1] - 1 if codes.ndim == 4 else 0)
        frames = codes.shape[1]
        if frames < 2:
            raise ValueError(f"codes must have at least 2 frames, got {frames}")
        check_positive_int(first=first)
        if first >= frames:
            raise ValueError(f"first must be below {frames}, the frames; got {first}")
        condition = self._look(first, past[:, :-1], actions)
        out = self.frame(codes[:, first:].flatten(0, 1), condition=condition)
        return VideoOutput(out.log_prob.view(len(codes), -1), out.loss)

    def _look(self, first: int, codes: Tensor, actions: Tensor | None) -> Tensor:
        """Features of the frames from `first` to T, the one after the last.

        Args:
            first: from 1 to T.
            codes: (B, T, H, W).
            actions: (B, T), after each of these frames, or None.

        Returns:
            (B * (T - first + 1), width, H, W).
        """
        history = self.config.history
        # Frame `first` is predicted from as many before it: where there are fewer, empty ones
        # stand for them, at which no action is known.
        start, empty = max(0, first - history), max(0, history - first)
        last = F.pad(codes[:, start:].long(), (0, 0, 0, 0, empty, 0), value=self.config.num_codes)
        windows = last.unfold(1, history, 1).movedim(-1, 2)
        if actions is not None:
            if self.config.turns:
                remembered = self._remember(first, codes, actions)
                windows = torch.cat([windows, remembered[:, :, None]], 2)
            actions = actions[:, start:].long()
            actions = F.pad(actions, (empty, 0), value=self.config.num_actions)
            actions = actions.unfold(1, history, 1).flatten(0, 1)
        return self.past(windows.flatten(0, 1), actions)

    def _remember(self, first: int, codes: Tensor, actions: Tensor) -> Tensor:
        """For the frames that `_look` is asked for, the last of the same view, K for none.

        Returns:
            int64 (B, T - first + 1, H, W).
        """
        seen = same_view(actions.long(), self.config.turns, self.config.circle, first)
        films = torch.arange(len(codes), device=codes.device)[:, None]
        maps = codes[films, seen.clamp(min=0)].long()
        return torch.where(seen[:, :, None, None] < 0, self.config.num_codes, maps)

    def _check(self, codes: Tensor, actions: Tensor | None, length: int) -> None:
        """Raises TypeError or ValueError unless codes and `length` actions fit the model."""
        check_codes(codes, self.config.num_codes)
        if codes.ndim != 4 or not codes.numel():
            shape = tuple(codes.shape)
            raise ValueError(
                f"codes must have the shape (B, T, H, W) and not be empty, got {shape}"
            )
        if (actions is None) != (self.config.num_actions is None):
            wanted = "None" if self.config.num_actions is None else "given"
            raise ValueError(f"actions must be {wanted}: see config")
        if actions is not None and self.config.num_actions is not None:
            check_classes("actions", actions, (len(codes), length), self.config.num_actions)
