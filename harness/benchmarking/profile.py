"""Evaluation profiles: everything that moves a score besides the model.

A profile fixes prompt, chat template use, sampling, samples, token limits, extraction and verifier. Its
hash covers all of that, so results of one hash were made alike; it leaves out the words about it. How
many samples were drawn beyond the profile's own number is the k of avg@k and stands in the metric.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from harness.contract.errors import UNPARSABLE, CapabilityError, RecipeError
from harness.contract.protocols import BuildContext
from harness.contract.records import Message, Sampling, Task, digest
from harness.plugging.plugins import Plugins
from harness.recipe.errors import validated
from harness.recipe.load import merged, override_value
from harness.recipe.stage import Count, Model, Plugin

DEFAULT: Final = "default"
PLACEHOLDER: Final = "{problem}"
#: A benchmark may say beside a problem in which format an answer has to come.
FORMAT: Final = "{format}"
#: Between a benchmark's name and the part of it that is meant.
PART: Final = "@"
#: Fields that change no number.
WORDS: Final = frozenset({"name", "about", "source"})
_PLACES: Final = re.compile(f"{re.escape(PLACEHOLDER)}|{re.escape(FORMAT)}")


class SamplingOptions(Model):
    """How completions are sampled."""

    temperature: Annotated[float, Field(ge=0)]
    """Sampling temperature. 1 samples from the model's own distribution, 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: only the most likely tokens whose probabilities add up to this share are sampled. 1
    switches it off."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Only this many most likely tokens are sampled. 0 switches it off."""
    max_tokens: Count
    """Longest completion, in tokens. A longer one is cut there and counts as truncated."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion. By default only the model's own end does."""


class Domain(Model):
    """How problems of one domain are asked and judged."""

    prompt: str
    """The user's message. `{problem}` stands for the problem and must be there; `{format}` stands for the
    format that the problem asks for, if the benchmark names one."""
    system: str | None = None
    """System message of this domain. If not set, the profile's."""
    verifier: Plugin
    """Plugin of kind `verifiers` that judges, with its options, such as extraction and thinking."""

    @field_validator("prompt")
    @classmethod
    def _asks(cls, value: str) -> str:
        if PLACEHOLDER not in value:
            raise ValueError(f"holds no {PLACEHOLDER}")
        return value


class Profile(Model):
    """A profile as its TOML file holds it."""

    name: str
    """Name of the profile."""
    version: str
    """Version of the profile: the number changes if scores change, a letter behind it if only the interface
    does."""
    about: str = ""
    """What the profile is for, in words. It is not part of the hash."""
    source: str = ""
    """Where the settings come from, in words. It is not part of the hash."""
    chat: bool = True
    """Whether prompts are rendered with the tokenizer's chat template. If false, they are sent as they
    are."""
    system: str = ""
    """System message. Empty sends none."""
    sampling: SamplingOptions
    """How completions are sampled."""
    max_tokens: dict[str, Count] = Field(default_factory=dict)
    """Longest completion per benchmark, in tokens. Benchmarks that are not named take
    `sampling.max_tokens`."""
    samples: dict[str, Count]
    """Samples per problem, by benchmark; `default` for those that are not named."""
    domains: dict[str, Domain]
    """How problems are asked and judged, by domain."""
    votes: Literal["meaning", "text"] = "meaning"
    """How maj@k counts: answers that mean the same to the verifier are one vote (`meaning`), or only those
    that are written alike (`text`)."""

    @field_validator("samples")
    @classmethod
    def _has_default(cls, value: dict[str, int]) -> dict[str, int]:
        if DEFAULT not in value:
            raise ValueError(f"needs an entry {DEFAULT!r}")
        return value

    @property
    def hash(self) -> str:
        """16 hex digits over all that moves a score."""
        values = self.model_dump(mode="json", exclude=set(WORDS))
        for domain in values["domains"].values():
            if domain["system"] is None:
                del domain["system"]
        if self.votes == "meaning":
            # The verifiers' hashes say by what comparison.
            del values["votes"]
        return digest(values)

    def samples_of(self, benchmark: str, family: Sequence[str] = ()) -> int:
        """Samples per problem: as said for the benchmark, for what it is a part of, or for its family.

        Args:
            family: names that stand in for the benchmark's, nearest first (`BenchmarkCapabilities.family`).
        """
        return _nearest(self.samples, (benchmark, *family), self.samples[DEFAULT])

    def sampling_of(self, benchmark: str, family: Sequence[str] = ()) -> Sampling:
        """How a benchmark is sampled; its token limit is found as its samples are."""
        options = self.sampling.model_dump()
        options["max_tokens"] = _nearest(self.max_tokens, (benchmark, *family), options["max_tokens"])
        return Sampling(**options)

    def domain_of(self, task: Task, benchmark: str) -> Domain:
        """How this task is asked and judged; raises CapabilityError if the profile does not say."""
        domain = self.domains.get(task.domain)
        if domain is None:
            raise CapabilityError(
                f"profile {self.name!r} has no domain {task.domain!r}, so it cannot score {benchmark!r}",
                allowed=", ".join(self.domains),
            )
        return domain

    def asked(self, task: Task, benchmark: str) -> Task:
        """The task with this profile's prompt and verifier."""
        domain = self.domain_of(task, benchmark)
        known = {PLACEHOLDER: task.prompt[-1].content, FORMAT: str(task.meta.get("format", ""))}
        # In one go: a problem may hold the words that stand for others.
        content = _PLACES.sub(lambda place: known[place[0]], domain.prompt)
        prompt: tuple[Message, ...] = (Message("user", content),)
        system = self.system if domain.system is None else domain.system
        if system:
            prompt = (Message("system", system), *prompt)
        return replace(task, prompt=prompt, verifier=domain.verifier.name)


def _nearest(table: Mapping[str, int], names: Iterable[str], default: int) -> int:
    """The entry of the first name that has one, its shorter forms tried before the next name:
    `livecodebench-v5@WINDOW`, `livecodebench-v5`, `livecodebench`."""
    for name in names:
        while name and name not in table:
            name = name.partition(PART)[0] if PART in name else name.rpartition("-")[0]
        if name:
            return table[name]
    return default


def load_profile(
    name: str, plugins: Plugins, context: BuildContext, overrides: Iterable[str] = ()
) -> Profile:
    """A registered profile, or one in a TOML file (which may say `extends = "r1-standard"`).

    Args:
        overrides: `path=value`, such as `sampling.max_tokens=512`; the hash follows them.

    Raises:
        UnknownName: no profile of this name; names near matches.
        RecipeError: the file or an override does not fit.
    """
    values = _values(name, plugins, context, ())
    for override in overrides:
        values = override_value(values, override)
    return validated(Profile, values, where=f"profile {name!r}")


def _values(name: str, plugins: Plugins, context: BuildContext, seen: tuple[str, ...]) -> dict[str, Any]:
    path = Path(name)
    if path.suffix != ".toml":
        registration = plugins.registry.find("profiles", name, where="--profile")
        described: Mapping[str, Any] = registration.build({}, context).describe()
        return dict(described)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError("there is no such file", where=name) from None
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror or error}", where=name) from None
    except UNPARSABLE as error:
        raise RecipeError(f"not TOML: {error}", where=name) from None
    base = values.pop("extends", None)
    if base is None:
        return values
    if base in seen:
        raise RecipeError(f"extends itself through {' -> '.join((*seen, base))}", where=name)
    return merged(_values(str(base), plugins, context, (*seen, name)), values)
