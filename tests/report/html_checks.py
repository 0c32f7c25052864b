"""What every page must be: well formed, self-contained, without scripts."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "input", "link", "hr"}


class Outline(HTMLParser):
    """Collects tags and fails on one that is closed wrongly or left open."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == [], f"left open: {found.open}"
    return found


def check_page(text: str) -> Outline:
    found = outline(text)
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"url\(|@import", text)
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "link", "iframe", "object", "embed"})
    for tag, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes, "the content policy forbids inline styles"
        if tag == "img":
            assert attributes["src"].startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
            assert attributes["alt"]
    assert ("html", {"lang": "en"}) in found.tags
    return found


def words(text: str) -> str:
    return " ".join(" ".join(outline(text).words).split())
