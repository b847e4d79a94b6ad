#!/bin/sh
# datasets 5.2.0 from PyPI, on Python 3.11.
#
# Seen:
# In a column of JSON that mixes types, texts that look like JSON come back as other values: "007" as 7, "null" as
# nothing, "[1,2]" as a list.
#
# Expected:
# The values that the file holds.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'datasets==5.2.0'
cat > "$folder/run.py" <<'END'
import json, os, tempfile
os.environ["HF_HOME"] = tempfile.mkdtemp()
from datasets import disable_progress_bars, load_dataset
disable_progress_bars()
values = [17, "17", "007", "1.50", "true", "null", "x=1", "[1,2]"]
path = os.path.join(os.environ["HF_HOME"], "rows.jsonl")
with open(path, "w") as file:
    file.writelines(json.dumps({"answer": value}) + "\n" for value in values)
rows = load_dataset("json", data_files=path, split="train")
for value, row in zip(values, rows):
    print(repr(value), repr(row["answer"]))
END
cat > "$folder/recorded" <<'END'
17 17
'17' 17
'007' 7
'1.50' 1.5
'true' True
'null' None
'x=1' 'x=1'
'[1,2]' [1, 2]
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "datasets_mixed_json: as recorded"
