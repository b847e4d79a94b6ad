#!/bin/sh
# math-verify[antlr4-13-2] 0.9.0 from PyPI, on Python 3.11.
#
# Seen:
# verify is not symmetric: an interval as the gold does not accept the inequality that means it, and the set as the
# gold accepts the pair that is written in the other order.
#
# Expected:
# One verdict whichever side is called the gold.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'math-verify[antlr4-13-2]==0.9.0'
cat > "$folder/run.py" <<'END'
from math_verify import parse, verify
for one, other in (("$1<x<2$", "$(1,2)$"), (r"$\{1,2\}$", "$(2,1)$"), ("$x=5$", "$5$")):
    print(one, other, verify(parse(one), parse(other)), verify(parse(other), parse(one)))
END
cat > "$folder/recorded" <<'END'
$1<x<2$ $(1,2)$ True False
$\{1,2\}$ $(2,1)$ True False
$x=5$ $5$ True True
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "math_verify_directions: as recorded"
