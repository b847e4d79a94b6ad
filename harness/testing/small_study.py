"""A finished study of the simulated student, made by real runs within seconds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from harness.contract.protocols import ReportContext
from harness.plugging.plugins import Plugins

RECIPE: Final = """\
name = "small"
seeds = [0, 1]

[model]
name = "student"
prompt = "raw"
loader = "sim"

[trainer]
name = "sim"

[tasks]
train = [{ name = "sim-irt", count = 20, low = -2.0, high = 2.0 }]

[report]
reporters = []

[[evaluation.heldout]]
name = "heldout"
tasks = [{ name = "sim-irt", count = 6, low = -2.0, high = 2.0, split = "heldout" }]
per_stratum = 4
max_tokens = 256

[[stages]]
name = "all"
rollout = { n = 4, batch = 4, max_tokens = 256 }
max_steps = 4

[[arms]]
name = "plain"
about = "every subject alike"

[[arms]]
name = "slow"
about = "a student that learns slower"
set = { trainer = { name = "sim", gain = 1000.0 } }
"""


def small_study(folder: Path, plugins: Plugins, *, finished: bool = True) -> ReportContext:
    """A study of two arms and two seeds below `folder`, as `harness run` leaves it.

    Args:
        folder: where the recipe, the runs and the leaderboards go.
        plugins: the loaded plugins; those of the simulation must be among them.
        finished: whether its runs are done; otherwise none has begun.
    """
    from harness.planning.plan import make_plans
    from harness.recipe import load_recipe
    from harness.running.loop import proceed
    from harness.running.parts import Parts
    from harness.running.study import create

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    file = load_recipe(path)
    plans = make_plans(file, plugins)
    study = create(file, plans, folder / "runs", (), ())
    for plan in plans if finished else ():
        with ExitStack() as stack:
            proceed(Parts(plan, study.run_folder(plan.arm.name, plan.seed), stack))
    return ReportContext(study.folder, study.infos(), folder / "leaderboards")
