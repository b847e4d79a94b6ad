# verdict: wrong_answer|runtime_error|output_limit|memory_limit|time_limit ; mode: func ; threat: a result of a hundred megabytes
def solve(a, b):
    return "x" * (100 << 20)
