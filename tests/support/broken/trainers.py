"""Trainers that count samples wrongly or move weights where they must not, over the trainer `torch`, and a
whole one."""

from dataclasses import replace

import torch
from harness_torch.trainer import TorchTrainer
from harness_transformers.weights import weights_sha

from harness import hookimpl


class Telling:
    """The run's own session, but for the metrics of each step."""

    def __init__(self, session, changed):
        self.session, self.changed = session, changed
        self.groups = []

    def __getattr__(self, name):
        return getattr(self.session, name)

    def collect(self, generate):
        batch = self.session.collect(generate)
        self.groups = batch.groups
        return batch

    def finish_step(self, metrics):
        return self.session.finish_step(self.changed(metrics, self.groups))


class Blaming(TorchTrainer):
    """Counts what the engine gave up as failures."""

    def train(self, stage, policy, session):
        return super().train(stage, policy, Telling(session, self.changed))

    def changed(self, metrics, groups):
        samples = [sample for group in groups for sample in group.samples]
        passed = sum(sample.verdict.status == "pass" for sample in samples)
        return replace(metrics, pass_rate=passed / len(samples))


class Paying(Blaming):
    """Counts replayed samples as new rollouts."""

    def changed(self, metrics, groups):
        return replace(metrics, rollouts=sum(group.size for group in groups))


class Moving(TorchTrainer):
    """Moves its weights a little."""

    def move(self):
        network = self.live.weights.network
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1.001)
        network.changed()


class Drifting(Moving):
    """Its weights move when it generates, as those of a layer that counts what it has seen."""

    def train(self, stage, policy, session):
        moved = self.move

        class Session(Telling):
            def collect(self, generate):
                batch = self.session.collect(generate)
                moved()
                return batch

        return super().train(stage, policy, Session(session, lambda metrics, groups: metrics))


class Measuring(Moving):
    """Its weights move when they are evaluated inside a stage."""

    def train(self, stage, policy, session):
        moved = self.move

        class Session(Telling):
            def evaluate(self, engine):
                moved()
                return self.session.evaluate(engine)

        return super().train(stage, policy, Session(session, lambda metrics, groups: metrics))


class Rounding(Moving):
    """Resumes with other weights than the checkpoint has, as if they had been stored in a shorter type."""

    def train(self, stage, policy, session):
        self.live.load(policy)
        if session.first_step:
            self.move()
        return super().train(stage, policy, session)


class Trusting(TorchTrainer):
    """Takes whatever lies in a checkpoint's folder for the weights that the run recorded."""

    def train(self, stage, policy, session):
        return super().train(stage, self.believed(policy), session)

    def engine(self, policy):
        return super().engine(self.believed(policy))

    def believed(self, policy):
        return replace(policy, ref=replace(policy.ref, weights_sha=weights_sha(policy.files.path)))


@hookimpl
def register_trainers(register):
    able = {
        "kinds": ["rl", "sft"],
        "losses": ["kl", "entropy", "terms", "mask_truncated"],
        "dynamic_sampling": True,
        "in_stage_evaluation": True,
        "resume": True,
        "engine": True,
        "token_credit": True,
        "replay": True,
    }
    options = "harness_torch.options:TorchOptions"
    for made in (TorchTrainer, Blaming, Paying, Drifting, Measuring, Rounding, Trusting):
        name = "Whole" if made is TorchTrainer else made.__name__
        register(name, f"harness_plugin:{made.__name__}", options=options, capabilities=able)
