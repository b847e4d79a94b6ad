"""Shuffled ranges of any size without a list: position to element in constant time and memory.

A procedural source numbers its contents 0 to N - 1, where N may have fifty digits. A keyed
permutation of that range is a hash without collisions: it deals contents in random order and
never repeats one, and a part of its range is a split that no draw can leave.

A Feistel network on Z_a x Z_b with a * b >= N (Black and Rogaway 2002, "Ciphers with arbitrary finite
domains"), cycle-walked into the range; a is the square root rounded up, so that walks are rare.
"""

from __future__ import annotations

import hashlib
import math

_ROUNDS = 4


def permute(value: int, size: int, *key: object) -> int:
    """The element at position `value` of the keyed shuffle of range(size); raises ValueError outside it."""
    if not 0 <= value < size:
        raise ValueError(f"position {value} is outside a range of {size}")
    left_size = math.isqrt(size - 1) + 1
    right_size = -(-size // left_size)
    salt = "\x1f".join(map(str, key)).encode()
    while True:
        left, right = divmod(value, right_size)
        for i in range(0, _ROUNDS, 2):
            left = (left + _mix(right, i, salt)) % left_size
            right = (right + _mix(left, i + 1, salt)) % right_size
        value = left * right_size + right
        if value < size:
            return value


def _mix(value: int, turn: int, salt: bytes) -> int:
    """A 512-bit number from half a value; halves stay far below that, so the modulus leaves no bias."""
    return int.from_bytes(hashlib.blake2b(b"%d:%d:%b" % (turn, value, salt)).digest(), "little")
