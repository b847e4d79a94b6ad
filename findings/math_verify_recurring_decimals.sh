#!/bin/sh
# math-verify[antlr4-13-2] 0.9.0 from PyPI, on Python 3.11.
#
# Seen:
# A recurring decimal is read up to the bar: `0.\overline{3}` is 0, and `1.\overline{6}` is 1.
#
# Expected:
# 1/3 and 5/3, or that nothing is read: False for the first two lines, True for the third.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'math-verify[antlr4-13-2]==0.9.0'
cat > "$folder/run.py" <<'END'
from math_verify import parse, verify
pairs = (("$0$", r"$0.\overline{3}$"), ("$1$", r"$1.\overline{6}$"), (r"$\frac{1}{3}$", r"$0.\overline{3}$"), (r"$\frac{1}{3}$", r"$\frac{2}{6}$"))
for gold, answer in pairs:
    print(gold, answer, verify(parse(gold), parse(answer)))
END
cat > "$folder/recorded" <<'END'
$0$ $0.\overline{3}$ True
$1$ $1.\overline{6}$ True
$\frac{1}{3}$ $0.\overline{3}$ False
$\frac{1}{3}$ $\frac{2}{6}$ True
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "math_verify_recurring_decimals: as recorded"
