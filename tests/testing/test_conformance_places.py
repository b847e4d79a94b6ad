"""First-party loaders, sandboxes and commands conform; what a machine lacks is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.contract.programs import Sandbox
from harness.contract.protocols import BuildContext
from harness.testing import CommandConformance, ModelConformance, SandboxConformance
from harness.testing.plugin import Build
from tests.support import sandboxes


class TestSimStudent(ModelConformance):
    name = "sim"
    model = "student"
    options = {"ability": 0.5}
    other = ("student", {"ability": 0.6})
    by_name = False


class TestRandomLlama(ModelConformance):
    name = "random-llama"
    model = "tiny"
    options = {"characters": "0123456789+=", "width": 16, "heads": 2, "layers": 1, "mlp_width": 32}
    other = ("tiny", {**options, "layers": 2})
    by_name = False

    @pytest.fixture(autouse=True)
    def torch(self) -> None:
        pytest.importorskip("torch", reason="its weights are made with torch")


class TestPackaged(ModelConformance):
    name = "packaged"
    model = "chain-334k"


class TestFolder(ModelConformance):
    """Over the folder that another loader made."""

    name = "folder"
    model = "model"

    @pytest.fixture
    def build_context(self, build_context: BuildContext, harness_build: Build) -> BuildContext:
        pytest.importorskip("torch", reason="its weights are made with torch")
        files = harness_build("models", "random-llama", **TestRandomLlama.options).load()
        (build_context.base / "model").symlink_to(files.path)
        return build_context


class SandboxOfTheMachine(SandboxConformance):
    """Over the one cache that all tests of sandboxes share: the file tree takes seconds to make."""

    @pytest.fixture
    def sandbox(self) -> Iterator[Sandbox]:
        with sandboxes.sandbox(self.name, **self.options) as made:
            yield made


class TestUnsafeLocal(SandboxOfTheMachine):
    name = "unsafe-local"
    options = {"i_know_what_i_do": True}
    isolated = False


class TestNamespaces(SandboxOfTheMachine):
    name = "namespaces"


class TestBubblewrap(SandboxOfTheMachine):
    name = "bubblewrap"


class TestSandboxCommand(CommandConformance):
    name = "sandbox"
