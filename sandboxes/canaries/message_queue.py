# verdict: wrong_answer|runtime_error ; mode: stdin ; threat: queues and semaphores, which outlive their makers
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
made = [
    libc.msgget(4711, 0o1666) >= 0,
    libc.semget(4712, 1, 0o1666) >= 0,
    libc.shmget(4713, 4096, 0o1666) >= 0,
    libc.syscall(240, b"queue", 0o102, 0o666, None) >= 0,
]
print("MADE", made)
