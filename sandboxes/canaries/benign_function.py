# verdict: passed ; mode: func ; threat: none: a harmless function
def solve(a, b):
    return a + b
