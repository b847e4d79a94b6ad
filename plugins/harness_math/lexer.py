"""From LaTeX, or what people write in its stead, to tokens.

LaTeX's dressing (sizes, spaces, fonts, delimiters) goes, its many names for one thing become one,
and digits of any script are read by their value. Linear in the source; the source is bounded before.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from harness_math.counts import count
from harness_math.numerals import NUMERAL
from harness_math.spelling import joined
from harness_math.units import is_unit
from harness_math.vocabulary import (
    ALIASES,
    CONSONANTS,
    CONSTRUCTS,
    CURRENCIES,
    FONT,
    FUNCTIONS,
    GREEK,
    KNOWN,
    MONEY,
    NAMES,
    OPERATORS,
    PLAIN_WORDS,
    PREPOSITIONS,
    PRODUCT,
    SCALES,
    SIGNS,
    SKIP,
    SPACE,
    TEXT,
)


class Token(NamedTuple):
    """One token of an answer."""

    #: `num`: a literal; `name`: a symbol; `fn`: a function; `cmd`: a LaTeX construct; `op`: punctuation
    #: and operators; `word`: text; `unit`: a known unit; `based`: digits and their base.
    kind: str
    value: str
    #: Whether white space, or something that prints as such, stands before it.
    spaced: bool = False


_TOKEN: Final = re.compile(
    r"""(?P<space>(?:\s|~|\\[,;:!\s>])+)
      | (?P<num>\d+\.(?=\\overline|\\dot(?![a-z])|/)|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+(?![\d.]))?)
      | (?P<row>\\\\(?:\[[^\[\]]{0,10}\])?)
      | \\(?P<cmd>[A-Za-z]+)\*?
      | (?P<foreign>[A-Za-z]*[^\W\d_a-zA-Z][^\W\d_]*)
      | (?P<run>[A-Za-z]+)
      | (?P<esc>\\.)
      | (?P<two><=|>=|!=|==|:=|=>|->|\*\*)
      | (?P<one>.)""",
    re.VERBOSE | re.DOTALL,
)
#: A command and what stands behind it without a space: one letter, or a unit behind text.
_GLUED: Final = re.compile(
    rf"(?:(?P<command>{'|'.join(sorted(FUNCTIONS | GREEK, key=len, reverse=True))})(?P<letter>[A-Za-z])"
    r"|(?P<text>mbox|text|mathrm)(?P<unit>[A-Za-z]+))"
)
#: Units of one capital that are names elsewhere.
_CAPITALS: Final = {"C": "coulomb", "T": "tesla"}
#: Products of physics that are no units outside of text, where units have a capital (`mV`, `mA`).
_PRODUCTS: Final = frozenset({"mv", "ma"})
_SIGN: Final = re.compile(r"\s*(?:[-+]|\\(?:pm|mp)(?![A-Za-z]))")
_CONNECTORS: Final = frozenset({"and", "or"})
#: Texts that are lists of numbers: `8 and 9`, `2 hours, 5 minutes`, `either 4 or 5`.
_PIECES: Final = re.compile(r"\s*(,|;|&|\b(?:and|or|either|both|AND|OR|And|Or|Either|Both)\b)\s*")
_JOINTS: Final = _CONNECTORS | {",", ";", "&", "either", "both"}
_MEASURED: Final = re.compile(
    r"[-+]?[\d.,/]*\d(?:\s*(?:%|°|[A-Za-z]+(?: [A-Za-z]+){0,2}))?(?:\s+\d+\s*[A-Za-z]+)*|[A-Za-z]|[IVX]{2,5}|"
)
#: A modulus or a base in brackets.
_REMARK: Final = re.compile(r"\(?\s*(?:mod|modulo)\s+\d+\s*\)?")


def tokens(source: str, *, thousands: bool, decimal_comma: bool = False) -> list[Token]:
    """Tokens of a cleaned source. `thousands` joins groups of three digits, `decimal_comma` reads the
    comma of a whole source like `0,5` as a point."""
    return _Lexer(joined(source, thousands=thousands, decimal_comma=decimal_comma)).run()


def _plain_unit(text: str) -> str:
    """A product of units without LaTeX's spaces and braces: `m\\,s^{-1}`."""
    return re.sub(r"[{}]", "", re.sub(r"\\[,;:! ]|\\cdot(?![A-Za-z])", " ", text))


class _Lexer:
    def __init__(self, source: str) -> None:
        self.source, self.out, self.spaced = source, list[Token](), False
        dollars = len(re.findall(r"(?<!\\)\$", source))
        self.rows = "\\begin" in source
        #: A dollar sign without a partner is money.
        self.money = dollars % 2 == 1

    def put(self, kind: str, value: str) -> None:
        self.out.append(Token(kind, value, self.spaced))
        self.spaced = False

    def run(self) -> list[Token]:
        position = 0
        while position < len(self.source):
            match = _TOKEN.match(self.source, position)
            assert match is not None
            position = match.end()
            kind, text = match.lastgroup or "", match.group()
            if kind == "space":
                self.spaced = True
            elif kind == "num":
                self.put("num", text)
            elif kind == "row":
                # Outside of an environment a new line separates.
                self.put("op", "\\\\" if self.rows else ",")
            elif kind == "cmd":
                position = self._command(match["cmd"], position)
            elif kind == "foreign":
                self.put("name" if text in "ℝ" or text.startswith("𝔹") else "word", text)
            elif kind == "run":
                self._run(text)
            elif kind == "esc":
                self._escape(text[1])
            else:
                self._symbol({"==": "=", ":=": "=", "**": "^"}.get(text, text))
        return self.out

    def _symbol(self, text: str) -> None:
        if text == "$":
            if self.money:
                self.put("unit", "$")
            else:
                self.spaced = True
        elif text == "&" and not self.rows:
            self.put("op", "and")
        elif text in SIGNS + "¢":
            self.put("unit", text)
        elif text != "\x00":
            self.put("op", text)

    def _escape(self, char: str) -> None:
        if char == "$":
            self.put("unit", "$")
        elif char in "{}":
            self.put("op", "\\" + char)
        elif char == "%":
            self.put("op", "%")
        elif char == "|":
            self.put("op", "|")
        elif char == "&":
            self.put("op", "and")
        elif char in "()[]":
            self.spaced = True  # the delimiters of a formula
        else:
            self.put("op", char)

    def _command(self, name: str, position: int) -> int:
        glued = _GLUED.fullmatch(name)
        if glued is not None and name not in KNOWN:
            # A space or braces got lost: `\\cotx`, `\\mboxcm`.
            if glued["text"] is None:
                position = self._command(glued["command"], position)
                self.put("name", glued["letter"])
                return position
            if is_unit(glued["unit"]):
                self._text(glued["unit"])
                return position
        name = ALIASES.get(name, name)
        if name in SKIP or (name in SPACE):
            self.spaced = self.spaced or name in SPACE
            if name in ("quad", "qquad") and self.out and _SIGN.match(self.source, position):
                self.put("op", ",")  # wide space before a sign stands between two values
            # `\left.` and `\right.` print nothing.
            if name in ("left", "right") and self.source[position : position + 1] == ".":
                position += 1
            if name in ("hspace", "vspace", "phantom", "vphantom"):
                _, position = self._group(position)
        elif name in TEXT:
            content, position = self._group(position)
            self._text(content)
        elif name in FONT:
            content, position = self._group(position)
            if name == "mathbb" and content.strip() in ("R", "Z", "N", "Q", "C", "Z+"):
                self.put("name", {"R": "ℝ"}.get(content.strip(), "𝔹" + content.strip()))
            else:
                self.put("op", "{")
                self.out.extend(_Lexer(content).run())
                self.put("op", "}")
        elif name in ("color", "textcolor"):
            _, position = self._group(position)
        elif name == "circ":
            self.put("op", "°")
        elif name == NUMERAL:
            digits, position = self._group(position)
            base, position = self._group(position)
            self.put("based", f"{digits} {base}")
        elif name in ("begin", "end"):
            environment, position = self._group(position)
            if name == "begin" and environment == "array":
                _, position = self._group(position)
            self.put(name, environment)
        elif name in OPERATORS:
            self.put("op", OPERATORS[name])
        elif name in NAMES:
            self.put("name", NAMES[name])
        elif name in GREEK:
            self.put("name", name)
        elif name in FUNCTIONS:
            self.put("fn", name)
        elif name in CURRENCIES:
            self.put("unit", CURRENCIES[name])
        elif name in ("cr", "tabularnewline"):
            self.put("op", "\\\\" if self.rows else ",")
        elif name in CONSTRUCTS:
            self.put("cmd", name)
        else:
            self.put("cmd", name)
        return position

    def _group(self, position: int) -> tuple[str, int]:
        """The content of the braces at `position` (or the one character there), and what follows."""
        source = self.source
        while position < len(source) and source[position] == " ":
            position += 1
        if position >= len(source) or source[position] != "{":
            return source[position : position + 1], min(position + 1, len(source))
        depth = 0
        for i in range(position, len(source)):
            if source[i] == "{" and source[i - 1] != "\\":
                depth += 1
            elif source[i] == "}" and source[i - 1] != "\\":
                depth -= 1
                if depth == 0:
                    return source[position + 1 : i], i + 1
        return source[position + 1 :], len(source)

    def _text(self, content: str) -> None:
        """Text in a formula: a connector, a unit, words, or mathematics in an upright font."""
        if content.count("$") % 2 == 0 and "\\$" not in content:
            content = content.replace("$", "")
        stripped = content.replace("~", " ").replace("\\ ", " ").strip()
        self.spaced = self.spaced or content[:1].isspace()
        lowered = stripped.lower().strip(".,;")
        pieces = [piece for piece in _PIECES.split(stripped) if piece]
        if lowered in _CONNECTORS:
            self.put("op", lowered)
        elif lowered == "to" and self._after_value():
            self.put("op", ":")
        elif stripped in MONEY:
            self.put("unit", MONEY[stripped])
        elif stripped in _CAPITALS and self._after_value() and all(t.value != "°" for t in self.out[-3:]):
            self.put("unit", _CAPITALS[stripped])
        elif " and " in lowered and count(lowered) is not None:
            self.put("word", lowered)
        elif lowered in ("as well as", "along with", "&"):
            self.put("op", "and")
        elif stripped.endswith(":") and re.fullmatch(r"[A-Za-z ]{2,}:", stripped):
            self.put("word", stripped[:-1])
            self.put("op", ":")
        elif len(pieces) > 1 and all(_MEASURED.fullmatch(p) or p.lower() in _JOINTS for p in pieces):
            for piece in pieces:
                if piece.lower() in _CONNECTORS or piece in ",;&":
                    self.put("op", "and" if piece == "&" else piece.lower())
                elif piece.lower() not in ("either", "both"):
                    self.out.extend(_Lexer(piece).run())
        elif _REMARK.fullmatch(stripped):
            self.out.extend(_Lexer(stripped).run())
        elif lowered.partition(" ")[0] in SCALES and self._after_value():
            scale, _, rest = stripped.partition(" ")
            self._scale(scale.lower())
            if rest.strip():
                self._text(rest)
        elif self._after_value() and re.search(r"\^|\\cdot", stripped) and is_unit(_plain_unit(stripped)):
            self.put("unit", _plain_unit(stripped))
        elif self._is_unit(stripped) and (lowered not in FUNCTIONS or self._after_value()):
            self.put("unit", stripped)
        elif lowered in ("min", "max") and content[-1:].isspace():
            self.put("word", lowered)  # 3, which is the least of something
        elif lowered in FUNCTIONS:
            self.put("fn", lowered)
        elif re.fullmatch(r"-?\d[\d.,]*\s+[A-Za-z ]+", stripped):
            self.out.extend(_Lexer(stripped).run())  # a number and its unit
        elif len(re.findall(r"[A-Za-z]", stripped)) >= 2 and not re.search(r"[\\^=<>+*]", stripped):
            for part in re.split(r"\s+(and|or)\s+|^(and|or)\s+|\s+(and|or)$", stripped):
                if part and re.fullmatch(r"-?\d[\d.,]*", part):
                    self.out.extend(_Lexer(part).run())
                elif part:
                    self.put("op" if part in _CONNECTORS else "word", part)
        elif stripped:
            self.out.extend(_Lexer(stripped).run())
        self.spaced = content[-1:].isspace()

    def _scale(self, word: str) -> None:
        self.put("op", "*")
        self.put("num", str(10 ** SCALES[word]))

    def _is_unit(self, text: str) -> bool:
        """One letter is a unit only in its own case and after a value."""
        if len(text) == 1:
            return text in "msghlLNJWVAK$¢" and self._after_value()
        return is_unit(text)

    def _after_value(self) -> bool:
        last = self.out[-1] if self.out else Token("end", "")
        return last.kind in ("num", "unit") or last.value in (")", "}", "°", "/", "%", "per")

    def _run(self, run: str) -> None:
        """A run of letters outside of text: a word, a unit, a function, or a product of letters."""
        lowered = run.lower()
        if lowered in _CONNECTORS or lowered == "per":
            self.put("op", lowered)
        elif lowered in SCALES and self._after_value():
            self._scale(lowered)
        elif lowered in PREPOSITIONS and self.spaced and self.out and self.out[-1].kind in ("word", "unit"):
            self.put("word", run)
        elif lowered == "equals" and self.out:
            self.put("op", "=")
        elif run in MONEY:
            self.put("unit", MONEY[run])
        elif lowered == "to" and self._after_value() and self.spaced:
            self.put("op", ":")
        elif run == "Matrix":
            pass  # a computer algebra system's way to write one; its rows follow
        elif len(run) == 1:
            self.put("name", run)
        elif lowered in FUNCTIONS and not (run == "min" and self._after_value()):
            self.put("fn", lowered)
        elif lowered in ("mod", "modulo"):
            self.put("cmd", "mod")
        elif lowered == "sqrt":
            self.put("cmd", "sqrt")
        elif lowered in PLAIN_WORDS:
            self.put("name", PLAIN_WORDS[lowered])
        elif run == "frac":
            self.put("cmd", "frac")
        elif run in ("st", "nd", "rd", "th") and self.out and self.out[-1].kind == "num" and not self.spaced:
            pass  # an ordinal is its number
        elif run not in _PRODUCTS and self._is_unit(run) and self._after_value():
            self.put("unit", run)
        elif PRODUCT.fullmatch(run) and run not in CONSONANTS:
            for letter in run:
                self.put("name", letter)
        elif (len(run) >= 3 and (run.islower() or run.istitle())) or len(run) >= 5 or lowered in ("no", "is"):
            self.put("word", run)
        else:
            for letter in run:
                self.put("name", letter)
