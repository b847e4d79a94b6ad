"""Small recipes that tests run for real."""

from __future__ import annotations

from pathlib import Path

SIM = """
name = "small-sim"
seeds = [0]
[model]
name = "student"
loader = "sim"
prompt = "raw"
[tasks]
train = [{ name = "sim-irt" }]
[difficulty]
estimator = { name = "pass-rate", samples = 2, tasks = 8 }
reuse = 0.9
[trainer]
name = "sim"
[evaluation]
every_steps = 3
[[evaluation.heldout]]
name = "items"
tasks = [{ name = "sim-irt", split = "heldout" }]
per_stratum = 4
[budget]
rollouts = 6000
[checkpoints]
every_steps = 4
min_free_gb = 0.0
[report]
reporters = []
[[stages]]
name = "s"
select = "0.05 <= p <= 0.95"
curriculum = "staged"
gates = [{ name = "mixed-outcomes", max_refills = 20 }]
reestimate = true
repeat = "budget"
until = { rollouts = 1200 }
rollout = { n = 4, batch = 16 }
optimizer = { lr = 3e-4 }
"""

TORCH = """
name = "small-torch"
[model]
name = "random"
loader = { name = "random-llama" }
prompt = "raw"
[tasks]
train = [{ name = "arithmetic-chain", strata = "1-2" }]
[difficulty]
estimator = { name = "pass-rate", samples = 4, tasks = 8, sequential = false }
max_tokens = 2
[evaluation]
every_steps = 2
[[evaluation.heldout]]
name = "chains"
tasks = [{ name = "arithmetic-chain", strata = "1-2", split = "heldout" }]
per_stratum = 16
max_tokens = 2
[checkpoints]
every_steps = 2
min_free_gb = 0.0
[report]
reporters = []
[[stages]]
name = "first"
select = "p < 1"
curriculum = "uniform"
rollout = { n = 8, batch = 8, max_tokens = 2 }
loss = { kl = 0.01 }
optimizer = { lr = 3e-3 }
max_steps = 5
[[stages]]
name = "second"
reestimate = true
curriculum = "learnability"
rollout = { n = 4, batch = 8, max_tokens = 2 }
optimizer = { lr = 3e-3 }
max_steps = 5
"""


#: The same recipe with another trainer, and nothing else.
TRL = TORCH.replace('name = "small-torch"', 'name = "small-trl"\ntrainer = "trl"')


def write(folder: Path, text: str, name: str = "recipe.toml") -> Path:
    """Put a recipe into a folder; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path
