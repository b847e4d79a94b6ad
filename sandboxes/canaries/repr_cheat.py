# verdict: wrong_answer|runtime_error ; mode: func ; threat: an object whose text is the answer
class Answer:
    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return str(self.value)

    __str__ = __repr__


def solve(a, b):
    return Answer(a + b)
