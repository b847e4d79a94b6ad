#!/bin/sh
# datasets 5.2.0 from PyPI, on Python 3.11.
#
# Seen:
# A column of objects with different keys is written to parquet as Arrow's JSON type: other readers see its text.
#
# Expected:
# Structs, as earlier versions wrote them and as pandas or pyarrow would read them.
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
folder = os.environ["HF_HOME"]
rows = [{"answer": "1", "info": {"index": 0}}, {"answer": "2", "info": {"index": 1, "split": "test"}}]
with open(f"{folder}/rows.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)
load_dataset("json", data_files=f"{folder}/rows.jsonl", split="train").to_parquet(f"{folder}/rows.parquet")
import pyarrow.parquet
table = pyarrow.parquet.read_table(f"{folder}/rows.parquet")
print(table.schema.field("info").type, repr(table.to_pylist()[0]["info"]))
END
cat > "$folder/recorded" <<'END'
extension<arrow.json> '{"index":0}'
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "datasets_json_parquet: as recorded"
