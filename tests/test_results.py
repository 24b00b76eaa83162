"""The page of results and the README say what the results files say."""

import json
from pathlib import Path

import pytest

import results_page
import results_told
from results_rows import CHAPTERS, CLAIMS, GROUPS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "book" / "results.md").read_text(encoding="utf-8")
ROWS = [row for group in GROUPS.values() for row in group]


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_the_page_is_what_the_results_files_make_it():
    assert results_page.page(results_page.read()) == PAGE, "run tools/results_page.py"


def test_the_page_of_a_billion_pictures_has_the_costs_that_were_measured():
    text = (ROOT / "book" / "scale.md").read_text(encoding="utf-8")
    assert results_page.scale(results_page.read(), text) == text, "run tools/results_page.py"
    d = result("scale")
    assert "extrapolated" in text
    for step in ("scan", "read", "encode"):
        hours = d["extrapolated_to_a_billion"]["core_hours"][step]
        assert hours == pytest.approx(d[step]["microseconds"] / 3.6)
        assert f"| {d[step]['microseconds']:,.0f} µs | {hours:,.0f} hours of a core |" in text
    small, large = (d["maps"][count] for count in ("20000", "200000"))
    told = f"{small['write_megabytes']:.0f} MB of memory for 20,000 maps and "
    assert f"{told}{large['write_megabytes']:.0f} MB for 200,000" in PAGE
    assert large["write_megabytes"] < 50, "flat, whatever their number"


def test_the_readme_has_rows_of_the_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = results_page.readme_rows(results_page.read())
    assert len(rows) == 5
    assert results_page.readme(results_page.read(), text) == text, "run tools/results_page.py"
    for row in rows:
        assert row in text
        assert row.replace("(book/", "(").replace("(benchmarks/", "(../benchmarks/") in PAGE


def test_every_results_file_and_every_chapter_is_on_the_page():
    assert {row.file for row in ROWS} == set(results_page.read())
    chapters = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
    assert set(CHAPTERS.values()) == chapters - {"00_why"}, "the prologue has none of its own"
    assert {number for entry in (*ROWS, *CLAIMS) for number in entry.chapters} == set(CHAPTERS)


def test_each_row_names_command_commit_and_machine():
    for row in ROWS:
        content = result(row.file)
        lines = [line for line in PAGE.splitlines() if line.startswith(f"| [{row.file}.json]")]
        (line,) = lines
        assert f"`{content['command']}` | `{content['commit']}`" in line
        assert (content["machine"]["gpu"] or content["machine"]["processor"]) in line


def test_the_papers_own_numbers_are_those_that_the_benchmarks_compare_with():
    papers = " ".join(claim.paper for claim in CLAIMS)
    bits = result("likelihood_cifar10_copy")["paper"]
    assert f"VAE {bits['vae']}, VQ-VAE {bits['vqvae']}, VIMCO {bits['vimco']}" in papers
    phones = result("phonemes")["paper_percent"]
    assert f"{phones['accuracy']} % of 41" in papers
    assert f"alone {phones['commonest_phone']} %" in papers


def test_figures_of_the_page_are_those_of_the_results():
    quantizer = result("quantizer")
    rows = [line for line in PAGE.splitlines() if "dB, SSIM" in line]
    names = ("maze_checkpoint", "cifar10_jpeg_copy", "photographs")
    tests = [result(name)["test"] for name in names]
    for row, measured in zip(rows, tests, strict=True):
        assert f"PSNR {measured['psnr']:.2f} dB, SSIM {measured['ssim']:.3f}" in row
        assert f"perplexity {measured['perplexity']:.0f}" in row
        assert f"{measured['fraction_used']:.0%}" in row
    sizes = quantizer["sizes"]
    small, large = (f"{sizes[size]['times_faster']:.1f}" for size in ("512", "8192"))
    share = f"{sizes['8192']['share_of_memory']:.1%}"
    claim = f"{small} times faster at K = 512, {large} at K = 8192, there with {share}"
    assert claim in PAGE
    sampling = result("sampling")
    assert (
        f"{sampling['times_faster_than_full_forward']:.0f} times faster than one full forward pass "
        f"a position, {sampling['times_faster_than_rows_so_far']:.0f} times faster than one over"
    ) in PAGE


def test_rate_and_distortion_on_the_page_are_those_of_the_results():
    d = result("image_rate_distortion")
    assert (d["steps"], d["shared"][-1]) == (800, "batch_size=16")
    frames, photographs = d["frames"], d["photographs"]
    assert (frames["images"]["test"], photographs["images"]["test"]) == (140, 250)
    psnr = {name: model["test"]["psnr"] for name, model in frames["models"].items()}
    sizes = ", ".join(f"{psnr[f'K={k}']:.1f}" for k in (16, 64, 512, 2048))
    assert f"K = 16, 64, 512, 2048: {sizes} dB" in PAGE
    assert f"without a quantizer {psnr['no quantizer']:.1f}; codebook by gradient" in PAGE
    assert "In the 496 bytes of K = 512: JPEG" in PAGE
    for side in (8, 16):
        of_side = [
            photographs["models"][f"K={k}, map {side}x{side}"]["test"]["psnr"]
            for k in (16, 512, 2048)
        ]
        assert f"{side} x {side}: {', '.join(f'{value:.1f}' for value in of_side)} dB" in PAGE
    # Between two qualities on a straight line.
    points = [{"bytes": 10, "psnr": 20}, {"bytes": 20, "psnr": 30}, {"bytes": 40, "psnr": 31}]
    assert results_told.psnr_in(points, 12) == pytest.approx(22)
    assert results_told.psnr_in(points, 30) == pytest.approx(30.5)
    with pytest.raises(ValueError, match="no quality comes to 5 bytes"):
        results_told.psnr_in(points, 5)


@pytest.mark.parametrize("name", ["likelihood_maze", "likelihood_cifar10_copy"])
def test_bits_of_the_page_are_those_of_the_results(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    models = json.loads(path.read_text())["models"]
    row = next(line for line in PAGE.splitlines() if path.name in line)
    sums = {name: parts["reconstruction"] + parts["prior"] for name, parts in models.items()}
    claims = [
        f"VAE {sums['vae']:.2f} (50 samples: {models['vae']['bound']:.2f})",
        f"VQ-VAE {sums['vqvae']:.2f}",
        f"with a PixelCNN prior {sums['vqvae, learned prior']:.2f}",
        f"Gumbel-softmax {sums['gumbel']:.2f}",
        *(
            [f"VQ-VAE with 8 x 8 x 10 codes {sums['vqvae_8x8x10']:.2f}"]
            if "vqvae_8x8x10" in models
            else []
        ),
        f"VIMCO {sums['vimco']:.2f} (50 samples: {models['vimco']['bound']:.2f})",
    ]
    assert "; ".join(claims) in row


def test_ways_to_latents_of_the_page_are_those_of_the_results():
    path = ROOT / "benchmarks" / "results" / "latent_priors.json"
    ways = json.loads(path.read_text())["ways"]
    row = next(line for line in PAGE.splitlines() if path.name in line)
    sums = {}
    for name, way in ways.items():
        each = [seed["bits"]["sum"] for seed in way["seeds"]]
        assert way["bits"]["sum"] == pytest.approx(sum(each) / len(each), abs=2e-5)
        sums[name] = f"{way['bits']['sum']:.2f}"
        if len(each) == 3:
            sums[name] += f" ({min(each):.2f} to {max(each):.2f})"
    vqvae, fsq, vae, fitted, vae_pixelcnn, binned, refitted, twice, pixels = sums.values()
    assert (
        f"VQ-VAE {vqvae}, FSQ {fsq}, VAE {vae_pixelcnn}, autoencoder binned afterwards {binned}, "
        f"its decoder refitted {refitted}, VQ-VAE of twice the bits {twice}; VAE with its own "
        f"prior {vae}, with a Gaussian fitted to its latents {fitted}; a PixelCNN over pixels "
        f"{pixels} (with a range: 3 seeds)"
    ) in row
    told = sorted(way["told_from_frames"] for way in ways.values())
    assert f"from frames in {told[0]:.0%} to {told[-1]:.0%} of cases" in row


def test_latents_in_use_on_the_page_are_those_of_the_results():
    collapse, second, prior = (result(name) for name in ("collapse", "second_stage", "prior"))
    vae, vqvae = (collapse["models"][name] for name in ("vae_17", "vqvae_17"))
    assert (
        f"VAE: KL {vae['cost_of_latents']:.2f} nats, {vae['swap_rise_percent']:.2f} %; "
        f"VQ-VAE: {vqvae['swap_rise_percent']:.1f} %"
    ) in PAGE
    late = collapse["models"]["vqvae_late_heavy"]["swap_rise_percent"]
    assert f"{late:.1f} % where the heavy one began after 500 steps" in PAGE
    rises = [f"{model['swap_rise_percent']:.1f}" for model in second["models"].values()]
    assert f"what swapping the three adds to the NLL: {', '.join(rises)} % (3 seeds)" in PAGE
    test = prior["test"]
    assert (
        f"{test['nats_per_code']:.2f} nats a code, the uniform prior "
        f"{prior['uniform_nats_per_code']:.2f}; {test['bits_saved_per_image']:.0f} of 3969 bits a "
        f"frame saved"
    ) in PAGE


def test_speech_on_the_page_is_that_of_the_results():
    speech, phonemes, sampling = (
        result(name) for name in ("speech", "phonemes", "wavenet_sampling")
    )
    voice, pitch, words = (speech[part] for part in ("voice", "pitch", "words"))
    kept = words["conversions_over_reconstructions"]["lead_of_right_text"]
    assert (
        f"a judge of real voices hears the target in {voice['named_target']:.1f} % and the source "
        f"in {voice['named_source']:.1f} % of {voice['conversions']} conversions; the median pitch "
        f"is within 15 % of the target's for {pitch['pairs_within_15_percent']:.1f} % of the "
        f"pairs; a recogniser's lead of the right words is {kept:.0%} of the reconstructions'"
    ) in PAGE
    lines = [
        " / ".join(
            f"{phonemes['sets'][name][line]['accuracy']:.1f}" for name in ("synthetic", "allison")
        )
        for line in ("vqvae", "k_means", "wavenet", "random_codes")
    ]
    assert (
        "synthetic voices / a real one: VQ-VAE of cepstra {} %, k-means on MFCC {}, VQ-VAE with a "
        "WaveNet {}, random codes {}"
    ).format(*lines) in PAGE
    small = next(iter(sampling["networks"].values()))
    one, many = (
        f"{small['batches'][batch]['times_faster_than_full_forward']:,.0f}" for batch in ("1", "64")
    )
    assert f"{one} times faster than a full forward pass a sample, {many} in a batch of 64" in PAGE


def test_turning_back_on_the_page_is_that_of_the_results():
    films = result("turn_back")["films"]
    shares = []
    for kind in ("with a memory", "without"):
        found = [row["away_and_back"]["recognised"] for row in films[kind].values()]
        *back, circle = (f"{100 * share:.0f}" for share in found)
        other = 100 * films[kind]["circle"]["the_other_way"]["recognised"]
        shares.append(
            f"{', '.join(back)} %, after a full circle {circle} %, the other way round {other:.0f}"
        )
    assert (
        f"views recognised after 1, 2, 3, 5, 8 turns and as many back: {shares[0]} %; before "
        f"it had the memory: {shares[1]} %"
    ) in PAGE
    assert f"from {result('turn_back')['views']} views of test walks" in PAGE


def test_a_second_opinion_on_the_page_is_that_of_the_results():
    found = result("second_opinion")
    nats = [
        ", ".join(f"{of[kind]:.2f}" for of in found["ahead"].values())
        for kind in ("both", "video", "prior")
    ]
    assert (
        "nats a code 1, 3, 5 and 10 frames ahead: both {}, the model {}, the prior {}. Films drawn "
        "by both, frames 1 to 10, 21 to 30, 91 to 100, imagined / real: "
    ).format(*nats) in PAGE
    shares = found["long"]["told_from_real_percent"].values()
    told = ", ".join(f"{share:.0f}" for share in shares)
    assert f"A classifier tells imagined from real frames in {told} % of cases" in PAGE


def test_video_on_the_page_is_that_of_the_results():
    video, cost = (result(name) for name in ("video", "video_cost"))

    def ahead(way, what, digits):
        return ", ".join(f"{value:.{digits}f}" for value in video[way][what].values())

    assert (
        f"nats a code 1, 3, 5 and 10 frames ahead {ahead('full', 'nats_per_code', 2)}, copying the "
        f"last frame {ahead('copy', 'nats_per_code', 2)}; PSNR against the decoded truth "
        f"{ahead('full', 'psnr_decoded', 1)}, copying {ahead('copy', 'psnr_decoded', 1)}"
    ) in PAGE
    assert f"how long it holds: {video['long']['films']} films of 100 frames" in PAGE
    for name in ("video", "video_no_errors"):
        shares = result(name)["long"]["told_from_real_percent"].values()
        told = ", ".join(f"{share:.0f}" for share in shares)
        assert f"A classifier tells imagined from real frames in {told} % of cases" in PAGE
    whole, pieces = (
        [", ".join(f"{share:.0f}" for share in shares.values()) for shares in pair]
        for pair in (
            [video[films]["told_from_real_percent"] for films in ("long", "long_at_once")],
            [video["told_by_pieces_percent"][model] for model in ("full", "at_once")],
        )
    )
    assert f"by whole frames of 32 x 32 pixels {whole[0]} / {whole[1]} %" in PAGE
    assert f"by pieces of that size, cut out, {pieces[0]} / {pieces[1]} %" in PAGE
    judged = video["steering_percent"]
    next_frame = video["full"]["nats_per_code_of_the_next_frame"]
    assert (
        f"a judge that is right on {judged['real test clips, decoded']:.1f} % of real test frames "
        f"names the action in {judged['all four']:.1f} % of imagined ones; another walk's actions "
        f"raise the next frame's nats from {next_frame['true actions']:.2f} to "
        f"""{next_frame["another walk's actions"]:.2f}"""
    ) in PAGE
    alone, many = (cost["milliseconds"][batch] for batch in ("1", "16"))
    assert (
        f"{cost['bytes_in_codes']:.0f} bytes a frame instead of {cost['bytes_in_pixels']}; "
        f"{alone['times_faster']:.0f} times faster than in pixels, {many['times_faster']:.0f} in a "
        f"batch of 16"
    ) in PAGE
