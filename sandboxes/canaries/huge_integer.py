# verdict: wrong_answer|runtime_error|time_limit|memory_limit|output_limit ; mode: func ; threat: an integer of a million digits
def solve(a, b):
    return 1 << 4_000_000
