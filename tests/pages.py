"""What a page must be: well formed, self-contained, without scripts."""

from html.parser import HTMLParser

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
    """The parsed page; fails when it loads anything or runs anything."""
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert page.loads == []
    assert page.handlers == []
    assert "script" not in page.tags
    assert "iframe" not in page.tags
    assert "@import" not in html
    assert "url(" not in html
    assert page.tags.count("h1") == 1
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    return page
