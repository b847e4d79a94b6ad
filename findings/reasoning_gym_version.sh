#!/bin/sh
# reasoning-gym 0.1.25 from PyPI, on Python 3.11.
#
# Seen:
# The module says that it is 0.1.19; the distribution is 0.1.25.
#
# Expected:
# One version, since data sets change between versions.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'reasoning-gym==0.1.25'
cat > "$folder/run.py" <<'END'
import importlib.metadata
import reasoning_gym
print(reasoning_gym.__version__, importlib.metadata.version("reasoning-gym"))
END
cat > "$folder/recorded" <<'END'
0.1.19 0.1.25
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "reasoning_gym_version: as recorded"
