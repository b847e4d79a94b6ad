#!/bin/sh
# nvidia-livecodebench 26.3 from PyPI, on Python 3.11.
#
# Seen:
# Two right programs fail: one that reads sys.stdin.buffer, whose mock has none, and one that reads open(0).
#
# Expected:
# A pass, as any judge that runs the program gives.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check 'nvidia-livecodebench==26.3'
cat > "$folder/run.py" <<'END'
import json, multiprocessing
READS = {
    "input()": "for _ in range(int(input())):\n    print(sum(map(int, input().split())))",
    "sys.stdin.read()": "import sys\nn, *v = map(int, sys.stdin.read().split())\nfor i in range(n):\n    print(v[2*i] + v[2*i+1])",
    "sys.stdin.buffer": "import sys\nn, *v = map(int, sys.stdin.buffer.read().split())\nfor i in range(n):\n    print(v[2*i] + v[2*i+1])",
    "open(0)": "n, *v = map(int, open(0).read().split())\nfor i in range(n):\n    print(v[2*i] + v[2*i+1])",
}
def graded(name):
    from livecodebench.evaluation.testing_util import run_test
    tests = {"input_output": json.dumps({"inputs": ["2\n3 4\n5 6\n"], "outputs": ["7\n11\n"]})}
    told = run_test(tests, test=READS[name], debug=False, timeout=6)[0]
    return name, all(result is True for result in told)
if __name__ == "__main__":
    lines = []
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for name in READS:
            lines.append(pool.apply(graded, (name,)))
    for name, passed in lines:
        print(name, "passes" if passed else "fails")
END
cat > "$folder/recorded" <<'END'
input() passes
sys.stdin.read() passes
sys.stdin.buffer fails
open(0) fails
END
"$folder/env/bin/python" "$folder/run.py" > "$folder/seen"
diff -u "$folder/recorded" "$folder/seen"
echo "livecodebench_stdin: as recorded"
