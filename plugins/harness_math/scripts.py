"""Letters and words of other scripts than Latin: Greek names, units and phrases in Chinese."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Units in Chinese, the longest first.
_UNITS: Final = {
    "平方厘米": "cm^2", "平方分米": "dm^2", "平方千米": "km^2", "平方米": "m^2",
    "立方厘米": "cm^3", "立方分米": "dm^3", "立方米": "m^3",
    "毫米": "mm", "厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "m",
    "千克": "kg", "公斤": "kg", "克": "g", "吨": "tons", "毫升": "mL", "升": "L",
    "小时": "hours", "分钟": "minutes", "秒": "seconds", "天": "days",
    "美元": "dollars", "元": "yuan", "度": "degrees",
}  # fmt: skip
_UNIT: Final = re.compile(rf"(?<=[\d}})])\s*(?:{'|'.join(_UNITS)})(?![\u3400-\u9fff])")
#: Words that say that an answer follows.
_LEAD: Final = re.compile(r"^\s*(?:所以|因此|故|则)?\s*(?:正确)?(?:最终)?答案(?:是|为|选|:|：)+\s*")
_JOINTS: Final = {
    "或者": " or ",
    "或": " or ",
    "和": " and ",
    "与": " and ",
    "且": " and ",
    "、": ", ",
    "。": ".",
}
_JOINT: Final = re.compile("|".join(_JOINTS))
_NOTHING: Final = re.compile(
    r"^\s*(?:\\text\s*\{)?\s*(?:方程|不等式)?(?:无解|无实数解|无实根|空集)\s*\}?\s*$"
)
_GREEK: Final = re.compile("[\u0391-\u03a9\u03b1-\u03c9]")


#: Numbers in circles, which name statements: several side by side are a list.
_CIRCLED: Final = re.compile("[①-⑳](?:[\\s,，、]*[①-⑳])*")


def other_scripts(source: str) -> str:
    """A source whose Greek letters are commands, and whose Chinese units and joints are English."""
    source = _CIRCLED.sub(_listed, _GREEK.sub(_named, source))
    if source.isascii():
        return source
    if _NOTHING.match(source):
        return r"\emptyset"
    source = _LEAD.sub("", source)
    source = _UNIT.sub(lambda m: rf"\text{{ {_UNITS[m.group().strip()]} }}", source)
    return _JOINT.sub(lambda m: _JOINTS[m.group()], source)


def _listed(match: re.Match[str]) -> str:
    return ", ".join(str(int(unicodedata.numeric(c))) for c in match.group() if "①" <= c <= "⑳")


def _named(match: re.Match[str]) -> str:
    letter = match.group()
    name = unicodedata.name(letter).rpartition(" ")[2].lower().replace("lamda", "lambda")
    name = name.capitalize() if letter.isupper() else name
    return letter if name.lower() == "omicron" else f"\\{name} "
