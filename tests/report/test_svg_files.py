"""A drawing keeps its shapes and loses what runs, loads or reaches out of it."""

from __future__ import annotations

import re

import pytest

from meshproof.report.page.svg_files import UnsafeDrawing, inline_svg


def drawn(inside: str, **attributes: str) -> str:
    words = "".join(f' {key}="{value}"' for key, value in attributes.items())
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return str(inline_svg(f"<svg {head}{words}>{inside}</svg>", name="here"))


def test_shapes_and_words_stay() -> None:
    svg = drawn('<g transform="scale(2)"><rect x="1" y="2" width="3" fill="#abc"/><text dy="1">a &lt; b</text></g>')
    assert '<g transform="scale(2)"><rect x="1" y="2" width="3" fill="#abc" /><text dy="1">a &lt; b</text></g>' in svg


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>boom()</script>",
        '<rect onclick="boom()"/>',
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>boom</p></foreignObject>",
        '<image href="https://boom.example/x.png"/>',
        '<use href="https://boom.example/x.svg#a"/>',
        '<use xlink:href="data:image/svg+xml,boom"/>',
        '<a href="javascript:boom()"><text/></a>',
        '<rect fill="url(https://boom.example/x)"/>',
        '<rect style="background:url(//boom.example)"/>',
        "<style>@import 'https://boom.example';</style>",
        "<style>rect { fill: url(https://boom.example) }</style>",
        "<style>} body { display: none } boom {</style>",
        "<style>a::after { content: '\\3c boom' }</style>",
        "<title><style>boom &lt;/style&gt;</style></title>",
        '<animate onbegin="boom()"/>',
        '<set attributeName="href" to="javascript:boom()"/>',
        "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>boom()</x:script>",
        "<!-- boom -->",
        "<?boom?>",
    ],
)
def test_what_runs_or_loads_is_taken_out(hostile: str) -> None:
    svg = drawn(f'{hostile}<rect id="kept"/>')
    assert 'id="here-kept"' in svg
    assert "boom" not in svg


def test_ids_and_references_stay_among_themselves() -> None:
    svg = drawn('<defs><clipPath id="c"/></defs><rect clip-path="url(#c)"/><use href="#c"/>')
    assert 'id="here-c"' in svg and "url(#here-c)" in svg and 'href="#here-c"' in svg


def test_styles_hold_inside_only() -> None:
    svg = drawn("<style>:root { --a: red } .f:hover { opacity: .7 } @media print { text { fill: black } }</style>")
    rules = re.search("<style>(.*)</style>", svg)
    assert rules and rules[1].startswith("#here{") and rules[1].count("{") == rules[1].count("}")
    assert ":root" not in svg


def test_size_gives_way_to_the_page() -> None:
    svg = drawn("", width="900px", height="120")
    assert 'viewBox="0 0 900 120"' in svg and "width=" not in svg


@pytest.mark.parametrize(
    "text",
    [
        "not xml at all",
        "<html/>",
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg"><text>&a;</text></svg>',
    ],
)
def test_what_is_no_safe_svg_is_refused(text: str) -> None:
    with pytest.raises(UnsafeDrawing):
        inline_svg(text, name="here")
