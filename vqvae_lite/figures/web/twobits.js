// Two pixels that are always equal, as a VAE and as a VQ-VAE with two codes: all costs in nats, and
// training by plain gradient descent. White is 1 and black is -1; by symmetry white says it all.
VQ.twoBits = (function () {
  "use strict";
  const REACH = 6, POINTS = 121;
  const noise = Float64Array.from({ length: POINTS }, (_, i) => -REACH + (2 * REACH * i) / (POINTS - 1));
  const density = noise.map((e) => Math.exp(-0.5 * e * e));
  const total = density.reduce((sum, p) => sum + p, 0);
  const weight = density.map((p) => p / total);
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  // The doubt about the bit after z, whose odds the decoder gives as exp(a z), and its gradients.
  function doubt(mu, sigma, a) {
    const found = { value: 0, mu: 0, sigma: 0, a: 0 };
    for (let i = 0; i < POINTS; i++) {
      const z = mu + sigma * noise[i], wrong = sigmoid(-a * z) * weight[i];
      found.value += weight[i] * softplus(-a * z);
      found.mu -= a * wrong;
      found.sigma -= a * noise[i] * wrong;
      found.a -= z * wrong;
    }
    return found;
  }

  const price = (mu, sigma) => 0.5 * (mu * mu + sigma * sigma - 1) - Math.log(sigma);
  // With the best decoder for this posterior, whose odds are those of two Gaussians.
  const cost = (mu, sigma, { kl, sees }) =>
    kl * price(mu, sigma) + (2 - sees) * doubt(mu, sigma, (2 * mu) / (sigma * sigma)).value;

  // model: {mu, logSigma, a}. One step downhill on kl KL + (2 - sees) doubt.
  function stepVae({ mu, logSigma, a }, { kl, sees, rate }) {
    const sigma = Math.exp(logSigma), d = doubt(mu, sigma, a), pays = 2 - sees;
    return {
      mu: mu - rate * (kl * mu + pays * d.mu),
      logSigma: logSigma - rate * (kl * (sigma * sigma - 1) + pays * d.sigma * sigma),
      a: a - rate * pays * d.a,
    };
  }

  // model: {mu, code, a}: white's output, the code nearest to it (the other is -code), the decoder.
  // The gradient at the code is copied to the output; codebook and commitment losses as in chapter 2.
  function stepVq({ mu, code, a }, { sees, rate, beta }) {
    const chosen = nearest(mu, code), pays = 2 - sees, wrong = sigmoid(-a * chosen);
    const side = Math.sign(chosen) === Math.sign(code) ? 1 : -1; // which of the two codes it is
    return {
      mu: mu - rate * (-pays * a * wrong + 2 * beta * (mu - chosen)),
      code: code - rate * side * 2 * (chosen - mu),
      a: a - rate * -pays * chosen * wrong,
    };
  }
  const nearest = (mu, code) => (Math.abs(mu - code) <= Math.abs(mu + code) ? code : -code);

  // What each costs and knows. A VQ-VAE's price is log 2, whatever its code says.
  function lookVae(model, { kl, sees }) {
    const sigma = Math.exp(model.logSigma), exact = doubt(model.mu, sigma, (2 * model.mu) / (sigma * sigma)).value;
    const paid = price(model.mu, sigma), pixels = (2 - sees) * doubt(model.mu, sigma, model.a).value;
    return { price: paid, pixels, cost: kl * paid + pixels, knows: Math.log(2) - exact };
  }
  function lookVq(model, { sees }) {
    const pixels = (2 - sees) * softplus(-model.a * nearest(model.mu, model.code));
    const tells = model.mu !== 0 && model.code !== 0; // white and black get two codes
    return { price: Math.log(2), pixels, cost: Math.log(2) + pixels, knows: tells ? Math.log(2) : 0 };
  }

  return { cost, stepVae, stepVq, lookVae, lookVq };
})();
