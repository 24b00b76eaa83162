"""The vector quantizer: codes for vectors, the straight-through gradient, two ways to learn.

Source: van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning"
(NIPS 2017), section 3.1 (the discrete latents), 3.2 (the losses) and appendix A.1 (EMA).
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import (
    check_codes,
    check_finite,
    check_positive_int,
    check_real,
    check_tensor,
)
from vqvae_lite.codebook import (
    codes_and_scores,
    is_exporting,
    move_codes,
    restart_codes,
    track_use,
)
from vqvae_lite.modules import FullPrecision

# A gradient codebook needs no moving average to learn, only to know which codes are in use.
_GRADIENT_COUNT_DECAY = 0.99


class QuantizerOutput(NamedTuple):
    """What a quantizer returns: a `VectorQuantizer`, or another `quantizers.Quantizer`.

    Attributes:
        quantized: the chosen vectors, in the shape and dtype of z_e. Their gradient goes to
            z_e unchanged (the straight-through estimator).
        codes: int64 indices in [0, K), of shape (B, *spatial), or (B, C, *spatial) with C > 1
            codebooks.
        codebook_loss: scalar, the mean of (sg[z_e] - e)^2; 0 where no codebook learns by gradient.
        commitment_loss: scalar, the mean of (z_e - sg[e])^2, not yet weighted.
        loss: codebook_loss + commitment * commitment_loss.
    """

    quantized: Tensor
    codes: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    loss: Tensor


def straight_through(z_e: Tensor, z_q: Tensor) -> Tensor:
    """z_q in the forward pass, the gradient of z_e in the backward pass (section 3.2).

    Written so that the value is z_q to the bit, which z_e + (z_q - z_e).detach() is not.

    Args:
        z_e: floating point, any shape; receives the gradient of the result, unchanged.
        z_q: the same shape and dtype; receives none.

    Raises:
        TypeError: one is no tensor of floating point, or they have two dtypes.
        ValueError: they have two shapes.
    """
    check_tensor("z_e", z_e)
    check_tensor("z_q", z_q)
    if z_q.shape != z_e.shape:
        raise ValueError(
            f"z_q must have the shape of z_e, {tuple(z_e.shape)}, got {tuple(z_q.shape)}"
        )
    if z_q.dtype != z_e.dtype:
        raise TypeError(f"z_q must have the dtype of z_e, {z_e.dtype}, got {z_q.dtype}")
    if torch.compiler.is_compiling() or is_exporting():
        # A graph holds no function written in Python. z_e - z_e is 0: the value is z_q here too.
        return z_q.detach() + (z_e - z_e.detach())
    return _StraightThrough.apply(z_e, z_q.detach())


class _StraightThrough(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(z_e: Tensor, z_q: Tensor) -> Tensor:
        return z_q.view_as(z_q)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, none: None) -> Tensor:
        return tangent.view_as(tangent)


class _Nearest(torch.autograd.Function):
    """Rows (N, C, D) and codebooks (C, K, D) to codes (N, C), also inside `torch.func`.

    What looks at the numbers, which `torch.func` cannot follow, is in here.
    """

    @staticmethod
    def forward(rows: Tensor, books: Tensor) -> Tensor:
        codes, scores = _nearest(rows, books)
        if not torch.isfinite(scores).all():
            check_finite("z_e", rows)  # it may be: large numbers have infinite scores
        return codes

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> None:
        return None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, int | None], rows: Tensor, books: Tensor
    ) -> tuple[Tensor, int]:
        """All rows at once with one codebook, or each part with a codebook of its own."""
        size = info.batch_size
        rows = rows.expand(size, *rows.shape) if in_dims[0] is None else rows.movedim(in_dims[0], 0)
        if in_dims[1] is None:
            return _Nearest.apply(rows.flatten(0, 1), books).unflatten(0, (size, -1)), 0
        pairs = zip(rows, books.movedim(in_dims[1], 0), strict=True)
        return torch.stack([_Nearest.apply(*pair) for pair in pairs]), 0


def _nearest(rows: Tensor, books: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (N, C, D) and codebooks (C, K, D) to codes and their scores, both (N, C)."""
    found = [codes_and_scores(rows[:, c], book) for c, book in enumerate(books)]
    codes, scores = zip(*found, strict=True)
    return torch.stack(codes, 1), torch.stack(scores, 1)


class VectorQuantizer(FullPrecision):
    """Replaces each D-dimensional vector by its nearest of K learned codes (section 3.1).

    With several codebooks each takes its own slice of D channels, in order, and learns alone.

    A codebook learns in one of two ways. With `decay=None` it is a parameter that follows the
    gradient of `codebook_loss`. With a decay it is a buffer that follows moving averages of
    the vectors assigned to each code (appendix A.1), in training mode, on each forward pass:

        N_i <- decay N_i + (1 - decay) n_i,   m_i <- decay m_i + (1 - decay) sum of z_e,
        e_i = m_i / N_i.

    Only N (`count`) and e (`codebook`) are stored. m is their product by definition, so it can
    never fall out of step with them, whatever initialises or restarts a code. Under
    `torch.distributed`, n, the sums and the replacement vectors are those of all processes.

    Codes that no vector chooses are left as they are, as in the paper, unless `restart_below`
    is set: then each training pass first puts vectors of the batch, spread evenly over it, in
    the place of the codes whose average use has fallen to that share of N / K or below. No
    code has been used when training starts, so this also initialises the codebook from data.

    Everything is computed and kept in float32 or better, also under autocast and when the module,
    or a model that holds it, is cast to a half precision.

    In eval mode nothing changes: `quantizer.eval()`, after `model.train()`, freezes a codebook
    inside a model that goes on training. `requires_grad_(False)` does not: moving averages and
    restarts ask for no gradient.

    Args:
        num_codes: K, at least 1.
        code_dim: D, at least 1.
        commitment: beta of equation 3, at least 0; the paper uses 0.25.
        decay: gamma of appendix A.1, in [0, 1), or None for a codebook that learns by gradient.
        num_codebooks: C, at least 1.
        restart_below: a share in [0, 1) of the uniform use N / K; None never replaces a code,
            0 replaces only codes that were never used, which is initialisation from data.
        generator: draws the first codebook, uniform in [-1/K, 1/K]; None is torch's default.

    Attributes:
        codebook: (K, D), or (C, K, D) with C > 1 codebooks.
        count: (K,) or (C, K), the moving average of how many vectors a batch gives each code.

    Raises:
        TypeError, ValueError: for an argument outside its range.
    """

    codebook: Tensor
    count: Tensor
    passes: Tensor

    def __init__(
        self,
        num_codes: int = 512,
        code_dim: int = 64,
        *,
        commitment: float = 0.25,
        decay: float | None = 0.99,
        num_codebooks: int = 1,
        restart_below: float | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        check_positive_int(num_codes=num_codes, code_dim=code_dim, num_codebooks=num_codebooks)
        check_real(commitment=commitment)
        if not 0 <= commitment < float("inf"):
            raise ValueError(f"commitment must be finite and at least 0, got {commitment}")
        for name, value in [("decay", decay), ("restart_below", restart_below)]:
            if value is None:
                continue
            check_real(**{name: value})
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be None or in [0, 1), got {value}")
        self.num_codes = num_codes
        self.code_dim = code_dim
        self.commitment = commitment
        self.decay = decay
        self.num_codebooks = num_codebooks
        self.restart_below = restart_below

        shape = (
            (num_codes, code_dim) if num_codebooks == 1 else (num_codebooks, num_codes, code_dim)
        )
        dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
        try:
            codebook = torch.empty(shape, dtype=dtype)
        except RuntimeError as error:
            raise ValueError(f"no memory for a codebook of the shape {shape}") from error
        codebook.uniform_(-1 / num_codes, 1 / num_codes, generator=generator)
        if decay is None:
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        self.register_buffer("count", torch.zeros(shape[:-1], dtype=dtype))
        # Training passes so far: restarts begin at another row of the batch each time.
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def extra_repr(self) -> str:
        return (
            f"num_codes={self.num_codes}, code_dim={self.code_dim}, "
            f"commitment={self.commitment}, decay={self.decay}, "
            f"num_codebooks={self.num_codebooks}, restart_below={self.restart_below}"
        )

    def forward(self, z_e: Tensor) -> QuantizerOutput:
        """Quantizes z_e; in training mode also moves the EMA codebook and restarts codes.

        Args:
            z_e: (B, C * D, *spatial), floating point, with any number of spatial dimensions.

        Raises:
            TypeError: z_e is not floating point.
            ValueError: z_e has another number of channels, fewer than two dimensions, no
                elements, or a NaN or Inf in it (a RuntimeError inside `torch.compile`).
        """
        self._check_input(z_e)
        with torch.autocast(z_e.device.type, enabled=False):
            rows = self._rows(z_e)
            if self.training and self.restart_below is not None:
                check_finite("z_e", z_e)  # before a vector becomes a code
                self._restart(rows.detach(), self.restart_below)
            codes = self._nearest(rows.detach())
            z_q = self._gather(codes)
            if self.training:
                self._learn(rows.detach(), codes)

            commitment_loss = F.mse_loss(rows, z_q.detach())
            if self.decay is None:
                codebook_loss = F.mse_loss(z_q, rows.detach())
            else:
                codebook_loss = torch.zeros_like(commitment_loss)
            grid = z_e.movedim(1, -1).shape
            z_q = z_q.view(grid).movedim(-1, 1).to(z_e.dtype)
            quantized = straight_through(z_e, z_q)

        return QuantizerOutput(
            quantized,
            self._as_grid(codes, z_e),
            codebook_loss,
            commitment_loss,
            codebook_loss + self.commitment * commitment_loss,
        )

    @torch.no_grad()
    def encode(self, z_e: Tensor) -> Tensor:
        """The codes of z_e alone, as `forward` gives them in eval mode; changes nothing.

        Args and errors are those of `forward`.

        Returns:
            int64, (B, *spatial), or (B, C, *spatial) with C > 1 codebooks.
        """
        self._check_input(z_e)
        with torch.autocast(z_e.device.type, enabled=False):
            return self._as_grid(self._nearest(self._rows(z_e)), z_e)

    def lookup(self, codes: Tensor) -> Tensor:
        """The vectors that codes stand for, in the shape of z_e.

        Args:
            codes: integers in [0, K) of shape (B, *spatial), or (B, C, *spatial) with C > 1
                codebooks.

        Returns:
            (B, C * D, *spatial), of the codebook's dtype.

        Raises:
            TypeError: codes are not integers.
            ValueError: a code is out of range, or the shape has no place for the codebooks.
        """
        check_codes(codes, self.num_codes, self.num_codebooks)
        codes = codes.long()
        last = codes.movedim(1, -1) if self.num_codebooks > 1 else codes.unsqueeze(-1)
        vectors = self._gather(last)
        return vectors.flatten(-2).movedim(-1, 1)

    def _rows(self, z_e: Tensor) -> Tensor:
        """(B, C * D, *spatial) -> (B, *spatial, C * D) -> (N, C, D): a row for each position."""
        last = z_e.to(self.codebook.dtype).movedim(1, -1)
        return last.reshape(-1, self.num_codebooks, self.code_dim)

    def _nearest(self, rows: Tensor) -> Tensor:
        """(N, C, D) -> codes (N, C).

        Raises:
            ValueError: a row holds NaN or Inf. Its score tells: the rows need no look of their own.
        """
        books = self.codebook.detach().view(-1, self.num_codes, self.code_dim)
        if not torch.compiler.is_compiling() and not is_exporting():
            return _Nearest.apply(rows, books)
        codes, scores = _nearest(rows, books)
        if torch.compiler.is_compiling():
            # A Python branch on data would break the graph.
            finite = torch.isfinite(scores).all()
            torch.ops.aten._assert_async.msg(finite, "z_e contains NaN or Inf")
        return codes

    def _gather(self, codes: Tensor) -> Tensor:
        """(..., C) -> (..., C, D), by one lookup in the codebooks laid end to end."""
        starts = torch.arange(self.num_codebooks, device=codes.device) * self.num_codes
        return F.embedding(codes + starts, self.codebook.view(-1, self.code_dim))

    def _as_grid(self, codes: Tensor, z_e: Tensor) -> Tensor:
        """(N, C) -> (B, *spatial), or (B, C, *spatial) with several codebooks."""
        grid = codes.view(z_e.shape[0], *z_e.shape[2:], self.num_codebooks).movedim(-1, 1)
        return grid if self.num_codebooks > 1 else grid.squeeze(1)

    def _check_input(self, z_e: Tensor) -> None:
        channels = self.num_codebooks * self.code_dim
        check_tensor("z_e", z_e)
        if z_e.ndim < 2 or z_e.shape[1] != channels:
            raise ValueError(
                f"z_e must have the shape (B, {channels}, *spatial) for {self.num_codebooks} "
                f"codebook(s) of {self.code_dim} dimensions, got {tuple(z_e.shape)}"
            )
        if z_e.numel() == 0:
            raise ValueError(f"z_e must not be empty, got the shape {tuple(z_e.shape)}")

    @torch.no_grad()
    def _learn(self, rows: Tensor, codes: Tensor) -> None:
        """Moves the EMA codebook; a gradient codebook has only its use tracked."""
        self.passes += 1
        decay = _GRADIENT_COUNT_DECAY if self.decay is None else self.decay
        for c in range(self.num_codebooks):
            codebook, count = self._views(c)
            used = track_use(count, codes[:, c], decay)
            if self.decay is not None:
                move_codes(codebook, count, rows[:, c], codes[:, c], used, decay)

    @torch.no_grad()
    def _restart(self, rows: Tensor, share: float) -> None:
        for c in range(self.num_codebooks):
            codebook, count = self._views(c)
            restart_codes(codebook, count, rows[:, c], share, self.passes)

    def _views(self, index: int) -> tuple[Tensor, Tensor]:
        """Codebook and count number `index`, as views that write through."""
        if self.num_codebooks == 1:
            return self.codebook.detach(), self.count
        return self.codebook.detach()[index], self.count[index]
