"""What the build does to the theme's pages: icons as drawings, figures as files, names mended."""

import pytest

import finish_pages
import frames
import icons

SCRIPT = (
    '!function(){var p={github:[496,512,[],"f09b","M1"]};d("fab",p)}();'
    '!function(){var p={sun:[512,512,[9728],"f185","M2"]};d("far",p)}();'
    '!function(){var f={sun:[512,500,[9728],"f185","M3"],"bell":[448,512,[],"f0f3","M4"],'
    'pencil:[512,512,["pencil-alt"],"f303","M5"]};c("fas",f)}();'
)
DRAWINGS = icons.read_icons(SCRIPT)


def test_icons_are_read_by_style_and_name():
    assert [*DRAWINGS["fab"], *DRAWINGS["far"], *DRAWINGS["fas"]] == [
        "github", "sun", "sun", "bell", "pencil",
    ]  # fmt: skip
    assert DRAWINGS["fas"]["sun"] == icons.Icon(512, 500, "f185", "M3")


@pytest.mark.parametrize(
    ("element", "path", "box"),
    [
        ('<i class="fab fa-github"></i>', "M1", "496 512"),
        ('<i class="theme-switch fa-regular fa-sun fa-lg" data-mode="light"></i>', "M2", "512 512"),
        ('<i class="theme-switch fa-solid fa-sun fa-lg" data-mode="light"></i>', "M3", "512 500"),
        ('<span class="fas fa-bell"></span>', "M4", "448 512"),
    ],
)
def test_an_element_that_asks_for_an_icon_becomes_its_drawing(element, path, box):
    classes = element.split('"')[1]
    drawn = icons.draw(f"<p>{element}</p>", DRAWINGS)
    assert drawn.startswith(f'<p><svg class="icon {classes}"')
    assert drawn.endswith(
        f'aria-hidden="true" viewBox="0 0 {box}"><path fill="currentColor" d="{path}"/></svg></p>'
    )
    assert ('data-mode="light"' in element) == ('data-mode="light"' in drawn)


def test_an_icon_that_is_not_there_is_named_and_other_elements_stay():
    with pytest.raises(ValueError, match="fa-lost"):
        icons.draw('<i class="fa-solid fa-lost"></i>', DRAWINGS)
    text = '<i>fa-sun</i><span class="fast fa"></span><span class="alfa beta"></span>'
    assert icons.draw(text, DRAWINGS) == text


def test_letters_of_the_font_become_shapes():
    theme = (
        'html{--pst-icon-bell:"\uf0f3";--pst-icon-note:var(--pst-icon-bell);--pst-icon-hub:"\uf09b"}'
        ".note:after{color:red;content:var(--pst-icon-note)}.hub:after{content:var(--pst-icon-hub)}"
        '/* .old {content: "\\f0f3"} */ div.exercise::after {\n  content: "\\f303";\n}\n'
        '.dash:after{content:"-"}.none:after{content:none}'
    )
    sheet = icons.stylesheet(theme, DRAWINGS)
    assert '.note:after,\ndiv.exercise::after {\n  content: "";' in sheet
    assert sheet.count("--icon: url(") == 2
    assert "%22M4%22" in sheet
    assert "%22M5%22" in sheet
    for other in (".hub", ".dash", ".none", ".old"):
        assert other not in sheet


FRAME = '<iframe class="vq-interactive" title="T" style="height:9px" srcdoc="{}"></iframe>'


def test_a_figure_becomes_a_file_with_links(tmp_path):
    page = FRAME.format("&lt;p&gt;&quot;é&quot;&lt;/p&gt;")
    text = f'<figure id="a"></figure><figure class="x" id="fig-b"><div>{page}</div></figure>'
    finished = frames.take_out(text, "../", tmp_path)
    assert (tmp_path / "figures" / "fig-b.html").read_text(encoding="utf-8") == '<p>"é"</p>'
    assert "srcdoc" not in finished
    assert (
        '<iframe class="vq-interactive" loading="lazy" title="T" style="height:9px" '
        'src="../figures/fig-b.html"></iframe>'
    ) in finished
    assert '<a href="../figures/fig-b.html" download="fig-b.html">' in finished
    assert frames.take_out(finished, "../", tmp_path) == finished


@pytest.mark.parametrize("before", ["", '<figure id="a"></figure>'])
def test_a_figure_without_a_name_is_refused(tmp_path, before):
    with pytest.raises(ValueError, match='has no name .* title="T"'):
        frames.take_out(before + FRAME.format(""), "", tmp_path)


def test_a_page_loses_what_it_does_not_use(tmp_path):
    text = (
        '<html lang="en" data-content_root="../" >\n'
        '<link href="../_static/vendor/fontawesome/6.5.2/css/all.min.css?digest=1" rel="x" />\n'
        '<script src="../_static/vendor/fontawesome/6.5.2/js/all.min.js?digest=1"></script>\n'
        '<script async="async" src="../_static/sphinx-thebe.js?v=1"></script>\n'
        '<script>const THEBE_JS_URL = "https://a.b"; const thebe_selector = ".cell"</script>\n'
        '<script>var togglebuttonSelector = ".toggle";</script>\n'
        '<button class="btn search-button-field search-button__button" title="Search" '
        'aria-label="Search" data-bs-toggle="tooltip"><b>Search</b></button>\n'
        '<summary aria-label="Toggle hidden content">Show</summary>\n'
        '<summary><span class="toctree-toggle" role="presentation"></span></summary>\n'
        '<div class="citation" id="a" role="doc-biblioentry">\n'
        '<div class="bd-sidebar-primary bd-sidebar">'
    )
    assert finish_pages.finish(text, tmp_path, DRAWINGS) == (
        '<html lang="en" data-content_root="../" >\n'
        '<script>var togglebuttonSelector = ".toggle";</script>\n'
        '<button class="btn search-button-field search-button__button"><b>Search</b></button>\n'
        "<summary>Show</summary>\n"
        '<summary aria-label="Pages of this part">'
        '<span class="toctree-toggle" role="presentation"></span></summary>\n'
        '<div class="citation" id="a" role="listitem">\n'
        '<div class="bd-sidebar-primary bd-sidebar" role="complementary" aria-label="Book">'
    )
