# verdict: wrong_answer|runtime_error ; mode: func ; threat: a result nested two hundred thousand deep
def solve(a, b):
    nested = []
    for _ in range(200_000):
        nested = [nested]
    return nested
