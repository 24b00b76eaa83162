"""What is said of each results file on the page of results: its numbers in a sentence."""

from itertools import pairwise


def fidelity(d: dict) -> str:
    test = d["test"]
    return (
        f"PSNR {test['psnr']:.2f} dB, SSIM {test['ssim']:.3f}, {test['fraction_used']:.0%} of the "
        f"codes used, perplexity {test['perplexity']:.0f}; {test['bits_per_image']:.0f} bits "
        f"instead of {test['raw_bits_per_image']:.0f}"
    )


def psnr_in(points: list[dict], size: float, counted: str = "bytes") -> float:
    """A coder's mean PSNR in so many bytes a picture, on the line between two of its qualities."""
    pairs = [(point[counted], point["psnr"]) for point in points]
    for (low, first), (high, second) in pairwise(pairs):
        if low <= size <= high:
            return first + (second - first) * (size - low) / (high - low)
    raise ValueError(f"no quality comes to {size} bytes")


def frames_by_rate(d: dict) -> str:
    models, coders = d["frames"]["models"], d["frames"]["coders"]
    psnr = {name: model["test"]["psnr"] for name, model in models.items()}
    seeds = [psnr[name] for name in ("K=512", "K=512, seed 1", "K=512, seed 2")]
    size = models["K=512"]["test"]["bits"] / 8
    whole = ", ".join(f"{name} {psnr_in(points, size):.1f}" for name, points in coders.items())
    bare = ", ".join(
        f"{psnr_in(points, size, 'bytes_without_headers'):.1f}" for points in coders.values()
    )
    return (
        f"K = 16, 64, 512, 2048: {psnr['K=16']:.1f}, {psnr['K=64']:.1f}, {psnr['K=512']:.1f}, "
        f"{psnr['K=2048']:.1f} dB (three seeds of K = 512: {min(seeds):.2f} to {max(seeds):.2f}); "
        f"the same network without a quantizer {psnr['no quantizer']:.1f}; codebook by gradient "
        f"{psnr['by gradient']:.1f}; maps of 11 x 11 and 42 x 42 {psnr['map 11x11']:.1f} and "
        f"{psnr['map 42x42']:.1f}. In the {size:.0f} bytes of K = 512: {whole} (headers and tables "
        f"not counted: {bare}), the checkpoint of chapter 3 "
        f"{d['frames']['checkpoint']['test']['psnr']:.1f}"
    )


def photographs_by_rate(d: dict) -> str:
    models, coders = d["photographs"]["models"], d["photographs"]["coders"]
    told = []
    for side in (8, 16):
        psnr = (models[f"K={k}, map {side}x{side}"]["test"]["psnr"] for k in (16, 512, 2048))
        told.append(f"{side} x {side}: {', '.join(f'{value:.1f}' for value in psnr)} dB")
    size = models["K=512, map 16x16"]["test"]["bits"] / 8
    bare = ", ".join(
        f"{name} {psnr_in(points, size, 'bytes_without_headers'):.1f}"
        for name, points in coders.items()
    )
    return (
        f"K = 16, 512, 2048 on maps of {'; of '.join(told)}. In the {size:.0f} bytes of K = 512 on "
        f"16 x 16, headers and tables not counted: {bare}"
    )


def fewer_bits(d: dict) -> str:
    test = d["test"]
    return (
        f"frames of mazes in {test['raw_bits_per_image'] / test['bits_per_image']:.1f} times fewer "
        f"bits, PSNR {test['psnr']:.2f} dB, on mazes never seen"
    )


def bits(d: dict) -> str:
    models = d["models"]
    sums = {name: parts["reconstruction"] + parts["prior"] for name, parts in models.items()}
    lines = [
        f"VAE {sums['vae']:.2f} (50 samples: {models['vae']['bound']:.2f})",
        f"VQ-VAE {sums['vqvae']:.2f}; with a PixelCNN prior {sums['vqvae, learned prior']:.2f}",
        f"Gumbel-softmax {sums['gumbel']:.2f}",
    ]
    if "vqvae_8x8x10" in models:
        lines.append(f"VQ-VAE with 8 x 8 x 10 codes {sums['vqvae_8x8x10']:.2f}")
    lines.append(f"VIMCO {sums['vimco']:.2f} (50 samples: {models['vimco']['bound']:.2f})")
    return "; ".join(lines)


def betas(d: dict) -> str:
    bounds = {
        float(name.partition("=")[2]): model["test"]["bound"]
        for name, model in d["models"].items()
        if name.startswith("vqvae beta")
    }
    bounds[1.0] = d["models"]["vqvae K=512 C=2"]["test"]["bound"]
    return ", ".join(f"{bounds[beta]:.2f} at {beta:g}" for beta in sorted(bounds))


def sizes(d: dict) -> str:
    bounds = {
        (k, c): d["models"][f"vqvae K={k} C={c}"]["test"]["bound"]
        for c in (1, 2, 4)
        for k in (8, 64, 512)
    }
    lines = [
        f"with {c} codebook{'s' * (c > 1)} "
        + ", ".join(f"{bounds[k, c]:.2f}" for k in (8, 64, 512))
        for c in (1, 2, 4)
    ]
    largest = d["models"]["vqvae K=2048 C=1"]["test"]["bound"]
    vae = d["models"]["vae weight=1.0"]["test"]
    return (
        f"K = 8, 64, 512: {'; '.join(lines)}. One of K = 2048: {largest:.2f}. The VAE: "
        f"{vae['reconstruction'] + vae['prior']:.2f}"
    )


def ways(d: dict) -> str:
    def total(name: str) -> str:
        sums = [seed["bits"]["sum"] for seed in d["ways"][name]["seeds"]]
        spread = f" ({min(sums):.2f} to {max(sums):.2f})" if len(sums) > 1 else ""
        return f"{d['ways'][name]['bits']['sum']:.2f}{spread}"

    told = [way["told_from_frames"] for way in d["ways"].values()]
    chance = d["yardsticks"]["validation frames"]["told_from_frames"]
    return (
        f"with a PixelCNN over the latents VQ-VAE {total('VQ-VAE, PixelCNN')}, FSQ "
        f"{total('FSQ, PixelCNN')}, VAE {total('VAE, PixelCNN')}, autoencoder binned afterwards "
        f"{total('autoencoder, PixelCNN')}, its decoder refitted "
        f"{total('autoencoder, refitted')}, VQ-VAE of twice the bits "
        f"{total('VQ-VAE of 36 bits, PixelCNN')}; VAE with its own prior "
        f"{total('VAE, its prior')}, with a Gaussian fitted to its latents "
        f"{total('VAE, fitted Gaussian')}; a PixelCNN over pixels {total('pixels, PixelCNN')} "
        f"(with a range: 3 seeds). A classifier tells their samples from frames in "
        f"{min(told):.0%} to {max(told):.0%} of cases (frames of other mazes: {chance:.0%})"
    )


def prior(d: dict) -> str:
    test = d["test"]
    whole = test["bits_saved_per_image"] + test["bits_per_image"]
    return (
        f"{test['nats_per_code']:.2f} nats a code, the uniform prior "
        f"{d['uniform_nats_per_code']:.2f}; {test['bits_saved_per_image']:.0f} of {whole:.0f} bits "
        f"a frame saved"
    )


def prior_samples(d: dict) -> str:
    sets = d["sets"]

    def both(measure: str) -> str:
        values = [sets[name][measure] for name in ("samples", "frequencies")]
        shares = [v["mean"] if isinstance(v, dict) else v for v in values]
        return "{:.0%} ({:.0%})".format(*shares)

    test = sets["test"]
    return (
        f"a classifier tells {both('apart')}, of training frames "
        f"{sets['training']['apart']['mean']:.0%}; pieces at the right height {both('height')}, of "
        f"test frames {test['height']['mean']:.0%}; left and right half taken for one frame's "
        f"{both('left_and_right')}, of test frames {test['left_and_right']['mean']:.0%}, of two "
        f"frames {d['halves_of_two_frames']['left_and_right']['mean']:.0%}"
    )


def collapse(d: dict) -> str:
    vae, vqvae = (d["models"][name] for name in ("vae_17", "vqvae_17"))
    rises = [seed["swap_rise_percent"] for seed in vqvae["seeds"]]
    return (
        f"VAE: KL {vae['cost_of_latents']:.2f} nats, {vae['swap_rise_percent']:.2f} %; "
        f"VQ-VAE: {vqvae['swap_rise_percent']:.1f} % ({min(rises):.1f} to {max(rises):.1f}, "
        f"{len(rises)} seeds)"
    )


def cures(d: dict) -> str:
    annealed, free, light, heavy, late = (
        d["models"][name]["swap_rise_percent"]
        for name in ("vae_annealing", "vae_free_bits", "vqvae_3", "vqvae_heavy", "vqvae_late_heavy")
    )
    weights = [d["models"][name]["settings"]["commitment"] for name in ("vqvae_heavy", "vqvae_3")]
    return (
        f"VAE with annealing {annealed:.2f} %, with free bits {free:.2f} %; VQ-VAE with a "
        f"commitment of {weights[0]} instead of {weights[1]} and a decoder that sees three rows: "
        f"{heavy:.2f} % instead of {light:.1f} %, and {late:.1f} % where the heavy one began after "
        f"500 steps (means of three seeds)"
    )


def second_stage(d: dict) -> str:
    rises = [model["swap_rise_percent"] for model in d["models"].values()]
    return f"{', '.join(f'{rise:.1f}' for rise in rises)} % ({len(rises)} seeds)"


def conversion(d: dict) -> str:
    voice, pitch = d["voice"], d["pitch"]
    kept = d["words"]["conversions_over_reconstructions"]["lead_of_right_text"]
    return (
        f"a judge of real voices hears the target in {voice['named_target']:.1f} % and the source "
        f"in {voice['named_source']:.1f} % of {voice['conversions']} conversions; the median pitch "
        f"is within 15 % of the target's for {pitch['pairs_within_15_percent']:.1f} % of the "
        f"pairs; a recogniser's lead of the right words is {kept:.0%} of the reconstructions'"
    )


def phonemes(d: dict) -> str:
    vqvae, k_means, wavenet, chance = (
        " / ".join(f"{d['sets'][name][line]['accuracy']:.1f}" for name in ("synthetic", "allison"))
        for line in ("vqvae", "k_means", "wavenet", "random_codes")
    )
    return (
        f"synthetic voices / a real one: VQ-VAE of cepstra {vqvae} %, k-means on MFCC {k_means}, "
        f"VQ-VAE with a WaveNet {wavenet}, random codes {chance}"
    )


def ahead(d: dict) -> str:
    def values(way: str, what: str, digits: int) -> str:
        return ", ".join(f"{value:.{digits}f}" for value in d[way][what].values())

    return (
        f"nats a code 1, 3, 5 and 10 frames ahead {values('full', 'nats_per_code', 2)}, copying "
        f"the last frame {values('copy', 'nats_per_code', 2)}; PSNR against the decoded truth "
        f"{values('full', 'psnr_decoded', 1)}, copying {values('copy', 'psnr_decoded', 1)}"
    )


def obeys(d: dict) -> str:
    judged, following = d["steering_percent"], d["full"]["nats_per_code_of_the_next_frame"]
    other = following["another walk's actions"]
    return (
        f"a judge that is right on {judged['real test clips, decoded']:.1f} % of real test frames "
        f"names the action in {judged['all four']:.1f} % of imagined ones; another walk's actions "
        f"raise the next frame's nats from {following['true actions']:.2f} to {other:.2f}"
    )


def drift(d: dict) -> str:
    def of(what: str, digits: int) -> str:
        return " / ".join(
            ", ".join(f"{span[what]:.{digits}f}" for span in d["long"][kind].values())
            for kind in ("imagined", "real")
        )

    told = d["long"]["told_from_real_percent"]
    return (
        f"frames {', '.join(d['long']['imagined'])}, imagined / real: the judge names the action "
        f"in {of('action_named_percent', 1)} %; different codes in a frame "
        f"{of('codes_in_a_frame', 0)}; contrast {of('contrast', 1)}. A classifier tells imagined "
        f"from real frames in {', '.join(f'{share:.0f}' for share in told.values())} % of cases "
        f"(frames {', '.join(told)})"
    )


def classified(d: dict) -> str:
    def of(*told: dict[str, float]) -> str:
        return " / ".join(", ".join(f"{share:.0f}" for share in one.values()) for one in told)

    whole = [d[films]["told_from_real_percent"] for films in ("long", "long_at_once")]
    pieces = [d["told_by_pieces_percent"][model] for model in ("full", "at_once")]
    return (
        f"frames {', '.join(whole[0])}, code by code / all at once: by whole frames of 32 x 32 "
        f"pixels {of(*whole)} %; by pieces of that size, cut out, {of(*pieces)} %"
    )


def second_opinion(d: dict) -> str:
    nats = {
        kind: ", ".join(f"{of[kind]:.2f}" for of in d["ahead"].values())
        for kind in ("both", "video", "prior")
    }
    return (
        f"nats a code 1, 3, 5 and 10 frames ahead: both {nats['both']}, the model {nats['video']}, "
        f"the prior {nats['prior']}. Films drawn by both, {drift(d)}"
    )


def quantizer(d: dict) -> str:
    small, large = d["sizes"]["512"], d["sizes"]["8192"]
    return (
        f"{small['times_faster']:.1f} times faster at K = 512, {large['times_faster']:.1f} at "
        f"K = 8192, there with {large['share_of_memory']:.1%} of the extra memory"
    )


def sampling(d: dict) -> str:
    return (
        f"{d['times_faster_than_full_forward']:.0f} times faster than one full forward pass a "
        f"position, {d['times_faster_than_rows_so_far']:.0f} times faster than one over the rows "
        f"so far"
    )


def wavenet_sampling(d: dict) -> str:
    batches = next(iter(d["networks"].values()))["batches"]
    one, many = (batches[size]["times_faster_than_full_forward"] for size in ("1", "64"))
    return (
        f"{one:,.0f} times faster than a full forward pass a sample, {many:,.0f} in a batch of 64"
    )


def vimco_memory(d: dict) -> str:
    logits = d["logits_of_all_samples_gigabytes"]
    return f"{d['gigabytes']} GB; decoded all at once the logits alone would be {logits} GB"


def turned_back(d: dict) -> str:
    def views(films: str) -> str:
        *back, circle = (row["away_and_back"]["recognised"] for row in d["films"][films].values())
        shares = ", ".join(f"{100 * share:.0f}" for share in back)
        other = d["films"][films]["circle"]["the_other_way"]["recognised"]
        return (
            f"{shares} %, after a full circle {100 * circle:.0f} %, the other way round "
            f"{100 * other:.0f} %"
        )

    lengths = [row["frames"] // 2 for row in d["films"]["with a memory"].values()]
    turns = ", ".join(map(str, lengths[:-1]))
    return (
        f"views recognised after {turns} turns and as many back: {views('with a memory')}; "
        f"before it had the memory: {views('without')}"
    )


def video_cost(d: dict) -> str:
    alone, many = (d["milliseconds"][batch]["times_faster"] for batch in ("1", "16"))
    return (
        f"{d['bytes_in_codes']:.0f} bytes a frame instead of {d['bytes_in_pixels']}; "
        f"{alone:.0f} times faster than in pixels, {many:.0f} in a batch of 16"
    )


def reading(d: dict) -> str:
    images, kept = d["reading"], d["listing"]["bytes_a_file"]
    unasked, alike = (
        images[f"times_faster_than_imagefolder{filter_}"] for filter_ in ("", "_lanczos")
    )
    return (
        f"{unasked:.1f} times as many images a second as torchvision's ImageFolder, {alike:.1f} "
        f"where it has our filter; {kept['ours']} bytes a file listed, where paths take "
        f"{kept['sorted_paths']}"
    )


def search(d: dict) -> str:
    def times(name: str) -> str:
        return ", ".join(f"{size[name]:.2g}" for size in d["sizes"])

    sizes = ", ".join(
        f"({size['vectors']:,}; {size['num_codes']:,}; {size['code_dim']})" for size in d["sizes"]
    )
    products = ", ".join(f"{size['of_product']:.2f}" for size in d["sizes"])
    return (
        f"at (vectors; codes; dimensions) of {sizes}: finding the codes takes "
        f"{products} of the time of a matrix product and an argmax; it is "
        f"{times('encode_bare')} times as fast as the few lines that most public code has, "
        f"{times('encode_diffusers')} times as diffusers and "
        f"{times('encode_vector_quantize_pytorch')} times as vector-quantize-pytorch"
    )


def scale(d: dict) -> str:
    small, large = (d["maps"][count] for count in ("20000", "200000"))
    return (
        f"writing takes {small['write_megabytes']:.0f} MB of memory for 20,000 maps and "
        f"{large['write_megabytes']:.0f} MB for 200,000, and {large['write_microseconds']:.0f} µs "
        f"a map of {large['bytes']:.0f} bytes, its name included"
    )


def costs_at_scale(d: dict) -> list[str]:
    """The rows of the table on the page of a billion pictures."""
    largest, billion = d["maps"]["200000"], d["extrapolated_to_a_billion"]
    steps = {
        "listed": (d["scan"]["microseconds"], "scan"),
        "read": (d["read"]["microseconds"], "read"),
        "encoded": (d["encode"]["microseconds"], "encode"),
        "packed and written": (largest["write_microseconds"], "write"),
        "read again and unpacked": (largest["read_microseconds"], "read again"),
    }
    rows = [
        f"| {what} | {microseconds:,.0f} µs | {billion['core_hours'][step]:,.0f} hours of a core |"
        for what, (microseconds, step) in steps.items()
    ]
    size = f"{largest['bytes']:.0f} bytes | {billion['gigabytes']:,.0f} GB"
    return [*rows, f"| on the disk, name included | {size} |"]


def training(d: dict) -> str:
    return (
        f"{d['bfloat16_channels_last_ms']:.0f} ms a step instead of {d['float32_ms']:.0f}, "
        f"{d['times_faster']:.2f} times faster"
    )


def full_size(d: dict) -> str:
    runs = {name: run["bfloat16"] for name, run in d["runs"].items()}
    return "; ".join(f"{name} {r['gigabytes']:.1f} GB, {r['hours']} h" for name, r in runs.items())


def page_model(d: dict) -> str:
    sixteen, seven = d["maze_16_bits"], d["maze_7_bits"]
    faster, kb = d["times_faster_than_plain"], d["weights_kb"]
    return (
        f"encoding {faster['encode']:.0f} and decoding {faster['decode']:.0f} times as fast as the "
        f"same in plain JavaScript; largest difference from PyTorch, with weights of 16 bits, "
        f"{max(sixteen['vectors_apart'], sixteen['pictures_apart']):.4f} of a range of 2; with the "
        f"7 bits of the book's pages {seven['codes_equal']:.1%} of the codes are the same and the "
        f"pictures {seven['grey_levels_apart']:.1f} of 255 grey levels apart on average; "
        f"{kb['maze']} and {kb['photographs']} kB of weights"
    )
