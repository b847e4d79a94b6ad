"""What the suites of gates and shapers share: a plugin that is handed groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from harness.contract.samples import Group
from harness.testing.groups import all_sorts
from harness.testing.plugin import Build


class OnGroups:
    """Makes the plugin under test, and the groups that it is tried on."""

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether it works on samples without rollouts, as a simulated trainer reports them.
    without_text: ClassVar[bool] = True

    @pytest.fixture
    def make(self, harness_build: Build) -> Build:
        def make() -> Any:
            return harness_build(self.kind, self.name, **self.options)

        return make

    def groups(self, step: int = 1) -> list[Group]:
        """The groups that it is tried on."""
        return all_sorts(step) + (all_sorts(step, text=False) if self.without_text else [])
