# verdict: passed ; mode: stdin ; threat: none: reads /dev/stdin by name, writes /dev/stdout by name
with open("/dev/stdin") as told, open("/dev/stdout", "w") as out:
    print(sum(map(int, told.read().split())), file=out)
