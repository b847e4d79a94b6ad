"""The suite of each plugin in engines.py."""

import pytest

from harness.testing import EngineConformance


class Digits(EngineConformance):
    prompts = ["6*7=", "7*6="]

    @pytest.fixture
    def decode(self):
        return lambda ids: bytes(ids).decode()


class TestWhole(Digits):
    name = "local/Whole"


class TestWholeBest(Digits):
    name = "local/WholeBest"


class TestOtherText(Digits):
    name = "local/OtherText"


class TestOfTheObject(Digits):
    name = "local/OfTheObject"


class TestAnew(Digits):
    name = "local/Anew"


class TestPaying(Digits):
    name = "local/Paying"


class TestTwice(Digits):
    name = "local/Twice"


class TestSpeechless(Digits):
    name = "local/Speechless"


class TestLosing(Digits):
    name = "local/Losing"
