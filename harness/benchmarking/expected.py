"""What an evaluation would generate: completions, and tokens at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.benchmarking.run import Prepared
from harness.contract.capabilities import ModelCapabilities
from harness.contract.members import member
from harness.contract.protocols import ModelFiles, ModelLoader


@dataclass(frozen=True)
class Expected:
    """One benchmark of an evaluation, before anything is generated."""

    benchmark: str
    problems: int
    #: Per problem.
    samples: int
    #: Longest completion, in tokens.
    max_tokens: int
    #: Tokens of all prompts, each asked once, without a chat template; None if they cannot be counted here.
    prompt_tokens: int | None
    #: Characters of all prompts.
    characters: int

    @cached_property
    def completions(self) -> int:
        """How many completions are wanted."""
        return self.problems * self.samples

    @property
    def most_tokens(self) -> int:
        """Completion tokens if every completion is as long as may be."""
        return self.completions * self.max_tokens

    @property
    def asked_tokens(self) -> float:
        """Prompt tokens of all requests: counted, or about a token per four characters."""
        once = self.characters / 4 if self.prompt_tokens is None else self.prompt_tokens
        return once * self.samples


def expected(prepared: Prepared) -> list[Expected]:
    """What would be generated for each benchmark, whatever is there already.

    Prompts are counted with the model's own tokenizer if its loader finds it without a download.
    """
    files = prepared.files or _local_files(prepared)
    out = []
    for problems in prepared.sets:
        counts: Mapping[str, int] = {}
        if files is not None:
            from harness.running.preflight import prompt_lengths

            counts = prompt_lengths(files, problems.tasks)
        out.append(
            Expected(
                problems.name, len(problems.tasks), problems.samples, problems.sampling.max_tokens,
                sum(counts.values()) if counts else None,
                sum(len(message.content) for task in problems.tasks for message in task.prompt),
            )
        )  # fmt: skip
    return out


def _local_files(prepared: Prepared) -> ModelFiles | None:
    """The model's files if they are here already."""
    use = prepared.asked.loader
    if not use:
        return None
    loader = prepared.plugins.registry.find("models", use["name"], where="--loader")
    if not loader.able(ModelCapabilities).local:
        return None
    options = {key: value for key, value in use.items() if key != "name"}
    model: ModelLoader = loader.build(options, prepared.context, field_path="--loader")
    return model.load() if member("models", model, "local") else None
