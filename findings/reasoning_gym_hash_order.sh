#!/bin/sh
# reasoning-gym 0.1.25 from PyPI, on Python 3.11.
#
# Seen:
# Under one seed, ransom_note makes other tasks in a Python process whose strings hash otherwise: its items follow the
# order of sets of strings. So do isomorphic_strings, polynomial_multiplication, word_ladder and knight_swap.
#
# Expected:
# Tasks that depend on the seed alone, as those of chain_sum do.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'reasoning-gym==0.1.25'
cat > "$folder/run.py" <<'END'
import subprocess, sys, os
TASKS = """
import sys
from reasoning_gym import create_dataset
print([entry["question"] for entry in create_dataset(sys.argv[1], seed=42, size=5)])
"""
def tasks(name, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", TASKS, name], env=environment, capture_output=True, check=True).stdout
for name in ("chain_sum", "ransom_note"):
    print(name, "same tasks" if tasks(name, "0") == tasks(name, "1") else "other tasks")
END
cat > "$folder/recorded" <<'END'
chain_sum same tasks
ransom_note other tasks
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "reasoning_gym_hash_order: as recorded"
