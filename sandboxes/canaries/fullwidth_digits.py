# verdict: wrong_answer ; mode: stdin ; threat: digits of another script, which number parsers take
a, b = map(int, input().split())
print("".join(chr(ord(digit) + 0xFEE0) if digit.isdigit() else digit for digit in str(a + b)))
