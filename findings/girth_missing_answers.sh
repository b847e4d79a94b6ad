#!/bin/sh
# girth 0.8.0 from PyPI, on Python 3.11.
#
# Seen:
# A person who failed every item that was asked, and was not asked others, gets the ability of one who solved all.
#
# Expected:
# -4, the value that no_estimate stands for below.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'girth==0.8.0'
cat > "$folder/run.py" <<'END'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from girth import ability_mle, tag_missing_data
M = -999
answers = np.array([[1, 1, 1], [0, 0, 0], [1, 1, M], [0, 0, M], [1, 0, M]]).T
made = tag_missing_data(answers, [0, 1])
found = ability_mle(made, np.array([-1.0, 0.0, 1.0]), 1.0, no_estimate=4)
print([round(float(value), 3) + 0.0 for value in found])
END
cat > "$folder/recorded" <<'END'
[4.0, -4.0, 4.0, 4.0, -0.5]
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "girth_missing_answers: as recorded"
