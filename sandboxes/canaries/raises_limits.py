# verdict: runtime_error|wrong_answer|memory_limit ; mode: stdin ; threat: raises its own limits and its priority
import os
import resource

raised = []
for kind in range(16):
    try:
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        raised.append(kind)
    except (OSError, ValueError):
        pass
try:
    os.nice(-20)
    raised.append("nice")
except OSError:
    pass
print("RAISED", raised)
bytearray(4 << 30)
