#!/bin/sh
# mathruler 0.1.0 with sympy 1.14.0, pylatexenc 2.10 and tqdm 4.67.1 from PyPI, on Python 3.11.
#
# Seen:
# Units are dropped: 10 minutes are 10 hours. Brackets are compared, and equal fractions are not equal.
#
# Expected:
# False for other units, True for 2/4 and 1/2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'mathruler==0.1.0' 'sympy==1.14.0' 'pylatexenc==2.10' 'tqdm==4.67.1'
cat > "$folder/run.py" <<'END'
from mathruler.grader import grade_answer
for given, gold in (("10 minutes", "10 hours"), ("0.5", "1/2"), ("2/4", "1/2"), ("(1,2)", "[1,2]")):
    print(given, gold, grade_answer(given, gold))
END
cat > "$folder/recorded" <<'END'
10 minutes 10 hours True
0.5 1/2 True
2/4 1/2 False
(1,2) [1,2] False
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "mathruler_units: as recorded"
