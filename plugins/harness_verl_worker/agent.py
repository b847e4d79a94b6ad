"""The agent loop `harness`: one completion of a prompt whose tokens the driver rendered.

Prompts are rendered where the policy is measured and evaluated, so that all see the same tokens; each
sample is drawn under its own seed.
"""

from __future__ import annotations

from typing import Any, Final

from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput, register
from verl.utils.profiler import simple_timer

from harness_verl_worker.reply import ask

#: `rollout.agent.default_agent_loop`.
LOOP: Final = "harness"
#: Column of a batch that holds, for each prompt, what the driver said of it.
GIVEN: Final = "harness"
#: Under this name a reward worker finds the log-probabilities and the fault of a completion.
NOTES: Final = "harness_notes"


@register(LOOP)
class GivenPrompt:
    """verl makes one for each sample; what it hands over besides is of no use here."""

    def __init__(self, *, server_manager: Any, tokenizer: Any, **_: Any) -> None:
        self._server, self._tokenizer = server_manager, tokenizer

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Generate one completion. A server that fails is noted, not raised: the driver decides."""
        given = row[GIVEN]
        how = {
            **sampling_params,
            "seed": given["seeds"][row["session_id"]],
            "max_tokens": given["max_tokens"],
        }
        timings: dict[str, Any] = {}
        with simple_timer("generate_sequences", timings):
            ids, logprobs, fault, extra = await ask(self._server, given["prompt_ids"], how)
        mask = [1] * len(ids)
        if fault:
            # A row needs a token; this one counts for nothing.
            ids, logprobs, mask = [self._tokenizer.eos_token_id], [0.0], [0]
        notes = {"fault": fault, "logprobs": logprobs}
        timings.setdefault("num_preempted", -1)
        return AgentLoopOutput(
            prompt_ids=list(given["prompt_ids"]),
            response_ids=ids,
            response_mask=mask,
            response_logprobs=logprobs,
            num_turns=2,
            metrics=AgentLoopMetrics(**timings),
            extra_fields={
                "min_global_steps": extra.get("min_global_steps", extra.get("global_steps", 0)),
                "max_global_steps": extra.get("max_global_steps", extra.get("global_steps", 0)),
                "turn_scores": [],
                "tool_rewards": [],
                NOTES: notes,
            },
        )
