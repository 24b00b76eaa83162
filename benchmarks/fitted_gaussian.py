"""A learned prior for a VAE, the simplest: one Gaussian over all latents of a picture."""

import torch
from torch import Tensor


class FittedGaussian:
    """A Gaussian with the moments that the VAE's latents have over the training frames.

    Args:
        means: of the posteriors, (N, latents, h, w).
        log_variances: the same shape.
    """

    def __init__(self, means: Tensor, log_variances: Tensor):
        self.shape = means.shape[1:]
        self.mean = means.flatten(1).double().mean(0)
        own = log_variances.flatten(1).double().exp().mean(0)
        self.full = torch.cov(means.flatten(1).double().T) + own.diag()
        self.shrink(0.0)

    def shrink(self, share: float) -> None:
        """Takes away a share of all correlations."""
        covariance = (1 - share) * self.full + share * self.full.diag().diag()
        self.factor = torch.linalg.cholesky(covariance)

    def kl(self, means: Tensor, log_variances: Tensor) -> Tensor:
        """KL(posterior || this), in nats: (B,)."""
        inverse = torch.cholesky_inverse(self.factor)
        offset = means.flatten(1).double() - self.mean
        log_variances = log_variances.flatten(1).double()
        quadratic = (offset @ inverse * offset).sum(1)
        trace = log_variances.exp() @ inverse.diag()
        log_det = 2 * self.factor.diag().log().sum() - log_variances.sum(1)
        return 0.5 * (quadratic + trace + log_det - offset.shape[1])

    def sample(self, count: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, len(self.mean), generator=generator, dtype=torch.float64)
        return (self.mean + noise @ self.factor.T).float().view(count, *self.shape)
