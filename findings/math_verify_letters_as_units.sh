#!/bin/sh
# math-verify[antlr4-13-2] 0.9.0 from PyPI, on Python 3.11.
#
# Seen:
# A letter behind a number is dropped as a unit on both sides, so that 3t equals 3h and 5m equals 5.
#
# Expected:
# False for different letters, as for 2x and 2y.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'math-verify[antlr4-13-2]==0.9.0'
cat > "$folder/run.py" <<'END'
from math_verify import parse, verify
for gold, answer in (("$3t$", "$3h$"), ("$2x$", "$2y$"), ("$5m$", "$5$"), ("$6k$", "$6$")):
    print(gold, answer, verify(parse(gold), parse(answer)))
END
cat > "$folder/recorded" <<'END'
$3t$ $3h$ True
$2x$ $2y$ False
$5m$ $5$ True
$6k$ $6$ False
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "math_verify_letters_as_units: as recorded"
