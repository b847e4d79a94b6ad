"""Engine `beam`: the completions of a task as branches of one beam, under one budget of generated tokens.

Branches grow by a segment per round. After each round those that the policy finds much less likely than the
best are pruned. A pruned branch's place is taken by a fork of a branch that stays, so that as many
completions are returned as were asked for; or, with `pruned = "return"`, the branch is returned as it
stands. When the budget runs short the least likely branches are returned as they stand, with the finish
`budget`: the best always has the tokens left that it may need to its end.

Every token is counted once. A fork's leading tokens belong to the branch that it left (`Rollout.prefix`);
what was generated for a place before it was forked is its cost (`Rollout.cost`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from harness.contract import (
    BuildContext,
    Cost,
    Engine,
    EngineError,
    Finish,
    Policy,
    Request,
    Rollout,
    RolloutKey,
    generator,
    kind,
    refuse_prefix,
)
from harness.recipe import Count, Model, Plugin, Share, Use
from pydantic import Field

WHERE = "engine 'staged-harness-codethinker/beam'"


class BeamOptions(Model):
    """How a task's completions share their tokens."""

    budget: Count
    """Most tokens generated per completion that is asked for. The completions of a task share what this makes
    for all of them, pruned branches included."""
    engine: Annotated[Plugin, kind("engines")] = Use(name="trainer")
    """Plugin of kind `engines` that generates, with the capability `prefix` and log-probabilities. `trainer`
    is the trainer's own, with the live weights."""
    segment: Count = 8
    """Tokens that a branch grows by per round."""
    margin: Annotated[float, Field(gt=0)] = 0.2
    """A branch is pruned if its mean log-probability per token is this far below the best one's, in nats."""
    keep: Share = 0.5
    """Share of a round's branches that are kept however unlikely they are."""
    pruned: Literal["fork", "return"] = "fork"
    """What becomes of a pruned branch: a `fork` of a kept one takes its place, or it is returned as it
    stands, to be judged as a completion that was cut."""


@dataclass(slots=True)
class _Branch:
    """What stands in the place of one request."""

    request: Request
    #: The completion so far, as the engine returned it last; None at the start and after a fork.
    last: Rollout | None = None
    ids: tuple[int, ...] = ()
    #: Mean log-probability per token, in nats.
    score: float = 0.0
    #: Leading tokens that are counted to the branch that this one was forked from.
    shared: int = 0
    #: Tokens and money spent in this place for what is not returned.
    wasted: int = 0
    usd: float = 0.0
    seconds: float = 0.0

    @property
    def left(self) -> int:
        """Tokens that it may still grow by."""
        return self.request.sampling.max_tokens - len(self.ids)

    def asked(self, segment: int) -> Request:
        """The request for its next segment."""
        sampling = self.request.sampling
        longest = min(len(self.ids) + segment, sampling.max_tokens)
        return replace(
            self.request, prefix_ids=self.ids, sampling=replace(sampling, max_tokens=longest), logprobs=True
        )

    def fork(self, other: _Branch) -> None:
        """Go on as another branch; what this one has generated is a cost."""
        self.wasted += len(self.ids) - self.shared
        self.last, self.ids, self.score, self.shared = other.last, other.ids, other.score, len(other.ids)

    def rollout(self, finish: Finish) -> Rollout:
        """The answer to its request."""
        last = self.last
        assert last is not None
        given = {"prefix": self.shared, "completion_ids": self.ids}
        spent = self.wasted
        if finish == "abort":
            spent += len(self.ids) - self.shared
            given = {"prefix": 0, "completion_ids": (), "text": "", "logprobs": None}
        return replace(
            last,
            key=self.request.key,
            sampling=self.request.sampling,
            finish=finish,
            cost=Cost(tokens=spent, usd=self.usd),
            seconds=self.seconds,
            source="beam",
            **given,  # type: ignore[arg-type]
        )


class Beam:
    """A beam over another engine (protocol `Engine`)."""

    def __init__(self, options: BeamOptions, context: BuildContext) -> None:
        self.options = options
        self.inner: Engine = context.build("engines", options.engine.name, options.engine.options)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """One rollout per request. All tasks take each round together, so that the engine has full batches.

        Raises:
            EngineError: the budget is smaller than one branch to its end and the others' first segments, a
                request has a prefix, or the engine gives no log-probabilities.
        """
        groups = [_Group(members, self.options) for members in _by_task(requests)]
        while growing := [branch for group in groups for branch in group.growing]:
            asked = [branch.asked(self.options.segment) for branch in growing]
            answers = {rollout.key: rollout async for rollout in self.inner.generate(asked)}
            for group in groups:
                for rollout in group.grown(answers):
                    yield rollout

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        return self.inner.prompt_tokens(request)

    def sync_weights(self, policy: Policy) -> None:
        """Generate with these weights from now on."""
        self.inner.sync_weights(policy)

    def close(self) -> None:
        """End the other engine."""
        self.inner.close()


class _Group:
    """The branches of one task, and their budget."""

    def __init__(self, requests: Sequence[Request], options: BeamOptions) -> None:
        self._options = options
        self.growing = [_Branch(request) for request in requests]
        self._left = options.budget * len(requests)
        self._round = 0
        longest = requests[0].sampling.max_tokens
        least = longest + (len(requests) - 1) * min(options.segment, longest)
        if self._left < least:
            raise EngineError(
                f"a budget of {options.budget} tokens per completion is {self._left} for {len(requests)}",
                where=f"{WHERE}, task {requests[0].key.task!r}",
                allowed=f"at least {least}: one of {longest} tokens, and a segment of each other",
                hint="raise budget, or lower max_tokens",
            )

    def grown(self, answers: Mapping[RolloutKey, Rollout]) -> Iterator[Rollout]:
        """Take a round's answers; yields what is finished by it."""
        self._round += 1
        alive = []
        for branch in self.growing:
            finish = self._take(branch, answers[branch.request.key])
            if finish is None:
                alive.append(branch)
            else:
                yield branch.rollout(finish)
        # The likeliest first; equal ones in the order of their requests.
        alive.sort(key=lambda branch: (-branch.score, branch.request.key.sample))
        weak = self._pruned(alive)
        affordable = self._affordable(alive)
        for branch in alive[affordable:]:
            yield branch.rollout("budget")
        kept = alive[:affordable]
        forks = weak[: affordable - len(kept)] if self._options.pruned == "fork" else []
        for branch in weak[len(forks) :]:
            yield branch.rollout("budget")
        for branch in forks:
            branch.fork(self._parent(branch, kept))
        self.growing = sorted([*kept, *forks], key=lambda branch: branch.request.key.sample)

    def _take(self, branch: _Branch, answer: Rollout) -> Finish | None:
        """Account for a round's answer to a branch; how it ended, None if it goes on."""
        fresh = answer.tokens - answer.prefix if answer.finish != "abort" else 0
        branch.wasted += answer.cost.tokens + (answer.generated - answer.cost.tokens - fresh)
        branch.usd += answer.cost.usd
        branch.seconds += answer.seconds
        branch.last = answer
        self._left -= answer.generated
        if answer.finish == "abort":
            return "abort"
        if answer.logprobs is None:
            raise EngineError(
                "its engine gives no log-probabilities, by which branches are pruned", where=WHERE,
                hint="wrap an engine that does, such as transformers or vllm",
            )  # fmt: skip
        branch.ids = answer.completion_ids
        branch.score = sum(answer.logprobs) / len(answer.logprobs)
        if answer.finish == "length":
            return None if branch.left > 0 else "length"
        return answer.finish

    def _pruned(self, alive: list[_Branch]) -> list[_Branch]:
        """Take the branches to prune out of `alive`, which is in order."""
        least = max(1, round(self._options.keep * len(alive)))
        count = sum(branch.score < alive[0].score - self._options.margin for branch in alive[least:])
        weak = alive[len(alive) - count :]
        del alive[len(alive) - count :]
        return weak

    def _parent(self, branch: _Branch, kept: Sequence[_Branch]) -> _Branch:
        """The branch to fork: any of those that stay, drawn by the request's own key."""
        rng = generator(branch.request.key.seed, "fork", self._round)
        return kept[int(rng.integers(len(kept)))]

    def _affordable(self, alive: Sequence[_Branch]) -> int:
        """How many branches may grow in the next round, so that the best can still grow to its end."""
        if not alive:
            return 0
        step = min(self._options.segment, alive[0].left)
        return 1 + max(0, self._left - alive[0].left) // step


def _by_task(requests: Iterable[Request]) -> list[list[Request]]:
    """Requests for the same prompt in the same step, in the order of their sample numbers."""
    groups: dict[object, list[Request]] = defaultdict(list)
    for request in requests:
        refuse_prefix(request, "staged-harness-codethinker/beam")
        key = request.key
        groups[key.run, key.phase, key.stage, key.step, key.task, request.sampling].append(request)
    return [sorted(members, key=lambda request: request.key.sample) for members in groups.values()]
