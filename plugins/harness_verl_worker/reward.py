"""The reward manager of verl's reward workers: a client of the driver, which verifies.

Named `pkg://harness_verl_worker.reward` in verl's configuration. It decodes nothing and knows no
verifier: token ids go to the driver, which judges a group as soon as it is complete, and a reward comes
back with its status. What could not be judged has the reward 0 here and a note; the driver masks it out
of the loss.
"""

from __future__ import annotations

import os
from typing import Any, Final

from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from harness_verl_worker.agent import NOTES
from harness_verl_worker.driver import Judge, scored

DEADLINE: Final = "HARNESS_VERL_REWARD_SECONDS"


class SessionReward(RewardManagerBase):  # type: ignore[misc]
    """One a reward worker."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self._judge = Judge(float(os.environ[DEADLINE]))

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of one completion (verl's contract: `reward_score`, `reward_extra_info`)."""
        row = data[len(data) - 1]
        length = int(row.non_tensor_batch["response_len"])
        notes = row.non_tensor_batch["tool_extra_fields"][NOTES]
        completion = {
            "ids": [] if notes["fault"] else row.batch["responses"][:length].tolist(),
            "logprobs": [] if notes["fault"] else notes["logprobs"],
            "fault": notes["fault"],
        }
        uid, sample = str(row.non_tensor_batch["uid"]), int(row.non_tensor_batch["session_id"])
        return scored(await self._judge.outcome(uid, sample, completion))
