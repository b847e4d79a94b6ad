"""Options of the reporters. What a study is judged by stands in its recipe, before it is run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.recipe import Model


class PageOptions(Model):
    """What a report compares. It stands in the recipe, so it is fixed before the run."""

    heldout: str | None = None
    """Held-out set that arms are compared on. If not set, the recipe's first one."""
    baseline: str | None = None
    """Arm that the others are compared with. If not set, the recipe's first one."""
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Pass rate for which the report says after how many rollouts each arm first reached it. If not set,
    the pass rate that the baseline ends with."""
    two_by_two: tuple[str, str, str, str] | None = None
    """Arms that are a 2 x 2 experiment: neither factor, the first, the second, both. The page then shows main
    effects and interaction. By default the arms are no such experiment."""
    threshold_strata: tuple[str, ...] = ()
    """Strata of the held-out set that the threshold is about. By default all of them."""
    axis: Literal["rollouts", "tokens", "cpu_seconds"] = "rollouts"
    """Cost in which the page and `harness compare` say what an arm saves until the threshold. `tokens` if
    arms differ in the length of their completions, `cpu_seconds` if they differ in what a step takes."""
    pass_at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """The k for which the page's table gives pass@k before and after training, each up to the samples per
    problem of the held-out set. By default 1, 4, 16, ... and all samples. The curve beside it has all of
    them."""


class StudyPageOptions(PageOptions):
    """What the study's page compares, and how much the pages of its runs show."""

    samples: Annotated[int, Field(ge=0)] = 1000
    """Samples of training on the page of each run, at most: whole steps, spread evenly over the run, the
    first and the last among them. 0 writes no such pages."""


class LeaderboardOptions(Model):
    """Where leaderboard entries go."""

    board: str | None = None
    """Folder name of the board. If not set, the recipe's name."""
    site: str = "site"
    """Folder of the generated web pages, relative to the leaderboards' folder."""
