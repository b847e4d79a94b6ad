"""A hook of mkdocs: links of a page that leave docs/ become the names of the files that they lead to.

In a checkout such a link opens the file. The site holds docs/ alone, so there the file is named by its path.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text, with links to files outside of docs/ replaced."""
    folder = posixpath.dirname(page.file.src_uri)

    def told(link: re.Match[str]) -> str:
        text, target = link[1], posixpath.normpath(posixpath.join("docs", folder, link[2]))
        if target.startswith("docs/"):
            return link[0]
        if target in text:
            return f"`{target}`"
        return f"{text} in `{target}`" if text.startswith("`") else f"{text} `{target}`"

    return LINK.sub(told, markdown)
