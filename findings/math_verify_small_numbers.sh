#!/bin/sh
# math-verify[antlr4-13-2] 0.9.0 from PyPI, on Python 3.11.
#
# Seen:
# Numbers are compared after rounding to 6 decimals, so that constants of physics are all equal.
#
# Expected:
# False: one is six times the other.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'math-verify[antlr4-13-2]==0.9.0'
cat > "$folder/run.py" <<'END'
from math_verify import parse, verify
for gold, answer in ((r"$6.63\times 10^{-34}$", r"$1.05\times 10^{-34}$"), ("$0.0000001$", "$0.0000004$"), ("$0.3$", "$0.4$")):
    print(gold, answer, verify(parse(gold), parse(answer)))
END
cat > "$folder/recorded" <<'END'
$6.63\times 10^{-34}$ $1.05\times 10^{-34}$ True
$0.0000001$ $0.0000004$ True
$0.3$ $0.4$ False
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "math_verify_small_numbers: as recorded"
