"""Evaluation profiles: everything that moves a score besides the model.

A profile fixes prompt, chat template use, sampling, samples, token limits, extraction and verifier. Its
hash covers all of that, so results of one hash were made alike; it leaves out the words about it. How
many samples were drawn beyond the profile's own number is the k of avg@k and stands in the metric.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, field_validator

from harness.errors import CapabilityError, RecipeError
from harness.plugins import Plugins
from harness.protocols import BuildContext
from harness.recipe.errors import validated
from harness.recipe.load import merged, override_value
from harness.recipe.stage import Count, Model, Plugin
from harness.records import Message, Sampling, Task, digest

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
    """How completions are drawn. `temperature` 0 is greedy, `top_k` 0 is off."""

    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    max_tokens: Count
    stop: tuple[str, ...] = ()


class Domain(Model):
    """How problems of one domain are asked and judged."""

    #: The user's turn; `{problem}` stands for the problem, `{format}` for the format it asks for, where
    #: the benchmark has one.
    prompt: str
    #: The system turn of this domain, instead of the profile's.
    system: str | None = None
    #: The judge with its options, extraction and thinking among them.
    verifier: Plugin

    @field_validator("prompt")
    @classmethod
    def _asks(cls, value: str) -> str:
        if PLACEHOLDER not in value:
            raise ValueError(f"holds no {PLACEHOLDER}")
        return value


class Profile(Model):
    """See the module's text."""

    name: str
    #: As a benchmark's: the number changes when scores do, the letter with the interface.
    version: str
    about: str = ""
    #: Where the settings are from.
    source: str = ""
    #: Whether prompts go through the tokenizer's chat template; else they are sent as they are.
    chat: bool = True
    #: The system turn; none when empty.
    system: str = ""
    sampling: SamplingOptions
    #: Longest completion by benchmark, where it is not `sampling.max_tokens`.
    max_tokens: dict[str, Count] = Field(default_factory=dict)
    #: Samples a problem by benchmark; `default` for the others.
    samples: dict[str, Count]
    domains: dict[str, Domain]

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
        return digest(values)

    def samples_of(self, benchmark: str) -> int:
        """Samples a problem: as said for the benchmark, for what it is a part of, or for its family."""
        return _nearest(self.samples, benchmark, self.samples[DEFAULT])

    def sampling_of(self, benchmark: str) -> Sampling:
        options = self.sampling.model_dump()
        options["max_tokens"] = _nearest(self.max_tokens, benchmark, options["max_tokens"])
        return Sampling(**options)

    def domain_of(self, task: Task, benchmark: str) -> Domain:
        """How this task is asked and judged; raises CapabilityError where the profile does not say."""
        found = self.domains.get(task.domain)
        if found is None:
            raise CapabilityError(
                f"profile {self.name!r} has no domain {task.domain!r}, so it cannot score {benchmark!r}",
                allowed=", ".join(self.domains),
            )
        return found

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


def _nearest(table: Mapping[str, int], benchmark: str, default: int) -> int:
    """The entry of `livecodebench-v5@WINDOW`, else of `livecodebench-v5`, else of `livecodebench`."""
    name = benchmark
    while name not in table:
        shorter = name.partition(PART)[0] if PART in name else name.rpartition("-")[0]
        if not shorter:
            return default
        name = shorter
    return table[name]


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"not TOML: {error}", where=name) from None
    base = values.pop("extends", None)
    if base is None:
        return values
    if base in seen:
        raise RecipeError(f"extends itself through {' -> '.join((*seen, base))}", where=name)
    return merged(_values(str(base), plugins, context, (*seen, name)), values)
