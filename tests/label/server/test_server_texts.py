"""Texts by anybody: nothing in them acts, hides, or is loaded."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffrage.label.server.texts import LONGEST_FORMATTED, clean, markdown, shown

IMAGE = "image: {alt}"
TAGS = {
    *(
        "p",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "em",
        "strong",
        "s",
        "code",
        "pre",
        "hr",
        "br",
    ),
    *("blockquote", "table", "thead", "tbody", "tr", "th", "td", "span"),
}


def formatted(text: str) -> str:
    return str(markdown(clean(text), IMAGE))


def test_controls_and_directions_are_shown_by_name() -> None:
    assert clean("a\x00b\u202ec\x1b[0m\u2066d\ufeff") == (
        "a⟨U+0000⟩b⟨U+202E⟩c⟨U+001B⟩[0m⟨U+2066⟩d⟨U+FEFF⟩"
    )


def test_what_markdown_spells_out_is_shown_by_name_too() -> None:
    found = markdown("&#x202e;a &rlm;*b* &#8288;&#13;\n```x&#x202d;\n```\n&#127988;&amp;")
    assert "⟨U+202E⟩a ⟨U+200F⟩<em>b</em> ⟨U+2060⟩" in found
    assert "⟨U+202D⟩" in found
    assert "\U0001f3f4&amp;" in found
    assert not any(code in found for code in "\u202d\u202e\u200f\u2060\r")


def test_lines_tabs_emoji_and_flags_stay() -> None:
    scotland = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    assert clean(f"a\r\nb\tc {scotland}{family}\r") == f"a\nb\tc {scotland}{family}\n"


def test_tags_outside_a_flag_are_shown() -> None:
    assert clean("x\U000e0041y") == "x⟨U+E0041⟩y"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- c --> <?php x ?> <![CDATA[x]]>",
        "*a* <b onclick=x>b</b>",
        "&lt;script&gt;",
        "`<i>`",
        "    <style>",
    ],
)
def test_html_is_text(text: str) -> None:
    assert set(re.findall(r"</?(\w+)", formatted(text))) <= TAGS


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://example.org/x)",
        "<https://example.org/x>",
        "[a][b]\n\n[b]: https://example.org/x",
        "[a](https://example.org/x 'title')",
    ],
)
def test_links_say_where_they_lead_and_lead_nowhere(text: str) -> None:
    page = formatted(text)
    assert "(https://example.org/x)</span>" in page
    assert "href" not in page
    assert "<a" not in page


def test_words_of_a_link_inside_a_quoted_link_keep_their_addresses() -> None:
    page = formatted("[a *b*](https://one.org) and [c](https://two.org)")
    assert page.index("one.org") < page.index("and") < page.index("two.org")


def test_scripts_as_addresses_are_no_links() -> None:
    assert 'class="link"' not in formatted("[a](javascript:alert(1)) [b](data:text/html,x)")


def test_pictures_are_named_and_not_loaded() -> None:
    page = formatted("![a *map*](https://example.org/p.png)")
    assert "image: a *map*" in page
    assert "p.png" not in page
    assert "<img" not in page


def test_headings_stand_below_the_pages_own() -> None:
    assert formatted("# One\n\n###### Six").startswith('<h3 dir="auto">One</h3>')


def test_tables_and_struck_words_are_formatted() -> None:
    page = formatted("|a|b|\n|-|-|\n|1|~~2~~|")
    assert '<td dir="auto">1</td>' in page
    assert "<s>2</s>" in page


def test_a_text_without_markup_is_shown_as_it_is() -> None:
    assert shown("Plain words.\nTwo lines.", IMAGE).formatted is None


def test_a_long_or_deeply_nested_text_is_not_formatted() -> None:
    assert shown("*a* " * LONGEST_FORMATTED, IMAGE).formatted is None
    assert shown("> " * 100 + "a", IMAGE).formatted is None
    assert shown("> > - a", IMAGE).formatted is not None


@given(st.text(st.sampled_from("<>&\"'`*_[]()!|\\~#-+.: \nabjs/=\x00\u202e"), max_size=60))
def test_whatever_the_text_the_tags_are_ours(text: str) -> None:
    page = shown(text, IMAGE).formatted
    if page is None:
        return
    tags = re.findall(r"<(/?\w*)([^>]*)>", page)
    assert {name.strip("/") for name, _ in tags} <= TAGS
    classes = 'class="(?:link|address|image|language-[^"]*)"'
    ours = rf'(?: (?:dir="(?:auto|ltr)"|{classes}|start="\d+"))*\s*/?'
    assert all(re.fullmatch(ours, attributes) for _, attributes in tags), page
