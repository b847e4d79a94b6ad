"""What a page must be: well formed, self-contained, without scripts of others."""

import base64
import hashlib
from html.parser import HTMLParser

from harness.board.pages import templates

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Tags balanced, ids unique; collects tags, texts and addresses."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text, self.links, self.loads, self.ids, self.handlers = (
            [],
            [],
            [],
            [],
            [],
            [],
            [],
        )
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        if "id" in values:
            assert values["id"] not in self.ids
            self.ids.append(values["id"])
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "srcset", "data", "action", "poster"):
                self.loads.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def checked(path):
    """The parsed page; fails when it loads anything but our style sheet or runs anything but our script,
    which its policy names by its hash."""
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    sheet = ["../style.css"] if page.loads else []
    assert page.loads == sheet
    assert page.handlers == []
    if "script" in page.tags:
        script = (templates() / "board.js").read_text(encoding="utf-8")
        sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert page.tags.count("script") == 1
        assert f"<script>{script}</script>" in html
        assert "default-src 'none'; style-src 'self' 'unsafe-inline' file:;" in html
        assert f"script-src 'sha256-{sha}';" in html
    assert "iframe" not in page.tags
    assert "@import" not in html
    assert "url(" not in html
    assert page.tags.count("h1") == 1
    look = (path.parent / sheet[0]).read_text(encoding="utf-8") if sheet else html
    assert "prefers-color-scheme: dark" in look
    assert 'name="viewport"' in html
    return page
