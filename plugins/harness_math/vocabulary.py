"""The words and commands that the lexer knows, and what each of them means."""

from __future__ import annotations

import re
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables."""
    return frozenset(text.split())


SKIP: Final = words(
    """left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr displaystyle textstyle limits
    nolimits scriptstyle rm bf it sf tt normalsize large Large small hfill hline centering angle
    measuredangle triangle bigcirc phantom vphantom nonumber notag mathstrut strut middle checkmark square
    blacksquare qed Box"""
)
SPACE: Final = words("""quad qquad enspace thinspace hspace vspace space""")
OPERATORS: Final = {
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
    "equiv": "≡",
    "coloneqq": "=",
    "to": "->",
    "rightarrow": "->",
    "longrightarrow": "->",
    "implies": "=>",
    "Rightarrow": "=>",
    "Longrightarrow": "=>",
    "cup": "∪",
    "bigcup": "∪",
    "lor": "∨",
    "vee": "∨",
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
    "wedge": "∧",
    "land": "∧",
}
NAMES: Final = {
    "ldots": "…",
    "dots": "…",
    "cdots": "…",
    "dotsc": "…",
    "odot": "⊙",
    "oplus": "⊕",
    "imath": "i",
    "jmath": "j",
    "infty": "∞",
    "varnothing": "∅",
    "emptyset": "∅",
    "R": "ℝ",
    "varphi": "phi",
    "varepsilon": "epsilon",
}
GREEK: Final = words(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar
    vartheta"""
)
FUNCTIONS: Final = words(
    """sin cos tan cot sec csc arcsin arccos arctan asin acos atan arccot arcsec arccsc sinh cosh tanh
    coth log ln lg exp cis gcd lcm max min abs floor ceil cbrt"""
)
CONSTRUCTS: Final = words(
    """frac sqrt binom overline vec hat bar tilde dot ddot begin end pmod bmod mod overrightarrow
    choose sum prod int lim oint iint limsup liminf bigcap forall exists mapsto not over root of"""
)
ALIASES: Final = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "mathop": "operatorname",
    "widehat": "hat",
    "widetilde": "tilde",
    "overleftrightarrow": "overline",
    "oo": "infty",
    "sfrac": "frac",
    "nicefrac": "frac",
    "bar": "overline",
    "surd": "sqrt",
    "tbinom": "binom",
}
#: Runs of small letters that are products, not words: without a vowel, or the first of the alphabet.
PRODUCT: Final = re.compile(r"[b-df-hj-np-tv-z]{3,4}|abcd?")
#: Short words between words; elsewhere they are products of letters, or inches.
PREPOSITIONS: Final = words("in of to at on by for a an the")
CONSONANTS: Final = words("why dry sky try fly cry shy sly spy gym nth mth kth rhs lhs pts hrs mph kph")
TEXT: Final = words(
    """text textbf textit textrm textsf texttt textnormal textsc textup mbox hbox mathrm operatorname emph"""
)
FONT: Final = words("""mathbf mathit boldsymbol mathcal mathsf mathfrak mathbb bm pmb boxed fbox underline""")
PLAIN_WORDS: Final = {
    "pi": "pi",
    "infinity": "∞",
    "inf": "∞",
    "oo": "∞",
    "theta": "theta",
    "alpha": "alpha",
    "beta": "beta",
    "lambda": "lambda",
}
MONEY: Final = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "Rs": "₹",
    "INR": "₹",
    "JPY": "¥",
    "CNY": "元",
    "RMB": "元",
}
#: Commands that print a currency's sign.
CURRENCIES: Final = {
    "dollar": "$",
    "textdollar": "$",
    "pounds": "£",
    "textsterling": "£",
    "euro": "€",
    "texteuro": "€",
    "yen": "¥",
    "textyen": "¥",
    "rupee": "₹",
}
#: Signs of currencies, which stand before or behind a value.
SIGNS: Final = "$€£¥₹"
SCALES: Final = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
KNOWN: Final = FUNCTIONS | GREEK | TEXT | FONT | SKIP | SPACE | CONSTRUCTS | OPERATORS.keys() | NAMES.keys()
