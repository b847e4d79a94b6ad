"""Cited scores: other people's numbers, kept as data with where they were read.

They stand beside measured entries and are never ranked with them: prompts, windows, graders and k
differ. Values are percentages, as their sources print them.
"""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.contract.errors import UNPARSABLE, DataError, RecipeError
from harness.recipe.errors import validated


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CitedScore(_Table):
    """A score as its source prints it, in percent."""

    value: Annotated[float, Field(ge=0, le=100)]
    #: Samples per problem; None if the source does not say.
    k: Annotated[int, Field(gt=0)] | None = None
    #: Standard deviation of single runs, in points, if the source gives it.
    sd: Annotated[float, Field(ge=0)] | None = None
    #: The window of a benchmark that grows.
    window: str = ""


class CitedRow(_Table):
    model: Annotated[str, Field(min_length=1)]
    about: str = ""
    #: The model that the board's runs start from.
    base: bool = False
    #: What the board exists to reproduce.
    highlight: bool = False
    scores: Annotated[dict[str, CitedScore], Field(min_length=1)]


class Reference(_Table):
    """One source and the rows taken from it."""

    title: Annotated[str, Field(min_length=1)]
    url: str
    retrieved: datetime.date
    #: `documentation`: the authors' own claim; `third_party`: a rerun by others;
    #: `evaluation_run`: read off published per-sample outputs.
    source_type: Literal["documentation", "third_party", "evaluation_run"]
    note: str = ""
    rows: Annotated[tuple[CitedRow, ...], Field(min_length=1)]

    @field_validator("url")
    @classmethod
    def _is_a_link(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.netloc:
            raise ValueError(f"{url!r} is not an http(s) address")
        return url


def read_references(folder: Path) -> list[Reference]:
    """All `*.toml` of a folder: highlighted rows first, then base models, then by file name.

    Raises:
        DataError: a file is not TOML, or a field does not fit.
    """
    references = []
    for path in sorted(folder.glob("*.toml")):
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except UNPARSABLE as error:
            raise DataError(f"not TOML: {error}", where=str(path)) from None
        try:
            references.append(validated(Reference, values, where=str(path)))
        except RecipeError as error:
            raise DataError(error.what, where=str(path)) from None
    # The paper first, then whoever published its base model, then the rest.
    return sorted(
        references,
        key=lambda r: (not any(row.highlight for row in r.rows), not any(row.base for row in r.rows)),
    )
