"""What every trainer must do, tried in real runs of the real loop."""

from __future__ import annotations

from harness.testing.trainer_capabilities import Declared
from harness.testing.trainer_evidence import Evidence
from harness.testing.trainer_failures import Failures
from harness.testing.trainer_lora import Adapters
from harness.testing.trainer_samples import Samples
from harness.testing.trainer_session import SessionUse
from harness.testing.trainer_stages import StageUse


class TrainerConformance(SessionUse, StageUse, Evidence, Samples, Failures, Declared, Adapters):
    """Subclass with the trainer, a model that solves the tasks sometimes, and the tasks.

    Names are as a recipe writes them. The tests run stages of a few small steps.
    """
