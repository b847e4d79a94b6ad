"""From LaTeX, or what people write in its stead, to tokens.

LaTeX's dressing (sizes, spaces, fonts, delimiters) goes, its many names for one thing become one,
and digits of any script are read by their value. Linear in the source; the source is bounded before.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from harness_math.units import is_unit

#: `num`: a literal; `name`: a symbol; `fn`: a function; `cmd`: a LaTeX construct; `op`: punctuation
#: and operators; `word`: text; `unit`: a known unit.


class Token(NamedTuple):
    kind: str
    value: str
    #: Whether white space, or something that prints as such, stands before it.
    spaced: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SKIP: Final = _words(
    """left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr displaystyle textstyle limits
    nolimits scriptstyle rm bf it sf tt normalsize large Large small hfill hline centering angle
    measuredangle triangle bigcirc phantom vphantom nonumber notag mathstrut strut middle"""
)
_SPACE: Final = _words("""quad qquad enspace thinspace hspace vspace space""")
_OPERATORS: Final = {
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "div": "/",
    "pm": "±",
    "mp": "∓",
    "le": "<=",
    "leq": "<=",
    "leqslant": "<=",
    "ge": ">=",
    "geq": ">=",
    "geqslant": ">=",
    "lt": "<",
    "gt": ">",
    "ne": "!=",
    "neq": "!=",
    "approx": "~",
    "simeq": "~",
    "sim": "~",
    "cong": "=",
    "equiv": "=",
    "coloneqq": "=",
    "to": "->",
    "rightarrow": "->",
    "implies": "->",
    "Rightarrow": "->",
    "cup": "∪",
    "bigcup": "∪",
    "lor": "∪",
    "vee": "∪",
    "cap": "∩",
    "setminus": "∖",
    "backslash": "∖",
    "smallsetminus": "∖",
    "in": "in",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "mid",
    "colon": ":",
    "lbrace": "\\{",
    "rbrace": "\\}",
    "lbrack": "[",
    "rbrack": "]",
    "langle": "<<",
    "rangle": ">>",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "prime": "'",
    "degree": "°",
    "wedge": ",",
    "land": ",",
}
_NAMES: Final = {
    "ldots": "…",
    "dots": "…",
    "cdots": "…",
    "dotsc": "…",
    "odot": "⊙",
    "oplus": "⊕",
    "infty": "∞",
    "varnothing": "∅",
    "emptyset": "∅",
    "R": "ℝ",
    "varphi": "phi",
    "varepsilon": "epsilon",
}
GREEK: Final = _words(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar
    vartheta"""
)
FUNCTIONS: Final = _words(
    """sin cos tan cot sec csc arcsin arccos arctan asin acos atan arccot arcsec arccsc sinh cosh tanh
    coth log ln lg exp gcd lcm max min abs floor ceil cbrt"""
)
_CONSTRUCTS: Final = _words(
    """frac sqrt binom overline vec hat bar tilde dot ddot begin end pmod bmod mod overrightarrow
    choose sum prod int lim oint iint limsup liminf bigcap forall exists mapsto not over root of"""
)
_ALIASES: Final = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "mathop": "operatorname",
    "widehat": "hat",
    "widetilde": "tilde",
    "overleftrightarrow": "overline",
    "oo": "infty",
}
_TEXT: Final = _words(
    """text textbf textit textrm textsf texttt textnormal textsc textup mbox hbox mathrm operatorname emph"""
)
_FONT: Final = _words(
    """mathbf mathit boldsymbol mathcal mathsf mathfrak mathbb bm pmb boxed fbox cancel underline"""
)
_PLAIN_WORDS: Final = {
    "pi": "pi",
    "infinity": "∞",
    "inf": "∞",
    "oo": "∞",
    "theta": "theta",
    "alpha": "alpha",
    "beta": "beta",
    "lambda": "lambda",
}
_UNICODE: Final = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/",
        "⁄": "/", "∕": "/", "π": r"\pi ", "∞": r"\infty ", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=",
        "≠": r"\ne ", "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ",
        "∖": r"\setminus ", "√": r"\sqrt ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ",
        "ℝ": r"\R ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "φ": r"\phi ",
        "′": "'", "’": "'", "，": ",", "；": ";", "（": "(", "）": ")", "\u00a0": " ", "\u202f": " ",
        "⟨": r"\langle ", "⟩": r"\rangle ",
        "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
        "∠": r"\angle ", "→": r"\to ", "≡": r"\equiv ",
    }
)  # fmt: skip
_SUPERSCRIPT: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+")
_SUBSCRIPT: Final = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SUPERS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_SUBS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

#: What separates groups of three digits: a comma (with a thin space), `{,}` or a thin space.
_GROUP: Final = r"(?:,(?:\\[!,;:]\s*)?|\{,\}|\\[,;:]\s*|\\!\s*)"
THOUSANDS: Final = re.compile(rf"(?<![\d.])[1-9]\d{{0,2}}(?:{_GROUP}\d{{3}})+(?!\d)")
_SPACED_THOUSANDS: Final = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?: \d{3})+(?![\d/])")
#: The letter that people write for a union of intervals.
_UNION_LETTER: Final = re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])")
#: The only comma of a source, between digits and outside of brackets: perhaps a decimal comma.
DECIMAL_COMMA: Final = re.compile(
    r"[^,()\[\]]*\d(?:,|\{,\})\d+[^,\d()\[\]][^,()\[\]]*|[^,()\[\]]*\d(?:,|\{,\})\d+"
)
_TOKEN: Final = re.compile(
    r"""(?P<space>(?:\s|~|\\[,;:!\s>])+)
      | (?P<num>\d+\.(?=\\overline|/)|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+(?![\d.]))?)
      | (?P<row>\\\\(?:\[[^\[\]]{0,10}\])?)
      | \\(?P<cmd>[A-Za-z]+)\*?
      | (?P<run>[A-Za-z]+)
      | (?P<esc>\\.)
      | (?P<two><=|>=|!=|==|:=|=>|->|\*\*)
      | (?P<one>.)""",
    re.VERBOSE | re.DOTALL,
)
#: Commands whose backslash and first letter some program took for an escape: a form feed and `rac`.
_ESCAPED: Final = re.compile(
    r"\\?[\x07\x08\x0b\x0c]|\t(?=ext|imes|frac|heta|an\b|riangle)|\r(?=ight|angle|ho\b)|\n(?=eq\b|eg\b)"
)
_LETTERS: Final = {"\x07": "a", "\x08": "b", "\x0b": "v", "\x0c": "f", "\t": "t", "\r": "r", "\n": "n"}
#: A source that was escaped once too often.
_DOUBLED: Final = re.compile(r"(?<!\\)\\\\begin\b")
_SCALES: Final = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
#: A row of a matrix that ends in one backslash, the other having been taken for an escape.
_LOST_ROW: Final = re.compile(r"(?<!\\)\\(?=[\s\d-])")
_CONNECTORS: Final = frozenset({"and", "or"})


def clean(source: str) -> str:
    """Unicode's many forms of digits, operators and letters, as ASCII and LaTeX."""
    if _ESCAPED.search(source):
        source = _ESCAPED.sub(lambda m: "\\" + _LETTERS[m.group().lstrip("\\")], source)
    if source.isascii():
        return source
    source = source.encode("utf-8", "replace").decode()
    source = _SUPERSCRIPT.sub(lambda m: "^{" + m.group().translate(_SUPERS) + "}", source)
    source = _SUBSCRIPT.sub(lambda m: "_{" + m.group().translate(_SUBS) + "}", source)
    source = unicodedata.normalize("NFKC", source.translate(_UNICODE)).translate(_UNICODE)
    if source.isascii():
        return source
    return "".join(str(unicodedata.decimal(c, c)) if not c.isascii() else c for c in source)


def tokens(source: str, *, thousands: bool, decimal_comma: bool = False) -> list[Token]:
    """Tokens of a cleaned source. `thousands` joins groups of three digits, `decimal_comma` reads the
    comma of a whole source like `0,5` as a point."""
    if decimal_comma:
        source = re.sub(r",|\{,\}", ".", source, count=1)
    if thousands:
        source = THOUSANDS.sub(lambda m: re.sub(r"\D", "", m.group()), source)
    source = _SPACED_THOUSANDS.sub(lambda m: m.group().replace(" ", ""), source)
    source = _UNION_LETTER.sub(r"\\cup ", source)
    if _DOUBLED.search(source):
        source = source.replace("\\\\", "\\")
    if "matrix}" in source and "\\\\" not in source:
        source = _LOST_ROW.sub(r"\\\\\\\\ ", source)
    if "\\\\" in source and "\\begin" not in source:
        source = re.sub(r"\\\\(?=[A-Za-z{}%$,;!()\[\]])", r"\\", source)
    return _Lexer(source).run()


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
            elif kind == "run":
                self._run(text)
            elif kind == "esc":
                self._escape(text[1])
            else:
                self._symbol({"==": "=", ":=": "=", "=>": "->", "**": "^"}.get(text, text))
        return self.out

    def _symbol(self, text: str) -> None:
        if text == "$":
            if self.money:
                self.put("unit", "$")
            else:
                self.spaced = True
        elif text in "€£¥":
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
        elif char in "()[]":
            self.spaced = True  # the delimiters of a formula
        else:
            self.put("op", char)

    def _command(self, name: str, position: int) -> int:
        name = _ALIASES.get(name, name)
        if name in _SKIP or (name in _SPACE):
            self.spaced = self.spaced or name in _SPACE
            # `\left.` and `\right.` print nothing.
            if name in ("left", "right") and self.source[position : position + 1] == ".":
                position += 1
            if name in ("hspace", "vspace", "phantom", "vphantom"):
                _, position = self._group(position)
        elif name in _TEXT:
            content, position = self._group(position)
            self._text(content)
        elif name in _FONT:
            content, position = self._group(position)
            if name == "mathbb" and content.strip() in "RZNQC":
                self.put("name", {"R": "ℝ"}.get(content.strip(), "𝔹" + content.strip()))
            else:
                self.put("op", "{")
                self.out.extend(_Lexer(content).run())
                self.put("op", "}")
        elif name in ("color", "textcolor"):
            _, position = self._group(position)
        elif name == "circ":
            self.put("op", "°")
        elif name in ("begin", "end"):
            environment, position = self._group(position)
            if name == "begin" and environment == "array":
                _, position = self._group(position)
            self.put(name, environment)
        elif name in _OPERATORS:
            self.put("op", _OPERATORS[name])
        elif name in _NAMES:
            self.put("name", _NAMES[name])
        elif name in GREEK:
            self.put("name", name)
        elif name in FUNCTIONS:
            self.put("fn", name)
        elif name == "dollar":
            self.put("unit", "$")
        elif name in _CONSTRUCTS:
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
        stripped = content.replace("~", " ").replace("\\ ", " ").strip()
        self.spaced = self.spaced or content[:1].isspace()
        lowered = stripped.lower().strip(".,;")
        if lowered in _CONNECTORS:
            self.put("op", lowered)
        elif lowered.partition(" ")[0] in _SCALES and self._after_value():
            scale, _, rest = stripped.partition(" ")
            self._scale(scale.lower())
            if rest.strip():
                self._text(rest)
        elif self._is_unit(stripped) and (lowered not in FUNCTIONS or self._after_value()):
            self.put("unit", stripped)
        elif lowered in FUNCTIONS:
            self.put("fn", lowered)
        elif re.fullmatch(r"-?\d[\d.,]*\s+[A-Za-z ]+", stripped):
            self.out.extend(_Lexer(stripped).run())  # a number and its unit
        elif len(re.findall(r"[A-Za-z]", stripped)) >= 2 and not re.search(r"[\\^=<>+*]", stripped):
            for part in re.split(r"\s+(and|or)\s+|^(and|or)\s+|\s+(and|or)$", stripped):
                if part:
                    self.put("op" if part in _CONNECTORS else "word", part)
        elif stripped:
            self.out.extend(_Lexer(stripped).run())
        self.spaced = content[-1:].isspace()

    def _scale(self, word: str) -> None:
        self.put("op", "*")
        self.put("num", str(10 ** _SCALES[word]))

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
        elif lowered in _SCALES and self._after_value():
            self._scale(lowered)
        elif run == "Matrix":
            pass  # a computer algebra system's way to write one; its rows follow
        elif len(run) == 1:
            self.put("name", run)
        elif lowered in FUNCTIONS and not (run == "min" and self._after_value()):
            self.put("fn", lowered)
        elif lowered == "sqrt":
            self.put("cmd", "sqrt")
        elif lowered in _PLAIN_WORDS:
            self.put("name", _PLAIN_WORDS[lowered])
        elif run == "frac":
            self.put("cmd", "frac")
        elif run in ("st", "nd", "rd", "th") and self.out and self.out[-1].kind == "num" and not self.spaced:
            pass  # an ordinal is its number
        elif self._is_unit(run) and self._after_value():
            self.put("unit", run)
        elif (len(run) >= 3 and (run.islower() or run.istitle())) or len(run) >= 5 or lowered in ("no", "is"):
            self.put("word", run)
        else:
            for letter in run:
                self.put("name", letter)
