"""`harness plugins new KIND NAME`: a distribution of one plugin, small and whole, to be changed.

What a kind's plugin looks like stands in `templates/<kind>/`, what all of them share in `templates/common/`.
The files are plain Python and TOML with `NAME`, `PACKAGE` and the like between double at signs, so that they
read as what they become. A kind's `summary.txt` and `use.txt` become part of its README.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from harness.contract.errors import PluginError, near
from harness.contract.kinds import KINDS

TEMPLATES: Final = "templates"
COMMON: Final = "common"
#: For kinds with a recipe.
RECIPE: Final = "with_recipe"
#: Texts that are filled in elsewhere.
WORDS: Final = {"SUMMARY": "summary.txt", "USE": "use.txt"}
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def offered() -> list[str]:
    """The kinds that there is a template for, in the order of a run."""
    return [kind for kind in KINDS if _folder(kind).is_dir()]


def scaffold(kind: str, name: str, folder: Path) -> Path:
    """Write the distribution `staged-harness-<name>` below `folder` and return its own folder.

    Args:
        kind: of the plugin, as in `register_<kind>`.
        name: of the plugin, in lower case with hyphens.
        folder: where the new folder goes.

    Raises:
        PluginError: there is no such kind (names near matches), the name does not fit, or the folder
            is there already.
    """
    kinds = offered()
    if kind not in kinds:
        raise PluginError(
            f"there is no kind {kind!r} to write a plugin of",
            where="harness plugins new",
            allowed=near(kind, kinds),
        )
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise PluginError(
            f"{name!r} is no name for a plugin",
            where="harness plugins new",
            allowed="lower-case letters and digits, in words with a hyphen between them",
            hint=f"harness plugins new {kind} {_fitting(name)}",
        )
    target = folder / f"staged-harness-{name}"
    if target.exists():
        raise PluginError(
            "is there already, and nothing in it was changed",
            where=str(target),
            hint="choose another name, or another place with --folder",
        )
    texts = dict(_texts(kind))
    words = {word: texts.pop(place).strip() for word, place in WORDS.items()}
    values = words | _values(kind, name)
    for relative, content in texts.items():
        path = target / _filled(relative, values)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(content, values), encoding="utf-8")
    return target


def _values(kind: str, name: str) -> dict[str, str]:
    words = name.split("-")
    return {
        "KIND": kind,
        "NAME": name,
        "DISTRIBUTION": f"staged-harness-{name}",
        "PACKAGE": f"harness_{'_'.join(words)}",
        "CLASS": "".join(word.capitalize() for word in words),
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    for word, value in values.items():
        text = text.replace(f"@@{word}@@", value)
    return text


def _fitting(name: str) -> str:
    """The nearest name that would do."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    fitting = "-".join(words).lstrip("-0123456789")
    return fitting if NAME.fullmatch(fitting) and not keyword.iskeyword(fitting) else "mine"


def _folder(name: str) -> Traversable:
    return files("harness.plugging").joinpath(TEMPLATES, name)


def _texts(kind: str) -> Iterator[tuple[str, str]]:
    """Each file's place and text, the kind's after those of all kinds."""
    recipe = _folder(kind).joinpath("recipe.toml.tmpl").is_file()
    for root in (COMMON, *((RECIPE,) if recipe else ()), kind):
        yield from _below(_folder(root), "")


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        place = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _below(entry, f"{place}/")
        elif entry.name.endswith(".tmpl"):
            yield place.removesuffix(".tmpl"), entry.read_text("utf-8")
