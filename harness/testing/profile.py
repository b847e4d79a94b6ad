"""What every evaluation profile must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from harness.benchmarking.profile import Profile
from harness.contract.protocols import BuildContext
from harness.contract.records import Message, Task
from harness.plugging.plugins import Plugins
from harness.recipe.errors import validated


class ProfileConformance:
    """Subclass with the registered name."""

    name: ClassVar[str]

    @pytest.fixture
    def profile(self, harness_plugins: Plugins, build_context: BuildContext) -> Profile:
        return self.read(harness_plugins, build_context)

    def read(self, plugins: Plugins, context: BuildContext) -> Profile:
        described = plugins.registry.find("profiles", self.name).build({}, context).describe()
        assert isinstance(described, Mapping), f"describe returned {type(described).__name__}"
        return validated(Profile, dict(described), where=f"profile {self.name!r}")

    def test_it_is_whole(self, profile: Profile) -> None:
        bare = self.name.rpartition("/")[2]
        assert profile.name == bare, f"it calls itself {profile.name!r} and is registered as {bare!r}"
        assert profile.version, "it has no version"
        assert profile.domains, "it words no domain, so it can score nothing"

    def test_reading_it_again_gives_the_same_hash(
        self, profile: Profile, harness_plugins: Plugins, build_context: BuildContext
    ) -> None:
        assert self.read(harness_plugins, build_context).hash == profile.hash

    def test_its_verifiers_are_there_and_take_their_options(
        self, profile: Profile, harness_plugins: Plugins
    ) -> None:
        for name, domain in profile.domains.items():
            registration = harness_plugins.registry.find(
                "verifiers", domain.verifier.name, where=f"domain {name!r}"
            )
            if not registration.missing():
                registration.validate(domain.verifier.options, field_path=f"domain {name!r}")

    def test_it_words_problems_of_each_domain(self, profile: Profile) -> None:
        problem = "What is {problem} in {format}?"
        for name, domain in profile.domains.items():
            task = Task(
                id="t", prompt=(Message("user", problem),), verifier="exact", answer="42", domain=name,
                meta={"format": "words"},
            )  # fmt: skip
            asked = profile.asked(task, "benchmark")
            assert problem in asked.prompt[-1].content, f"domain {name!r} does not ask the problem as it is"
            assert asked.verifier == domain.verifier.name
            assert asked.answer == task.answer
