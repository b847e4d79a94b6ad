"""Options of the reporters. What a study is judged by stands in its recipe, before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.recipe.errors import validated
from harness.recipe.stage import Model

if TYPE_CHECKING:
    from harness.readout import Study


class PageOptions(Model):
    """Options of reporter `page`."""

    #: Held-out set that arms are compared on; the first of the recipe when not given.
    heldout: str | None = None
    #: The arm that others are compared with; the recipe's first when not given.
    baseline: str | None = None
    #: Pass rate whose first passage is reported. When not given it is what the baseline ends with.
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    #: Strata of the held-out set that the threshold is about; all when empty.
    threshold_strata: tuple[str, ...] = ()


class LeaderboardOptions(Model):
    """Options of reporter `leaderboard`."""

    #: Folder name of the board; the recipe's name when not given.
    board: str | None = None
    #: Folder of the built site, relative to the leaderboards' folder.
    site: str = "site"


def page_options(study: Study) -> PageOptions:
    """The `page` reporter's options in the study's own recipe."""
    # Imported here: checking a recipe needs the options above, not the statistics behind the board.
    from harness.board.build import arm_recipe

    for use in arm_recipe(study, "").get("report", {}).get("reporters", ()):
        if isinstance(use, dict) and use.get("name") == "page":
            values = {k: v for k, v in use.items() if k != "name"}
            return validated(PageOptions, values, where=str(study.folder / "recipe.toml"))
    return PageOptions()
