"""InteractiveFigure: a self-contained page, the same every time, that no data can break out of."""

import base64
import html
import json
import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from pages import unpack
from vqvae_lite.figures import page as interactive
from vqvae_lite.figures.page import InteractiveFigure, pack, rounded


@pytest.fixture
def web(tmp_path, monkeypatch):
    """The shared files beside a figure named "probe"."""
    for name in ("common.css", "common.js"):
        source = (interactive._WEB / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(source, encoding="utf-8")
    (tmp_path / "probe.js").write_text("VQ.state('ready'); // probe", encoding="utf-8")
    monkeypatch.setattr(interactive, "_WEB", tmp_path)
    return tmp_path


def probe(data=None, **changes):
    arguments = {
        "title": 'Codes "in" <the> plane',
        "description": "Two codes.",
        "still": plt.figure(figsize=(1, 1)),
        "height": 300,
        "click": "#a > circle",
        "key": "#a|ArrowUp",
    }
    return InteractiveFigure("probe", data or {}, **(arguments | changes))


def page_in(bundle):
    return html.unescape(re.search(r'srcdoc="([^"]*)"', bundle["text/html"]).group(1))


def data_in(page):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script', page)[1]
    )


def test_bundle_holds_page_picture_and_description(web):
    figure = probe()
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == 'Codes "in" <the> plane. Two codes.'
    assert page_in(bundle) == figure.page
    assert bundle["text/html"].startswith(
        '<iframe class="vq-interactive" title="Codes &quot;in&quot;'
    )


def test_page_is_assembled_from_shared_and_own_files(web):
    (web / "probe.css").write_text("circle { fill: red; }", encoding="utf-8")
    page = probe().page
    order = ["--paper:", "circle { fill: red; }", "const VQ", "VQ.state('ready'); // probe"]
    assert sorted(order, key=page.index) == order
    assert 'data-test-click="#a &gt; circle"' in page
    assert 'data-test-key="#a|ArrowUp"' in page


def test_scripts_that_the_figure_uses_come_before_its_own(web):
    (web / "tool.js").write_text("VQ.tool = () => 1; // tool", encoding="utf-8")
    page = probe(uses=["tool"]).page
    assert page.index("const VQ") < page.index("// tool") < page.index("// probe")
    with pytest.raises(FileNotFoundError, match="lost"):
        probe(uses=["tool", "lost"])


def test_page_is_the_same_every_time(web):
    data = {"codes": rounded(torch.rand(3, 2, generator=torch.Generator().manual_seed(1)))}
    first, second = probe(data), probe(data)
    assert first._repr_mimebundle_() == second._repr_mimebundle_()


def test_page_asks_nothing_of_the_network(web):
    page = probe().page
    links = re.findall(r"https?://[^\s\"']+", page)
    assert set(links) <= {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src &#x27;none&#x27;" in page


def test_data_cannot_end_its_script(web):
    data = {"text": "</script><script>alert(1)</script><!-- &amp; é"}
    page = page_in(probe(data)._repr_mimebundle_())
    assert page.count("</script>") == 3
    assert data_in(page) == data


def test_still_is_closed_so_that_it_shows_once(web):
    still = plt.figure()
    probe(still=still)
    assert not plt.fignum_exists(still.number)


def test_unknown_script_is_named(web):
    with pytest.raises(FileNotFoundError, match="absent"):
        InteractiveFigure(
            "absent",
            {},
            title="",
            description="",
            still=plt.figure(),
            height=1,
            click="",
            key="#a|b",
        )


@pytest.mark.parametrize("key", ["", "ArrowUp", "#a|", "|ArrowUp"])
def test_key_without_selector_or_key_is_refused(web, key):
    with pytest.raises(ValueError, match=r"selector\|Key"):
        probe(key=key)


def test_script_that_would_end_itself_is_refused(web):
    (web / "probe.js").write_text("const s = '</script>';", encoding="utf-8")
    with pytest.raises(ValueError, match="probe.js"):
        probe()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_data_that_is_not_finite_is_refused(web, value):
    with pytest.raises(ValueError, match="finite"):
        probe({"x": value})


def test_data_that_json_cannot_hold_is_refused(web):
    with pytest.raises(TypeError, match="data must hold what JSON holds"):
        probe({"x": np.zeros(2)})


def test_rounded_gives_plain_lists_without_negative_zero():
    values = rounded(torch.tensor([[0.123456, -0.00001], [1.0, 2.0]]), digits=3)
    assert json.dumps(values) == "[[0.123, 0.0], [1.0, 2.0]]"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float16", "float32"])
def test_pack_is_little_endian_and_row_by_row(dtype):
    array = np.arange(6).reshape(2, 3).T  # not contiguous
    packed = pack(array, dtype)
    assert (packed["dtype"], packed["shape"]) == (dtype, [3, 2])
    raw = np.frombuffer(base64.b64decode(packed["base64"]), np.dtype(dtype).newbyteorder("<"))
    assert raw.tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("bits", range(2, 8))
def test_numbers_of_few_bits_follow_one_another(bits):
    most = 2 ** (bits - 1) - 1
    array = torch.arange(-most - 1, most + 1).repeat(3).view(3, -1)
    packed = pack(array, f"int{bits}")
    assert len(base64.b64decode(packed["base64"])) == math.ceil(array.numel() * bits / 8)
    assert np.array_equal(unpack(packed), array)


def test_pack_refuses_what_the_page_cannot_read():
    with pytest.raises(ValueError, match="float64"):
        pack(np.zeros(2), "float64")
