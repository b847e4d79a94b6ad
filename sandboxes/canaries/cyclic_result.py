# verdict: wrong_answer|runtime_error|memory_limit ; mode: func ; threat: a result that contains itself
def solve(a, b):
    endless = []
    endless.append(endless)
    return endless
