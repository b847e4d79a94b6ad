"""Engines, each with one mistake, and whole ones: one that makes text, one that wraps another."""

from dataclasses import replace

from harness import hookimpl
from harness.contract.records import Cost, PolicyRef, Rollout
from harness.contract.seeds import seed_of


class Whole:
    """Spells digits: a token is a byte, and each depends on the key and its place alone."""

    def __init__(self, options, context):
        pass

    def sync_weights(self, policy):
        """Has no weights."""

    def close(self):
        """Holds nothing."""

    def prompt_tokens(self, request):
        return len(self.prompt(request))

    def prompt(self, request):
        return tuple(request.prompt[-1].content.encode())

    def seed(self, request):
        return request.key.seed if request.sampling.temperature else seed_of(request.key.task)

    def ids(self, request):
        seed, given = self.seed(request), request.prefix_ids
        places = range(len(given), request.sampling.max_tokens)
        return (*given, *(48 + seed_of("digit", seed, place) % 10 for place in places))

    def rollout(self, request):
        ids = self.ids(request)
        return Rollout(
            key=request.key, prompt_ids=self.prompt(request), completion_ids=ids, text=bytes(ids).decode(),
            finish="length", policy=PolicyRef(weights_sha="0"), sampling=request.sampling,
            prefix=len(request.prefix_ids),
        )  # fmt: skip

    async def generate(self, requests):
        for request in requests:
            yield self.rollout(request)


class OtherText(Whole):
    """As a beam that gives the last part's text with all ids."""

    def rollout(self, request):
        rollout = super().rollout(request)
        return replace(rollout, text=rollout.text[-4:])


class OfTheObject(Whole):
    def seed(self, request):
        return seed_of("object", id(request)) if request.sampling.temperature else super().seed(request)


class Anew(Whole):
    """Draws the first number again after a prefix."""

    def ids(self, request):
        seed, given = self.seed(request), request.prefix_ids
        places = range(request.sampling.max_tokens - len(given))
        return (*given, *(48 + seed_of("digit", seed, place) % 10 for place in places))


class Paying(Whole):
    def rollout(self, request):
        return replace(super().rollout(request), prefix=0)


class WholeBest:
    """Asks another engine twice and gives the larger number; the other one is a cost."""

    def __init__(self, options, context):
        self.inner = context.build("engines", "local/Whole", {})

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def all_of(self, requests):
        return [rollout async for rollout in self.inner.generate(requests)]

    async def generate(self, requests):
        for request in requests:
            pair = [(await self.all_of([self.tried(request, i)]))[0] for i in range(2)]
            best = self.best(pair)
            yield replace(best, key=request.key, cost=self.cost(pair, best))

    def tried(self, request, i):
        return replace(request, key=replace(request.key, stage=f"{request.key.stage}/{i}"))

    def best(self, pair):
        return max(pair, key=lambda rollout: rollout.text)

    def cost(self, pair, best):
        return Cost(tokens=sum(rollout.generated for rollout in pair) - best.generated)


class Twice(WholeBest):
    def cost(self, pair, best):
        return Cost(tokens=sum(rollout.generated for rollout in pair))


class Speechless(WholeBest):
    def best(self, pair):
        return replace(super().best(pair), reason="")


class Losing(WholeBest):
    async def generate(self, requests):
        async for rollout in super().generate(requests):
            if rollout.finish != "abort":
                yield rollout


@hookimpl
def register_engines(register):
    for made in (Whole, OtherText, OfTheObject, Anew, Paying):
        register(
            made.__name__, f"harness_plugin:{made.__name__}", capabilities={"weights": False, "prefix": True}
        )
    for made in (WholeBest, Twice, Speechless, Losing):
        register(made.__name__, f"harness_plugin:{made.__name__}", capabilities={"weights": False})
