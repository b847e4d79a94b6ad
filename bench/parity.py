"""What each trainer makes of the same recipe, model, tasks and recorded rollouts.

    python bench/parity.py            print the differences
    python docs/make/backends.py           write them to docs/reference/backends.md

Every setting is a recipe that is run for real by each trainer, session, verifier and ledger included.
The trainer `torch` generates; the others are given the rollouts that it recorded, so that what differs
is theirs: the advantages that reach their loss, the loss, the gradient, the weights after the update.
"""

from __future__ import annotations

import contextlib
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import torch

from harness.contract.errors import DataError
from harness.contract.records import Rollout, RolloutKey, StepMetrics, convert
from harness.contract.samples import Group
from harness.plugging.plugins import Plugins, load
from harness.recording.groups import read_group
from harness.recording.ledger import read
from harness.testing.workbench import Recorded, Workbench

#: Completions and their advantages, by prompt and completion ids.
Advantages = dict[tuple[tuple[int, ...], tuple[int, ...]], float]
#: The reference first.
TRAINERS: Final = ("torch", "trl", "verl")
#: Those whose updates can be looked into from this process.
WATCHED: Final = ("torch", "trl")

#: What a setting changes in the plain recipe: conventions, and the stage's fields.
SETTINGS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "GRPO, tokens alike": ({}, {}),
    "TRL's epsilon, 1e-4": ({"advantage_epsilon": 1e-4}, {}),
    "population deviation, sequences alike": ({"std": "population", "normalise": "sequence"}, {}),
    "no deviation": ({"std": "none"}, {}),
    "KL 0.05 and entropy 0.01": ({}, {"loss": {"kl": 0.05, "entropy": 0.01}}),
    "KL 0.05, sequences alike": ({"normalise": "sequence"}, {"loss": {"kl": 0.05}}),
    "cut completions masked": (
        {},
        {"loss": {"mask_truncated": True}, "max_tokens": 10, "curriculum": "uniform"},
    ),
    "temperature 0.7": ({}, {"temperature": 0.7}),
    "gates and refills": ({}, {"gates": [{"name": "mixed-outcomes", "max_refills": 8}]}),
    "a batch that stays short": ({}, {"gates": [{"name": "mixed-outcomes", "max_refills": 0}]}),
    "two updates per step, clip 0.02": ({}, {"epochs": 2, "loss": {"clip_low": 0.02, "clip_high": 0.02}}),
    "some samples unjudged": ({}, {"unjudged": True}),
    "LoRA of rank 8": ({}, {"lora": {"rank": 8, "alpha": 16}}),
}


#: Within which a trainer agrees with the reference: advantages absolutely, loss and gradient relatively.
ADVANTAGES, LOSS, GRADIENT = 1e-6, 1e-4, 1e-4
#: The second update's gradient follows an AdamW step, which divides by the gradient's own size and so
#: magnifies the rounding of weights whose gradient is almost 0.
GRADIENT_AFTER_A_STEP = 1e-3


#: Where the reference computes.
ON_CPU: Final[dict[str, Any]] = {"device": "cpu", "threads": 1}


def recipe(
    trainer: str,
    conventions: Mapping[str, Any],
    stage: Mapping[str, Any],
    resources: Mapping[str, Any] = ON_CPU,
) -> dict[str, Any]:
    """The recipe of a setting; nothing but the trainer's name depends on the trainer, besides what a
    trainer calls its micro-batches: several a step, so that their sums are compared too."""
    micro = {
        "torch": {"micro_batch_tokens": 512, "skip_without_advantage": False},
        "trl": {"micro_batch_rows": 16},
    }
    changes = {k: v for k, v in stage.items() if k in ("loss", "gates", "replay")}
    # At the first step the policy is its own reference: another one makes the KL term matter.
    reference = {"reference": "reference"} if "kl" in stage.get("loss", {}) else {}
    return {
        "name": "parity",
        "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw", "lora": stage.get("lora")},
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": "9-10"}]},
        "trainer": {
            "name": trainer,
            **micro.get(trainer, {}),
            **reference,
        },
        "resources": dict(resources),
        "conventions": dict(conventions),
        "checkpoints": {"every_steps": 1000, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": [
            {
                "name": "s",
                "curriculum": stage.get("curriculum", "learnability"),
                "rollout": {
                    "n": 8,
                    "batch": 8,
                    "max_tokens": stage.get("max_tokens", 16),
                    "temperature": stage.get("temperature", 1.0),
                },
                # No clipping of the gradient: it is compared as it came.
                "optimizer": {
                    "lr": stage.get("lr", 1e-4),
                    "max_grad_norm": 0,
                    "epochs": stage.get("epochs", 1),
                },
                "max_steps": 3,
                **changes,
            }
        ],
    }


@dataclass(slots=True)
class Seen:
    """What one trainer did in a run."""

    run: Recorded
    #: One an update: the whole gradient as one vector, in the order of transformers' parameters.
    gradients: list[torch.Tensor] = field(default_factory=list)
    #: One an update.
    advantages: list[Advantages] = field(default_factory=list)

    @property
    def metrics(self) -> list[StepMetrics]:
        return self.run.metrics()

    @property
    def groups(self) -> list[Group]:
        """All judged groups, kept or not."""
        return [read_group(line["group"]) for line in self.run.lines("group")]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """What was drawn, kept and recorded of each group, but for how long its judging took."""
        lines = self.run.lines("group")
        return [{"kept": line["kept"], **line["group"], "seconds": None} for line in lines]

    @property
    def rollouts(self) -> dict[RolloutKey, Rollout]:
        return {rollout.key: rollout for group in self.groups for rollout in group.rollouts or ()}


def whole_gradient(module: torch.nn.Module, parameters: list[torch.Tensor]) -> torch.Tensor:
    """The gradient as one vector on the CPU, in the order of the module's parameters, which may be views of
    `parameters` (as those of Llama models are of fused matrices)."""
    owners = {p.untyped_storage().data_ptr(): p for p in parameters}
    parts = []
    for view in module.parameters():
        owner = view if view.grad is not None else owners.get(view.untyped_storage().data_ptr())
        if owner is None and not view.requires_grad:
            continue  # Under an adapter.
        assert owner is not None
        if owner.grad is None:
            parts.append(torch.zeros(view.numel()))
            continue
        start = view.storage_offset() if owner is not view else 0
        parts.append(owner.grad.flatten()[start : start + view.numel()].to("cpu", copy=True))
    return torch.cat(parts)


@contextlib.contextmanager
def watched(trainer: str, seen: Seen) -> Iterator[None]:
    """Look into a trainer's updates while it works."""
    if trainer == "torch":
        from harness_torch.learner import Learner
        from harness_torch.update import GroupLoss, MiniBatch

        update, backward = Learner.update, GroupLoss.backward

        def spy_update(self: Learner, *arguments: Any) -> Any:
            seen.gradients.append(whole_gradient(self.network.module, self.network.parameters()))
            return update(self, *arguments)

        def spy_backward(self: GroupLoss, part: MiniBatch, *arguments: Any) -> Any:
            advantages: Advantages = {}
            for rows in part.rows:
                group = rows.completions.shape[1]
                for i, advantage in enumerate(rows.advantages.flatten().tolist()):
                    prompt = rows.prompts[i // group][: rows.lengths[i // group]]
                    completion = rows.completions.flatten(0, 1)[i][rows.flat_mask[i]]
                    advantages[tuple(prompt.tolist()), tuple(completion.tolist())] = advantage
            seen.advantages.append(advantages)
            return backward(self, part, *arguments)

        with (
            mock.patch.object(Learner, "update", spy_update),
            mock.patch.object(GroupLoss, "backward", spy_backward),
        ):
            yield
        return
    from harness_trl.grpo import StageTrainer
    from harness_trl.trainer import StageRun

    before, compute = StageRun.before_update, StageTrainer.compute_loss
    under_way: Advantages = {}

    def spy_before(self: StageRun, *arguments: Any) -> None:
        seen.gradients.append(whole_gradient(self.weights.module, []))
        seen.advantages.append(dict(under_way))
        under_way.clear()
        before(self, *arguments)

    def spy_compute(self: StageTrainer, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        rows = zip(
            *(inputs[name] for name in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")),
            strict=True,
        )
        for i, (prompt, seen_prompt, completion, counts) in enumerate(rows):
            if counts.any():
                key = tuple(prompt[seen_prompt.bool()].tolist()), tuple(completion[counts.bool()].tolist())
                under_way[key] = float(inputs["advantages"][i])
        return compute(self, model, inputs, *rest, **named)

    with (
        mock.patch.object(StageRun, "before_update", spy_before),
        mock.patch.object(StageTrainer, "compute_loss", spy_compute),
    ):
        yield


def run(
    trainer: str,
    name: str,
    folder: Path,
    plugins: Plugins,
    replay: Seen | None = None,
    resources: Mapping[str, Any] = ON_CPU,
) -> Seen:
    """A setting, run by a trainer."""
    conventions, stage = SETTINGS[name]
    if "kl" in stage.get("loss", {}):
        write_reference(folder)
    seen = Seen(Recorded(folder))
    with watched(trainer, seen):
        seen.run = Workbench(folder, plugins).run(
            recipe(trainer, conventions, stage, resources),
            trainer,
            replay=replay.rollouts if replay else None,
            unjudged=(lambda rollout: rollout.key.sample % 3 == 0) if stage.get("unjudged") else None,
        )
    return seen


def write_reference(folder: Path) -> None:
    """Beside the recipe: the model with every weight moved by 2 % of its tensor's deviation."""
    if (folder / "reference").exists():
        return
    import harness_torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model_folder = Path(harness_torch.__path__[0]) / "models" / "chain-334k"
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.02 * weight.std() * torch.randn(weight.shape, generator=noise)
    model.save_pretrained(folder / "reference")
    AutoTokenizer.from_pretrained(model_folder).save_pretrained(folder / "reference")


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a trainer is from the reference, in a setting."""

    #: Largest absolute difference of the advantages that reached the loss, over all updates.
    advantages: float
    #: Of the first step's updates, relative to the loss's scale: the mean absolute advantage of what it
    #: sums up, for the loss itself is a difference of such terms and near 0.
    loss: float
    #: Relative difference (L2 norms of whole gradients) of each of the first step's updates.
    gradients: tuple[float, ...]
    #: Whether the same tasks were drawn, the same groups kept and the same advantages recorded at each step.
    decisions: bool

    @property
    def agrees(self) -> bool:
        first, *later = self.gradients
        return (
            self.advantages <= ADVANTAGES
            and self.loss <= LOSS
            and first <= GRADIENT
            and all(gradient <= GRADIENT_AFTER_A_STEP for gradient in later)
            and self.decisions
        )


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    scale = float(reference.norm())
    return float((value - reference).norm()) / scale if scale else float(value.norm())


def difference(seen: Seen, reference: Seen) -> Difference:
    """Raises AssertionError where the two did not make the same number of updates."""
    assert len(seen.gradients) == len(reference.gradients) > 0
    apart = 0.0
    for mine, theirs in zip(seen.advantages, reference.advantages, strict=True):
        assert mine.keys() == theirs.keys(), "other completions reached the loss"
        apart = max(apart, *(abs(mine[key] - theirs[key]) for key in mine))
    assert float(reference.gradients[0].norm()) > 0, "the first step learns nothing: no comparison"
    own, other = seen.metrics[0].loss, reference.metrics[0].loss
    assert own is not None
    assert other is not None
    scale = sum(map(abs, reference.advantages[0].values())) / len(reference.advantages[0])
    updates = len(reference.gradients) // len(reference.metrics)
    first = zip(seen.gradients[:updates], reference.gradients[:updates], strict=True)
    return Difference(
        advantages=apart,
        loss=abs(own - other) / max(scale, abs(other)),
        gradients=tuple(relative(a, b) for a, b in first),
        decisions=seen.decisions == reference.decisions,
    )


def compare(trainer: str, name: str, folder: Path, plugins: Plugins) -> Difference:
    """A trainer against the reference in a setting; `folder` is an empty one."""
    reference = run(TRAINERS[0], name, folder, plugins)
    return difference(run(trainer, name, folder, plugins, reference), reference)


def absent(trainer: str, plugins: Plugins) -> str:
    """Why a trainer cannot be compared here; empty when it can."""
    registered = [r for r in plugins.registry.all("trainers") if r.name == trainer]
    if not registered:
        return "no plugin of this environment registers it"
    if missing := registered[0].missing():
        return f"needs {', '.join(missing)}"
    return "" if trainer in WATCHED else "its updates are made in other processes"


def replayed(source: Path, folder: Path, plugins: Plugins) -> tuple[StepMetrics, StepMetrics]:
    """The first step's metrics of a finished run of any trainer, and those that the reference trainer
    gives for the same rollouts. `source` is the run's folder inside its study; `folder` an empty one.

    Raises:
        DataError: the run kept no rollouts (`detail = "group"`).
    """
    lines = list(read(source / "ledger.jsonl"))
    first = next(convert(line["metrics"], StepMetrics) for line in lines if line["t"] == "step")
    groups = [read_group(line["group"]) for line in lines if line["t"] == "group"]
    recorded = {r.key: r for g in groups if g.step == first.step for r in g.rollouts or ()}
    if not recorded:
        raise DataError("has no rollouts", where=str(source), hint='run it with detail = "sample"')
    values = tomllib.loads((source.parents[1] / "recipe.toml").read_text(encoding="utf-8"))
    stage = next(line["options"] for line in lines if line["t"] == "stage_started")
    options = {"skip_without_advantage": False}
    values |= {"trainer": {"name": TRAINERS[0], **options}, "stages": [{**stage, "max_steps": 1}]}
    values["report"] = {"reporters": []}
    values["resources"] = dict(ON_CPU)
    values["evaluation"] = {**values.get("evaluation", {}), "heldout": []}
    done = Workbench(folder, plugins).run(values, TRAINERS[0], replay=recorded)
    return first, done.metrics()[0]


def main() -> None:
    torch.set_num_threads(1)
    plugins = load()
    for trainer in TRAINERS[1:]:
        if why := absent(trainer, plugins):
            print(f"{trainer}: not here, for {why}")
            continue
        for name in SETTINGS:
            with tempfile.TemporaryDirectory() as folder:
                print(f"{trainer}: {name}: {compare(trainer, name, Path(folder), plugins)}")


if __name__ == "__main__":
    main()
