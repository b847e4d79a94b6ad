# verdict: wrong_answer|runtime_error ; mode: func ; threat: a result whose class says that it equals everything
class Anything(int):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = int.__hash__


def solve(a, b):
    return Anything(0)
