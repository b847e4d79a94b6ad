"""Pages name what is there: targets of links, anchors included, files, and targets of make."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.places import ROOT

DOCS = ROOT / "docs"
NEIGHBOURS = sorted((ROOT / "plugins" / "neighbours").glob("*/README.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *NEIGHBOURS]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2\s*$", re.MULTILINE | re.DOTALL)
PATH = re.compile(
    r"(?<![\w/.-])((?:harness|plugins|docs|recipes|bench|constraints|scripts|sandboxes|tests)/[\w./-]+\.\w+)"
)


def prose(page: Path) -> str:
    """A page without its code blocks, which are held against the real thing elsewhere."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What headings are linked by: words in lower case with hyphens; the second of two alike ends in -1."""
    known: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in known:
            number += 1
        known.add(name)
    return known


def named(pages: list[Path]) -> list[pytest.param]:
    return [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages]


@pytest.mark.parametrize("page", named(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target, anchor in LINK.findall(prose(page)):
        path = page.parent / target if target else page
        if not path.exists():
            wrong.append(target)
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            wrong.append(f"{target}#{anchor}")
    assert not wrong, f"{page.name}: {wrong}"


def test_anchors_are_those_of_headings(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `a.b`: two\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n", encoding="utf-8"
    )
    assert anchors(page) == {"one-ab-two", "twice", "twice-1"}


@pytest.mark.parametrize("page", named([page for page in PAGES if page.name != "CHANGELOG.md"]))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    names = PATH.findall(page.read_text(encoding="utf-8"))
    # A neighbour's README speaks of its own folder, as it does where it is unpacked alone.
    roots = [ROOT, page.parent] if page in NEIGHBOURS else [ROOT]
    assert not [name for name in names if not any((root / name).exists() for root in roots)]


def test_make_targets_that_pages_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"quickstart", "test", "test-all", "lint", "docs", "site", "bench", "clean"} <= targets
    for page in [*PAGES, ROOT / ".ci" / "run"]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(
            r"(?:`|^\$ |-x |retry |\" )(?:[A-Z]+=\S+ )*make ([a-z-]+)", text, re.MULTILINE
        ):
            assert target in targets, f"{page.name} names make {target}"


@pytest.mark.parametrize("index", ["docs/index.md", "mkdocs.yml"])
def test_every_page_stands_in_the_index_and_in_the_site(index: str) -> None:
    text = (ROOT / index).read_text(encoding="utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("*/*.md")}
    listed = set(re.findall(r"(?:\(|: )([\w-]+/[\w-]+\.md)\b", text))
    assert listed == pages


def test_the_site_names_files_that_it_does_not_hold() -> None:
    name = "site_links"
    spec = importlib.util.spec_from_file_location(name, DOCS / "make" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = SimpleNamespace(file=SimpleNamespace(src_uri="how-to/runs.md"))
    text = "[cli](../reference/cli.md#run), [`Job`](../../harness/a.py), [a script](../../findings/b.sh)"
    assert module.on_page_markdown(text, page=page) == (
        "[cli](../reference/cli.md#run), `Job` in `harness/a.py`, a script `findings/b.sh`"
    )
