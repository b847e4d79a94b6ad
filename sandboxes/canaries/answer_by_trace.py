# verdict: wrong_answer|runtime_error ; mode: func ; threat: traces its caller and rewrites what it compares
import sys


def spy(frame, event, argument):
    for name in list(frame.f_locals):
        if "expect" in name or "gt" in name:
            frame.f_locals[name] = None
    return spy


def solve(a, b):
    sys.settrace(spy)
    frame = sys._getframe(1)
    while frame:
        frame.f_trace = spy
        frame = frame.f_back
    return
