# verdict: wrong_answer|runtime_error ; mode: func ; threat: looks for the answer in everything that is alive
import gc


def solve(a, b):
    for found in gc.get_objects():
        if isinstance(found, dict) and "expected" in found:
            return found["expected"]
    return -1
