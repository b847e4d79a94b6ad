"""What flows between the parts: plain frozen values that any process can rebuild from JSON.

recipe -> plan -> tasks -> rollouts -> verdicts -> rewards -> checkpoints -> scores -> board.
`encode` and `decode` are the only way in and out of JSON; decoding checks every type and names
the path of what does not fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import msgspec

from harness.contract.errors import UNPARSABLE, DataError
from harness.contract.seeds import seed_of

R = TypeVar("R")

Role = Literal["system", "user", "assistant"]
#: Why a completion ended: by itself, at its token limit, at a budget of several completions, or given up.
Finish = Literal["stop", "length", "budget", "abort"]
Phase = Literal["difficulty", "train", "eval"]
#: What a verdict says. Only a `pass` earns the whole score; `infra_error` says nothing about the sample.
Status = Literal["pass", "fail", "partial", "no_answer", "timeout", "infra_error"]

#: Longest integer that is written in decimal, in bits: Python refuses more than 4,300 digits.
LONGEST_INTEGER: Final = 14_000

#: Finishes of completions that somebody else than the model ended.
CUT: Final[frozenset[str]] = frozenset({"length", "budget"})

#: Statuses that say something about the model; the others say something about us.
JUDGED: Final[frozenset[str]] = frozenset({"pass", "fail", "partial", "no_answer", "timeout"})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpec:
    """How an answer is to be read, if the data says so."""

    type: Literal["text", "integer", "number", "expression", "choice", "program"] = "text"
    unit: str | None = None
    #: Absolute tolerance for numbers; None means exact.
    tolerance: float | None = None
    #: Whether the gold is a collection of answers, all of which are asked for.
    multiple: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One problem with its gold answer and the name of the verifier that judges it."""

    id: str
    prompt: tuple[Message, ...]
    verifier: str
    answer: Any
    domain: str = "math"
    answer_spec: AnswerSpec = field(default_factory=AnswerSpec)
    #: The level of a procedural source that never repeats a task; None for a finite data set.
    stratum: str | None = None
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What its difficulty is kept under: the stratum of an endless source, else the task."""
        return self.id if self.stratum is None else self.stratum

    @property
    def prompt_hash(self) -> str:
        """Hash of what is asked, white space aside: what held-out protection compares, for the same
        question with its answer written otherwise is still the same question."""
        return digest([[m.role, " ".join(m.content.split())] for m in self.prompt])

    @property
    def prompt_hashes(self) -> tuple[str, ...]:
        """The hash of what is asked, and of a task that was made from another one (by a hint, say) that of
        the other, too: its source says it in `meta["plain"]["prompt_hash"]`."""
        plain = self.meta.get("plain")
        other = plain.get("prompt_hash") if isinstance(plain, dict) else None
        return (self.prompt_hash,) if other is None else (self.prompt_hash, str(other))

    @property
    def content_hash(self) -> str:
        """Hash of what is asked and what is right; two tasks with the same one are the same task."""
        return digest([[m.role, m.content] for m in self.prompt], self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How completions are drawn. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    #: Longest completion, in tokens.
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which weights: their hash, and where in the run they stand."""

    weights_sha: str
    stage: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class RolloutKey:
    """The identity of a rollout. `run` names the random stream (recipe, arm, seed), not a folder,
    so that running a recipe again draws the same numbers."""

    run: str
    phase: Phase
    stage: str
    step: int
    task: str
    sample: int

    @property
    def seed(self) -> int:
        """The rollout's own seed: a task met again at another step draws anew."""
        return seed_of(self.run, self.phase, self.stage, self.step, self.task, self.sample)


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked for: one completion of one task, of which it may know all but the answer."""

    key: RolloutKey
    prompt: tuple[Message, ...]
    sampling: Sampling
    #: Token ids that the completion begins with (capability `prefix`). They count towards `max_tokens`,
    #: stand first in the rollout's `completion_ids`, and are not generated again.
    prefix_ids: tuple[int, ...] = ()
    domain: str = ""
    tags: tuple[str, ...] = ()
    #: What is known of the task's difficulty for the policy in training.
    label: Difficulty | None = None
    #: Whether the rollout is to have its tokens' log-probabilities. An engine that has them for nothing may
    #: give them all the same. An engine that wraps another and decides by them asks for them itself.
    logprobs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a rollout cost besides the tokens that came back."""

    #: Tokens generated for it and not returned, such as the other branches of a beam.
    tokens: int = 0
    #: Money in US dollars, if the engine has prices.
    usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One completion."""

    key: RolloutKey
    prompt_ids: tuple[int, ...]
    #: Without padding; the end-of-sequence token is included when the model wrote it.
    completion_ids: tuple[int, ...]
    #: The completion as text, without special tokens.
    text: str
    #: `stop`: the model ended it; `length`: cut at max_tokens; `budget`: cut before by the engine, which
    #: spends its tokens on other completions; `abort`: the engine gave up.
    finish: Finish
    policy: PolicyRef
    sampling: Sampling
    #: Natural-log probability of each completion token under the sampling policy at temperature 1.
    logprobs: tuple[float, ...] | None = None
    seconds: float = 0.0
    #: The completion's length if an engine reports it without ids, as many servers do.
    completion_tokens: int | None = None
    #: Why the engine gave up, for an `abort`.
    reason: str = ""
    #: Which engine and configuration answered, if an engine chooses among several.
    source: str = ""
    cost: Cost = Cost()
    #: Leading `completion_ids` that were not generated for it: the request gave them (`Request.prefix_ids`),
    #: or it continues another rollout of the same group, to which they are counted.
    prefix: int = 0

    @property
    def tokens(self) -> int:
        """Length of the completion in tokens: of its ids, else as the engine reports it."""
        return len(self.completion_ids) or self.completion_tokens or 0

    @property
    def generated(self) -> int:
        """Tokens that were generated for it, returned or not: what budgets count."""
        return max(0, self.tokens - self.prefix) + self.cost.tokens

    @property
    def truncated(self) -> bool:
        """Whether it was cut, at max_tokens or by a budget."""
        return self.finish in CUT


@dataclass(frozen=True, slots=True)
class Span:
    """A step of a completion and what it is worth: `text[start:end]`, in characters."""

    start: int
    end: int
    #: In [0, 1].
    score: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Evidence about one rollout. A reward is a separate, named reduction of it: `rewards`."""

    status: Status
    #: In [0, 1]; None if nothing could be judged.
    score: float | None
    verifier: str
    #: Covers the verifier's code, options and the versions of the libraries it decides with.
    verifier_hash: str
    extracted: str | None = None
    reason: str = ""
    parts: tuple[tuple[str, float], ...] = ()
    #: Scores of single steps, in the completion's order and without overlap.
    spans: tuple[Span, ...] = ()
    tests_run: int = 0
    tests_passed: int = 0
    tests_total: int = 0
    #: False if judging stopped early, so that no fraction can be read off it.
    complete: bool = True
    seconds: float = 0.0

    @property
    def judged(self) -> bool:
        """Whether it says something about the model; else it says something about us."""
        return self.status in JUDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """How often one policy solved one subject: a posterior, never a bare number.

    With a uniform prior the pass rate's posterior is Beta(passes + 1, samples - passes + 1). `samples` and
    `passes` count rollouts and nothing else. A rate that rests on no counted rollout is `predicted`: what
    an estimator expects of a subject that nobody ran, or a published rate whose samples are not known.
    """

    subject: str
    #: Name under which `select` rules refer to the policy: "policy" for the one in training.
    model: str
    policy: PolicyRef
    samples: int
    passes: int
    score_sum: float = 0.0
    score_sq_sum: float = 0.0
    criterion: str = "all_pass"
    truncated: int = 0
    excluded_infra: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    verifier_hash: str = ""
    #: A pass rate in [0, 1] without counted rollouts behind it; it holds if `samples` is 0.
    predicted: float | None = None
    #: What an estimator or a label file knows besides, by name: item response theory's discrimination `a`,
    #: difficulty `b` and ability `theta`, the standard error `se`, ...
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything is known of the pass rate, counted or predicted."""
        return self.samples > 0 or self.predicted is not None

    @property
    def pass_rate(self) -> float:
        """The observed rate, without samples the predicted one; nan if there is none either."""
        if self.samples:
            return self.passes / self.samples
        return float("nan") if self.predicted is None else self.predicted

    @property
    def mean(self) -> float:
        """The posterior mean; without samples the predicted rate, if there is one."""
        if not self.samples and self.predicted is not None:
            return self.predicted
        return (self.passes + 1) / (self.samples + 2)

    @property
    def sd(self) -> float:
        """The posterior standard deviation; nan for a predicted rate, of whose error nothing is known."""
        if not self.samples and self.predicted is not None:
            return float("nan")
        return float((self.mean * (1 - self.mean) / (self.samples + 3)) ** 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A policy on disk. `path` is relative to the run's folder and loads with transformers
    (`<path>/model`), beside the trainer's and the session's own state."""

    policy: PolicyRef
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """What every trainer reports of a step, under the same names. Rates are shares in [0, 1]."""

    stage: str
    step: int
    rollouts: int
    #: Completion tokens generated in this step, discarded groups included.
    tokens: int
    reward_mean: float
    reward_sd: float
    pass_rate: float
    #: Share of the groups that carry no signal: without shapers of advantages those of alike rewards, hence
    #: the name; with them those whose advantages are all 0 (`Group.signal`).
    zero_variance_groups: float
    truncated: float
    #: Groups that the gates discarded before enough were found.
    discarded_groups: int = 0
    #: Samples that could not be judged, those of discarded groups included; the session fills it in.
    unjudged: float = 0.0
    loss: float | None = None
    grad_norm: float | None = None
    kl: float | None = None
    entropy: float | None = None
    learning_rate: float | None = None
    #: Seconds of CPU (process) and of the clock.
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)


def digest(*parts: Any) -> str:
    """A short content hash (16 hex digits) of JSON-like values; keys of a dict may be numbers, too."""
    try:
        payload = msgspec.json.encode(parts, order="deterministic")
    except (TypeError, ValueError):
        payload = msgspec.json.encode(_spelled(parts), order="deterministic")
    return hashlib.blake2b(payload, digest_size=8).hexdigest()


def _spelled(value: Any) -> Any:
    """A value as JSON can write it in one order: other keys than text as pairs, integers of any length."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _spelled(item) for key, item in value.items()}
        pairs = [[type(key).__name__, repr(key), _spelled(item)] for key, item in value.items()]
        return {"pairs": sorted(pairs, key=lambda pair: pair[:2])}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    if isinstance(value, int) and value.bit_length() > LONGEST_INTEGER:
        return {"integer": hex(value)}
    return value


def digest_all(parts: Iterable[Any]) -> str:
    """As `digest`, of values that need not fit in memory together."""
    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        state.update(msgspec.json.encode(part, order="deterministic") + b"\n")
    return state.hexdigest()


def encode(record: Any) -> bytes:
    """A record as one line of JSON, without the line end."""
    return msgspec.json.encode(record)


def builtins(record: Any) -> Any:
    """A record as plain dicts, lists and numbers."""
    return msgspec.to_builtins(record)


def decode(data: bytes | str, kind: type[R], *, where: str = "") -> R:
    """Rebuild a record from JSON; raises DataError naming the field that does not fit."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNPARSABLE as error:
        raise DataError(f"not a {kind.__name__}: {error}", where=where) from None


def convert(value: Any, kind: type[R], *, where: str = "") -> R:
    """Rebuild a record from plain dicts and lists."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise DataError(f"not a {kind.__name__}: {error}", where=where) from None
