#!/bin/sh
# reasoning-gym 0.1.25 from PyPI, on Python 3.11.
#
# Seen:
# Entries of propositional_logic have no answer (None), and the data set's own scorer gives it 0.
#
# Expected:
# That an entry's answer passes its own scorer, or that there is one.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'reasoning-gym==0.1.25'
cat > "$folder/run.py" <<'END'
from reasoning_gym import create_dataset
for name in ("chain_sum", "propositional_logic"):
    made = create_dataset(name, seed=42, size=20)
    scores = {made.score_answer(entry["answer"], entry) for entry in made}
    print(name, {type(entry["answer"]).__name__ for entry in made}, scores)
END
cat > "$folder/recorded" <<'END'
chain_sum {'str'} {1.0}
propositional_logic {'NoneType'} {0.0}
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "reasoning_gym_none_answers: as recorded"
