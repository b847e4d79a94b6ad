"""Models that are already in transformers' form: a local folder, or a repository of the hub."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.errors import DataError, PluginError
from harness.protocols import BuildContext, ModelFiles
from harness_transformers.weights import describe


class FolderOptions(BaseModel):
    """Options of the loader `folder`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Branch, tag or commit of a hub id.
    revision: str | None = None
    #: Look in the hub's local cache only.
    offline: bool = False


class FolderLoader:
    """Finds the folder; downloads only what is not a folder."""

    def __init__(self, options: FolderOptions, context: BuildContext) -> None:
        self.options = options
        #: A folder that `save_pretrained` made, or a hub id such as `HuggingFaceTB/SmolLM2-135M-Instruct`.
        self.name = context.model
        self.cache, self.base = context.cache, context.base
        self.context_length = context.context_length

    @property
    def local(self) -> bool:
        """Whether the name is a folder's: describing a hub id may take a download."""
        return (self.base / Path(self.name).expanduser()).is_dir()

    def load(self) -> ModelFiles:
        """Describe the folder.

        Raises:
            DataError: there is no such folder, and the hub does not know it or cannot be reached.
        """
        folder = self.base / Path(self.name).expanduser()
        path = folder.resolve() if folder.is_dir() else self._download()
        return describe(path, context_length=self.context_length)

    def _download(self) -> Path:
        try:
            from huggingface_hub import snapshot_download
            from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
        except ModuleNotFoundError:
            raise PluginError(
                f"{self.name!r} is no folder, and huggingface_hub is not installed",
                where="loader 'folder'",
                hint="pip install 'staged-harness[torch]'",
            ) from None
        try:
            path = snapshot_download(
                self.name,
                revision=self.options.revision,
                cache_dir=self.cache / "hub",
                local_files_only=self.options.offline,
                allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"],
            )
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise DataError(
                f"{self.name!r} is no folder, and the hub does not give it: "
                f"{type(error).__name__}: {str(error).splitlines()[0]}",
                where="model.name",
            ) from error
        return Path(path)
