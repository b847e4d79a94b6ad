"""The newest of the model folders in a folder: `model = { name = "exports", loader = "local/newest" }`."""

import hashlib

from harness import hookimpl
from harness.contract import BuildContext, DataError, ModelFiles
from harness.plugging import Register


@hookimpl
def register_models(register: Register) -> None:
    # Nothing is fetched or converted: `harness plan` may look at the files.
    register("newest", f"{__name__}:Newest", capabilities={"local": True}, summary="the newest of several")


class Newest:
    def __init__(self, options: None, context: BuildContext) -> None:
        self._folder = context.base / context.model
        self._length = context.context_length

    def load(self) -> ModelFiles:
        folders = sorted(path for path in self._folder.glob("*") if (path / "config.json").is_file())
        if not folders:
            raise DataError("holds no model", where=str(self._folder))
        weights = hashlib.sha256()
        for path in sorted(folders[-1].glob("*.safetensors")):
            weights.update(path.read_bytes())
        return ModelFiles(folders[-1], weights.hexdigest(), self._length or 2048, chat=False)
