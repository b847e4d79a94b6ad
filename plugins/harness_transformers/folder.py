"""Models that are already in transformers' form: a local folder, or a repository of the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from harness.contract import BuildContext, DataError, ModelFiles, PluginError
from harness.recipe import Model
from harness_transformers.weights import describe

#: What may be a model's id on the Hub: a name, in general with its owner. The rest can only be a folder.
_HUB_ID: Final = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")


class FolderOptions(Model):
    """Which revision of a model is opened, and whether it may be downloaded."""

    revision: str | None = None
    """Branch, tag or commit of a model on the Hugging Face Hub. If not set, its main branch. A local folder
    has none."""
    offline: bool = False
    """Whether only the Hub's local cache is searched. By default a missing model is downloaded."""


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
            DataError: there is no such folder, and the name is no hub id, or the hub does not know it or
                cannot be reached.
        """
        folder = self.base / Path(self.name).expanduser()
        if folder.is_file() or not (folder.is_dir() or _HUB_ID.fullmatch(self.name)):
            raise DataError(
                "is a file, not a folder" if folder.is_file() else "there is no such folder",
                where=f"model {self.name!r}",
                allowed="a folder that save_pretrained made, or an id of the Hub (owner/name)",
            )
        path = folder.resolve() if folder.is_dir() else self._download()
        return describe(path, context_length=self.context_length)

    def _download(self) -> Path:
        try:
            from huggingface_hub import snapshot_download
            from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
        except ModuleNotFoundError:
            raise PluginError(
                f"{self.name!r} is not a folder, and huggingface_hub is not installed",
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
            why = "cannot be reached" if isinstance(error, LocalEntryNotFoundError) else "does not give it"
            raise DataError(
                f"there is no such folder, and the Hub {why}: "
                f"{type(error).__name__}: {str(error).splitlines()[0]}",
                where=f"model {self.name!r}",
                allowed="a folder that save_pretrained made, or an id of the Hub (owner/name)",
                hint="a model of a package has another loader: gguf or packaged",
            ) from error
        return Path(path)
