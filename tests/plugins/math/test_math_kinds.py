"""Kinds of answers that graders take for others: each in many forms, of both polarities.

A kind is what an answer means (a floor, a ratio, a time of day), not how one row of data writes it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.math_kit import judged

#: Kind -> pairs of gold and answer that are the same.
SAME: dict[str, list[tuple[Any, str]]] = {
    "floor and ceiling": [
        (r"\lfloor n/2\rfloor", r"\left\lfloor \frac{n}{2}\right\rfloor"), (r"\lceil n/2\rceil", r"\lfloor (n+1)/2\rfloor"),
        ("n", r"\lfloor n/2\rfloor+\lceil n/2\rceil"), (r"\lfloor x\rfloor+1", r"\lfloor x+1\rfloor"), (r"\lfloor -x \rfloor", r"-\lceil x\rceil"),
        (r"n \bmod 2", r"n - 2\lfloor n/2\rfloor"), (r"\left\lceil \frac{n}{2} \right\rceil", r"\frac{n + (n \bmod 2)}{2}"), ("3", r"\lfloor \pi \rfloor"),
        (r"\lfloor \sqrt{n} \rfloor", r"\lfloor n^{1/2} \rfloor"), (r"f(n) = \lfloor \frac{(n-1)^2}{2} \rfloor", r"\lfloor (n^2-2n+1)/2 \rfloor"),
    ],
    "functions of whole numbers": [
        (r"\gcd(a,b)", r"\gcd(b,a)"), ("ab", r"\gcd(a,b)\cdot\text{lcm}(a,b)"), (r"\gcd(2a,2b)", r"2\gcd(a,b)"), (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k"),
        ("n!", r"\prod_{k=1}^{n} k"), ("(-1)^{2n}", "1"), ("(-1)^n", "(-1)^{n+2}"), (r"\gcd(m+1, n) = 1", r"\gcd(n, m+1) = 1"), ("4", r"\gcd(12, 20)"), ("2^n - 1", r"\sum_{k=0}^{n-1} 2^k"),
    ],
    "ratios": [
        ("7:2:9", "14:4:18"), ("1:2:3", "2:4:6"), (r"1:\sqrt2:\sqrt3", r"\sqrt2:2:\sqrt6"), ("6:5:4", "6 : 5 : 4"), ("1:2", "2:4"), ("2:3", r"\frac23"),
        ("5:10:13", r"5\colon10\colon13"), (r"\frac12:\frac13:\frac14", "6:4:3"), ("0:1:2", "0:2:4"), ("a:b:c", "2a:2b:2c"), ("3:4:5", "0.3:0.4:0.5"),
    ],
    "tiny values": [
        (r"\frac{\pi}{10^{20}}", r"\pi\cdot10^{-20}"), ("e^{-40}", r"\frac{1}{e^{40}}"), ("10^{-400.5}", r"\frac{1}{10^{400.5}}"), ("0", r"\sin \pi"), ("0", r"\sqrt{2}-\sqrt{2}"),
        (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"), ("0", r"\cos\frac{\pi}{2}"), ("1", r"\sqrt[3]{2+\sqrt5}+\sqrt[3]{2-\sqrt5}"), (r"\frac18", r"\sin 10^\circ \sin 50^\circ \sin 70^\circ"),
        (r"\cos\frac{\pi}{5}", r"\frac{1+\sqrt5}{4}"), (r"x\cdot 10^{-20}", r"\frac{x}{10^{20}}"),
    ],
    "congruences": [
        (r"n \equiv 2 \pmod 5", r"n \equiv 7 \pmod{5}"), (r"n \equiv 1 \pmod 4", r"n \equiv 5 \pmod 4"), (r"n\equiv 2 \pmod 5", "n = 5k+2"), (r"2n \equiv 4 \pmod{10}", r"n \equiv 2 \pmod 5"),
        (r"n \equiv \pm 1 \pmod 6", r"n \equiv 1, 5 \pmod 6"), (r"n \equiv 0,2(\bmod 6)", r"n \equiv 2, 0 \pmod 6"), (r"x \equiv 3 \mod 7", r"x \equiv 3 (\text{mod } 7)"),
        ("7", r"7 \pmod{11}"), ("7", r"x \equiv 7 \pmod{11}"), (r"7 \mid n", "7|n"), (r"7 \mid n", r"n \equiv 0 \pmod 7"), (r"7 \mid n", "n = 7k"), (r"n \equiv -1 \pmod 5", r"n \equiv 4 \pmod 5"),
    ],
    "times of day": [
        ("8:20 p.m.", r"8:20 \text{ PM}"), ("8:20 p.m.", "20:20"), ("4:40 a.m.", "4:40 AM"), ("9:45", "9:45 a.m."), ("12:00 p.m.", "noon"), (r"\text{4:10 P.M.}", "4:10 p.m."),
        ("5:05(PM)", "5:05 pm"), (r"8\!:\!34 \text{ p.m.}", "8:34 p.m."), ("8 p.m.", "8:00 p.m."), ("05:54", "5:54"), ("0:30", "12:30 a.m."), ("8:20 p.m.", r"\text{8:20 in the evening}"), ("8:11", "16:22"),
    ],
    "primes and functions": [
        ("y'", r"y^{\prime}"), ("f'(x)", r"f^{\prime}(x)"), ("f''(2x)", "f''(x+x)"), ("(S/S')^{n/2}", r"\left(\frac{S}{S'}\right)^{\frac{n}{2}}"), ("f(x)+1", "1+f(x)"),
        ("f(a+b)", "f(b+a)"), ("2g(x)", "g(x)+g(x)"), ("R+R'D", "DR'+R"), (r"\frac{b'}{a'}<\frac{b}{a}", r"\frac{b}{a} > \frac{b'}{a'}"), ("f(x)g(x)", "g(x) f(x)"),
    ],
    "digits in a base": [
        ("3D_{16}", r"\text{3D}_{16}"), ("3D_{16}", "3d_{16}"), ("3D_{16}", "3D"), ("3D_{16}", "61_{10}"), ("463_8", "463_{8}"), ("463_8", r"463_{\text{eight}}"), ("463_8", r"463 \text{ (base 8)}"),
        ("463_8", "463"), ("AF_{16}", r"\text{AF}_{16}"), ("1011_2", r"1011_{\text{two}}"), ("1011_2", "11_{10}"), ("3D_{16}", "(3D)_{16}"), ("463_8", "463 base 8"), ("1011_2", "001011_2"),
    ],
    "words in capitals": [
        ("IX", r"\text{IX}"), ("III", r"\text{III}"), ("HT", r"\text{HT}"), ("AB", r"\overline{AB}"), ("AB = 4", "4"), ("DNE", r"\text{DNE}"), ("HH, HT", "HT, HH"),
        ("NNNYYY", r"\text{NNNYYY}"), ("BEE", r"\mathrm{BEE}"), ("AB", r"A \cdot B"), ("xyz", "zyx"), ("6xyz", "6zxy"), ("II", "$II$"),
    ],
    "lists": [
        ("31, 205", r"31,\, 205"), ("(5, 313)", r"(5,\,313)"), (r"\{1, 100\}", r"\{1,\,100\}"), ("98, 118, 122", r"98,\,118,\,122"), ("1,000, 2,000", r"1{,}000,\ 2{,}000"), ("1,000, 2,000", r"1,000,\,2,000"),
        ("31205", "31{,}205"), ("31205", r"31,\!205"), ("2, 3", r"2;\,3"), ("2, 3", r"2\text{ and }3"), ("2, 3", r"2\text{ or }3"), ("2, 3", r"\{2;3\}"), ("2, 3", "2\n3"), ("2, 3", r"2 \quad\text{and}\quad 3"),
        ("2,3", "x_1=2, x_2=3"), ("2, 3", r"x = 2 \lor x = 3"), ("2, 3", r"2 \text{ as well as } 3"), ("2,3", r"2 \\ 3"), ("2, 3", "[2, 3]"), ("(1,2),(3,4)", "(1,2)(3,4)"), ("(1,2)(3,4)", "(1, 2)(3, 4)"),
    ],
    "lists inside text": [
        ("8 and 9", r"\text{8 and 9}"), ("9 or 3", r"\text{9 or 3}"), ("8 and 9", r"\text{both 8 and 9}"), ("4, 5", r"\text{either 4 or 5}"), ("1, 2, 3", r"\text{1, 2, and 3}"), ("1, 2, 3", r"\text{1, 2 and 3}"),
        ("8 and 9", r"8 \& 9"), ("8 and 9", r"\text{8} \text{ and } \text{9}"), ("5 apples", r"\text{5 apples}"), ("8 and 9", r"\textbf{8 and 9}"), ("2 and 3750", r"\mathrm{2\ and\ 3750}"), ("12", r"\text{Answer: }12"),
    ],
    "remarks that restrict nothing": [
        ("f(x)=2x", r"f(x)=2x \text{ for every real } x"), ("f(x)=2x", r"f(x)=2x \text{ for all } x"), ("f(x)=x", r"f(x) = x \text{ for all real numbers } x"), ("f(x)=x", r"f(x)=x \quad \forall x \in \mathbb{R}"),
        (r"2\pi k", r"2\pi k \text{ where } k \text{ is an integer}"), (r"2\pi k", r"2\pi k, k \in \mathbb{Z}"), (r"2\pi k", r"2\pi k\ (k \in \mathbb{Z})"), (r"2\pi k", r"2\pi k \text{ for any integer } k"),
        ("f(x)=cx", r"f(x)=cx, \text{ where } c \text{ is a real constant}"), ("x^2", r"x^2 \text{ for all real } x"), ("f(n)=n+1", r"\text{For all integers } n, f(n)=n+1"), ("f(x)=cx", r"f(x) = cx \text{ for some constant } c"),
    ],
    "compound units": [
        ("1 hour and 20 minutes", "80 minutes"), ("1 hour 20 minutes", r"1 \text{ hour and } 20 \text{ minutes}"), ("80 minutes", r"\text{1 hour and 20 minutes}"), ("80 minutes", "1 h 20 min"), ("7 minutes and 5 seconds", "425 seconds"),
        ("7 minutes and 5 seconds", r"7 \text{ minutes}, 5 \text{ seconds}"), ("5 feet 3 inches", "63 inches"), ("5'3''", "63 inches"), ("2 hours, 5 minutes and 3 seconds", "7503 s"), ("3 dollars and 50 cents", r"\$3.50"),
        ("1 year and 6 months", "18 months"), (r"30^\circ 15'", r"30.25^\circ"), ("1.5 hours", "1 hour and 30 minutes"), ("2 days and 3 hours", "51 hours"), ("6 ft 2 in", "74 inches"),
    ],
    "approximations and chains": [
        ("1/3", r"\frac13 \approx 0.333"), ("0.333", r"\frac13 \approx 0.333"), ("21", r"21 \approx 18"), (r"\sqrt3", r"\sqrt3 \approx 1.73"), ("1.73", r"\sqrt3 \approx 1.73"), ("314", r"100\pi \approx 314"), (r"100\pi", r"x = 100\pi \approx 314"),
        ("x=1/3", r"x = \frac26 = \frac13 \approx 0.33"), ("12", "12.0 = 12"), ("5", "2+3=5"), ("5", "x=2+3=5"), ("2", r"x^2=4 \Rightarrow x = 2"), ("5", r"2x=10 \implies x=5"), ("5", r"x \to 5"),
    ],
    "golds that a program wrote": [
        (0.7999999999999999, "0.8"), (2 / 3, r"\frac23"), (1 / 7, r"\frac17"), (8 / 9, "8/9"), (100 / 3, r"\frac{100}{3}"), (4.35 * 100, "435"), (1.1 * 3, "3.3"), (0.10000000149011612, "0.1"), (2 / 3, "0.666667"), (0.1 + 0.2, "0.3"),
        ("0.30000000000000004", "0.3"), (1e22, "10^{22}"), (2.5, "5/2"), (0.1, "1/10"), (1e-7, "10^{-7}"), (-0.7999999999999999, "-0.8"), ([0.7999999999999999, 2.0], "0.8"), (0.7999999999999999, "0.7999999999999999"),
    ],
    "everyday forms": [
        ('3.2 \\times 10^5', '320000'), ('3.2e5', '3.2 \\cdot 10^{5}'), ('6.02 \\times 10^{23}', '6.02e23'), ('\\frac{1}{2} \\text{ hour}', '30 minutes'), ('0.5 \\text{ hours}', '30 \\text{ min}'),
        ('1.5 \\text{ km}', '1500 m'), ('72 \\text{ km/h}', '20 m/s'), ('50 mph', '50 \\text{ miles per hour}'), ('2 \\text{ dozen}', '2 dozen'), ('5\\text{ cm}^3', '5 \\text{ mL}'),
        ('1 \\text{ L}', '1000 \\text{ cm}^3'), ('\\$1,250.00', '1250'), ('\\$0.75', '75 cents'), ('USD 5', '5'), ('€5', '5 euros'), ('£3', '3'), ('5^\\circ C', '5 \\text{ degrees Celsius}'), ('98.6^\\circ F', '98.6'),
        ('(-\\infty, 2) \\cup (2, \\infty)', 'x \\ne 2'), ('x \\in (0, 1)', '0 < x < 1'), ('\\{x : x > 3\\}', '(3, \\infty)'), ('x<-2 \\text{ or } x>2', '(-\\infty,-2)\\cup(2,\\infty)'),
        ('[2, \\infty)', '\\{x | x \\geq 2\\}'), ('x \\leq -1 \\lor x \\geq 1', '(-\\infty,-1]\\cup[1,\\infty)'), ('x \\in \\mathbb{R}', '\\text{all real numbers}'), ('\\mathbb{R} \\setminus \\{0\\}', 'x \\neq 0'),
        ('x > 0 \\text{ and } x < 5', '(0,5)'), ('a \\in (1,2]', '1<a\\le2'), ('-1 \\le x \\le 1', '|x| \\le 1'), ('\\frac{x^2-1}{x-1}', 'x+1'), ('\\frac{a}{b}+\\frac{c}{d}', '\\frac{ad+bc}{bd}'),
        ('\\sqrt{50}', '5\\sqrt{2}'), ('\\frac{1}{\\sqrt{2}}', '\\frac{\\sqrt{2}}{2}'), ('\\log 100', '2'), ('\\ln e^3', '3'), ('2^{-3}', '0.125'), ('4!', '24'), ('\\binom{6}{2}', '15'), ('{}_6C_2', '15'),
        ('C(6,2)', '15'), ('x = 1, y = 2', '(1,2)'), ('(x,y) = (1,2)', '(1, 2)'), ('x=1 \\text{ and } y=2', '(1,2)'), ('y = \\frac{1}{2}x + 3', 'x - 2y + 6 = 0'), ('2x - y = 3', 'y = 2x - 3'),
        ('(x-1)^2+(y-2)^2=9', 'x^2+y^2-2x-4y-4=0'), ('a=2,b=3', 'b=3,a=2'), ('p = 5, q = 7', '5, 7'), ('x=3 \\text{ or } x=-3', '\\pm 3'), ('\\pm\\frac{1}{2}', '-0.5, 0.5'), ('1, -1', '\\pm 1'),
        ('2 \\frac{3}{4}', '\\frac{11}{4}'), ('2\\tfrac34', '2.75'), ('-1\\frac{1}{2}', '-1.5'), ('3 \\; 1/2', '3.5'), ('1 \\frac{1}{3}', '4/3'), ('\\text{Monday}', 'monday'), ('\\text{True}', 'true'),
        ('yes', '\\text{Yes.}'), ('\\text{(C)}', 'C'), ('\\text{June 20}', 'June 20'), ('No solution', '\\text{no solutions}'), ('\\text{none}', '\\emptyset'),
        ('\\text{The triangle is right-angled}', 'the triangle is right angled'), ('\\begin{pmatrix}1\\\\2\\end{pmatrix}', '(1,2)'),
        ('\\begin{bmatrix}1 & 0\\\\0 & 1\\end{bmatrix}', '\\begin{pmatrix}1 & 0\\\\0 & 1\\end{pmatrix}'), ('\\langle 1, 2, 3 \\rangle', '(1,2,3)'), ('\\mathbf{i}+2\\mathbf{j}', '\\mathbf{i} + 2\\mathbf{j}'),
        ('3+4i', '4i+3'), ('2i', '2\\mathrm{i}'), ('\\frac{1+i}{2}', '0.5+0.5i'), ('e^{i\\pi/2}', 'i'), ('12\\pi \\text{ cm}^2', '12\\pi'), ('36\\pi', '36 \\pi \\text{ square units}'),
        ('\\frac{4}{3}\\pi r^3', '\\frac{4\\pi r^3}{3}'), ('10\\%', '10 \\text{ percent}'), ('33\\frac13\\%', '\\frac{1}{3}'), ('0.1\\%', '0.001'), ('1:3', '1 \\text{ to } 3'), ('3 \\text{ to } 4', '3:4'),
        ('2:3:4', '2 \\text{ to } 3 \\text{ to } 4'), ('3:00', '3:00 \\text{ PM}'), ('100', '10^2'), ('x^2y', 'yx^2'), ('2ab', '2ba'), ('f^{-1}(x)=x-1', 'x-1'), ('\\sin^2 x', '(\\sin x)^2'),
        ('\\tan x', '\\frac{\\sin x}{\\cos x}'), ('\\arctan 1', '\\frac{\\pi}{4}'), ('\\cos^{-1}(0)', '\\frac{\\pi}{2}'), ('\\sin(30^\\circ)', '\\frac12'), ('\\log_{3} 9', '2'), ('\\sqrt[4]{16}', '2'), ('|−3|', '3'),
        ('\\lvert -3 \\rvert', '3'), ('1,2,3,\\dots,10', '1,2,3,\\ldots,10'), ('\\{1,2,\\dots,n\\}', '\\{1,2,\\ldots,n\\}'), ('n^2+n', 'n(n+1)'), ('2^n-1', '-1+2^n'), ('\\frac{n(n-1)}{2}', '\\binom{n}{2}'),
        ('(n+1)!', '(n+1)\\cdot n!'), ('3^{n+1}', '3\\cdot3^n'), ('7.0', '7'), ('.75', '3/4'), ('-0.5', '-\\frac{1}{2}'), ('1e3', '1000'), ('10,000', '10000'), ('12.50', '12.5'), ('1/2', '\\frac{2}{4}'),
        ('5 \\text{ and } -5', '\\pm5'), ('0.\\overline{27}', '3/11'), ('0.\\dot{3}', '1/3'), ('0.333\\ldots', '1/3'), ('0.1\\overline{6}', '1/6'), ('\\angle A = 30^\\circ', '30'),
        ('m\\angle ABC = 40^\\circ', '40^\\circ'), ('\\triangle ABC', 'ABC'), ('\\overline{AB}', 'AB'), ('A = 12', '12'), ('\\text{Area}=12', '12'), ('S_n = n^2', 'n^2'), ('a_n = 2n-1', '2n-1'),
        ('(3,-2),(−3,2)', '(3,-2), (-3,2)'), ('\\{(1,2),(3,4)\\}', '\\{(3,4),(1,2)\\}'), ('(\\frac12,\\frac13)', '(0.5, 1/3)'), ('[-1,1]', '\\left[-1,1\\right]'), ('(1,2) \\text{ and } (3,4)', '(1,2),(3,4)'),
        ('x^3 - 6x^2 + 11x - 6', '(x-1)(x-2)(x-3)'), ('\\frac{\\pi}{4} + k\\pi', '\\frac{\\pi}{4} + \\pi k'), ('k\\pi, k\\in\\mathbb{Z}', '\\pi k'), ('\\frac{\\sqrt{6}-\\sqrt{2}}{4}', '\\sin 15^\\circ'),
        ('\\sqrt{2}+\\sqrt{3}', '\\sqrt{5+2\\sqrt{6}}'), ('5 \\text{ seconds}', '5\\text{ s}'), ('20 \\text{ sq cm}', '20\\text{ cm}^2'), ('8 \\text{ units}', '8'), ('3 \\text{ feet}', '1 \\text{ yard}'),
        ('2 \\text{ weeks}', '14 \\text{ days}'), ('3.0 \\times 10^8 \\text{ m/s}', '3\\times10^{8}'), ('1 \\text{ kg}', '1000 \\text{ g}'), ('15', '\\text{fifteen}'), ('20', 'twenty'),
        ('\\frac{1}{2}', '\\text{one half}'), ('2,500,000', '2.5 million'), ('2.5 \\text{ million}', '2500000'), ('1000', '1 thousand'), ('C', '\\textbf{C}'), ('B', '\\text{B}'), ('D', '(D) 5'), ('A', '\\boxed{A}'),
        ('E', 'E.'),
    ],
    "rarer forms": [
        ('(3,4)', 'P(3,4)'), ('\\begin{cases} x=1\\\\ y=2\\end{cases}', 'x=1, y=2'), ('x=1, y=2', '\\left\\{\\begin{array}{l} x=1 \\\\ y=2 \\end{array}\\right.'), ('(1,2)', '\\begin{cases} x=1\\\\ y=2\\end{cases}'),
        ('\\{x \\in \\mathbb{R} \\mid x \\neq 1\\}', 'x \\ne 1'), ('\\{x \\mid x \\geq 0\\}', '[0,+\\infty)'), ('(-\\infty,+\\infty)', '\\mathbb R'), ('{x|x<2}', 'x<2'), ('\\mathbb{R}\\backslash\\{2\\}', 'x \\neq 2'),
        ('5,6', '5\\text{, }6'), ('5,6', '5,\\quad 6'), ('5, 6', '5 \\text{ or } 6'), ('5 \\text{ or } 6', '\\text{5 or 6}'), ('5,6', '$5$ and $6$'), ('5,6', '\\text{$5$ and $6$}'), ('1, 2, 3', '1;\\ 2;\\ 3'),
        ('1, 2, 3', '1,2, \\text{ and } 3'), ('3,5', '3 \\text{ and }5'), ('10 \\text{ m/s}', '10 \\text{ m s}^{-1}'), ('10 \\text{ m/s}', '10\\ \\mathrm{m\\,s^{-1}}'),
        ('9.8 \\text{ m/s}^2', '9.8 \\frac{\\text{m}}{\\text{s}^2}'), ('10\\text{ N}', '10 \\text{ newtons}'), ('60 \\text{ mi/h}', '60 \\text{ mph}'), ('5 \\text{ kg}', '5 \\mathrm{~kg}'),
        ('100 \\text{ cm}', '1 \\mathrm{~m}'), ('4 \\text{ ft } 6 \\text{ in}', '54 \\text{ inches}'), ('3 \\text{ hr } 15 \\text{ min}', '195 \\text{ minutes}'),
        ('1 \\text{ minute } 30 \\text{ seconds}', '90 \\text{ s}'), ('2 h 30 min', '150 min'), ('3 weeks and 2 days', '23 days'), ('\\frac{3}{4}', '75\\%'), ('0.75', '75\\%'), ('75\\%', '\\frac34'),
        ('\\frac{1}{3}', '33\\frac{1}{3}\\%'), ('12.5\\%', '\\frac18'), ('\\lfloor 3.7 \\rfloor', '3'), ('\\lceil 3.2 \\rceil', '4'), ('\\lfloor -1.5 \\rfloor', '-2'),
        ('\\lfloor \\frac{n}{2} \\rfloor + 1', '\\lfloor \\frac{n+2}{2} \\rfloor'), ('\\lfloor \\frac{2n}{3} \\rfloor', '\\lfloor 2n/3 \\rfloor'), ('\\lceil \\log_2(n+1) \\rceil', '\\lfloor \\log_2 n \\rfloor + 1'),
        ('x \\equiv 1 \\bmod 3', 'x \\equiv 1 \\pmod{3}'), ('n \\equiv 3 \\ (\\mathrm{mod}\\ 4)', 'n \\equiv 3 \\pmod 4'), ('x \\equiv 2 (mod 7)', 'x\\equiv 2 \\pmod 7'), ('2 \\pmod{7}', 'x \\equiv 2 \\pmod 7'),
        ('n = 2 + 5k', 'n \\equiv 2 \\pmod 5'), ('n \\text{ is even}', 'n \\text{ is even}'), ('\\text{all } n \\equiv 1 \\pmod 2', '\\text{all } n \\equiv 1 \\pmod 2'), ('12_{10}', '12'),
        ('\\text{FF}_{16}', '255_{10}'), ('1A_{16}', '26_{10}'), ('0.1_2', '0.5_{10}'), ('110_{\\text{two}}', '6_{\\text{ten}}'), ('(1101)_2', '1101_2'), ('1101_{(2)}', '1101_2'), ('1101 \\text{ (base 2)}', '1101_2'),
        ('\\overline{1101}_2', '1101_2'), ('7:30', '7:30 \\text{ AM}'), ('7:30 \\text{ am}', '07:30'), ('19:30', '7:30 \\text{ PM}'), ('12:00 \\text{ noon}', '12 \\text{ p.m.}'), ('midnight', '12:00 a.m.'),
        ("7 \\text{ o'clock}", '7:00'), ('5:00\\text{ p.m.}', '5 pm'), ('\\text{HHT}', 'HHT'), ('ABCD', '\\text{ABCD}'), ('SOS', '\\mathrm{SOS}'), ('ACB', '\\textbf{ACB}'), ('(2n)!', '(2n)\\cdot(2n-1)!'),
        ('\\frac{(2n)!}{n!n!}', '\\binom{2n}{n}'), ('2^{n}n!', 'n!2^n'), ('\\frac{n(n+1)(2n+1)}{6}', '\\sum_{i=1}^{n} i^2'), ('F_{n+1}', 'F_{n+1}'), ('\\phi(n)', '\\varphi(n)'), ('f(x) = \\frac{1}{x}', '\\frac1x'),
        ('f(x)=x^2, g(x)=x', 'g(x)=x, f(x)=x^2'), ('f(f(x))', 'f(f(x))'), ('P(x) = x^2+1', 'x^2+1'), ("f'(2)=3", '3'), ("y' = 2x", '2x'), ('\\frac{dy}{dx}=2x', '2x'), ('\\$12', '12 \\text{ dollars}'),
        ('\\$1.20', '\\$1.2'), ('1.20', '\\$1.20'), ('120 \\text{ cents}', '\\$1.20'), ('¥100', '100'), ('x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}', '\\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}'), ('-3 \\pm 2i', '-3+2i, -3-2i'),
        ('1 \\pm i\\sqrt{3}', '1+i\\sqrt3, 1-i\\sqrt3'), ('\\vec{v} = (1,2)', '(1,2)'), ('\\hat{i}+2\\hat{j}', '\\hat i + 2 \\hat j'), ('2\\mathbf{i} - \\mathbf{j}', '-\\mathbf{j}+2\\mathbf{i}'),
        ('\\frac{1}{2}\\ln 2', '\\ln\\sqrt2'), ('\\log_{10} 5', '\\lg 5'), ('e^{\\ln 5}', '5'), ('\\frac{\\ln 8}{\\ln 2}', '3'), ('\\cosh 0', '1'), ('\\sec 0', '1'), ('\\cot \\frac{\\pi}{4}', '1'),
        ('\\csc 30^\\circ', '2'), ('\\text{arctan}(1)', '\\frac{\\pi}{4}'), ('\\operatorname{lcm}(4,6)', '12'), ('\\gcd(12,18)', '6'), ('\\max\\{1,2\\}', '2'), ('\\min(3,4)', '3'),
        ('(0,1) \\cup (1,2)', '(0,2) \\setminus \\{1\\}'), ('[0,1)\\cup(1,2]', '[0,2]\\setminus\\{1\\}'), ('\\{-1\\} \\cup [1,2]', '[1,2]\\cup\\{-1\\}'), ('0\\le x\\le 1 \\text{ or } x = 3', '[0,1]\\cup\\{3\\}'),
        ('1\\,000\\,000', '10^6'), ('1.0\\times10^{6}', '1000000'), ('6.0221\\times 10^{23}', '6.0221e+23'), ('-1.6\\times10^{-19}', '-1.6e-19'), ('3 \\cdot 10^{-4}', '0.0003'), ('n \\ge 3', '3 \\le n'),
        ('a<b<c', 'c>b>a'), ('x+y \\le 1', 'y \\le 1-x'), ('2x > 4', 'x > 2'), ('-x < 1', 'x > -1'), ('\\text{I, II, and III}', 'I, II, III'), ('I and II', '\\text{I and II}'), ('P and S', 'P \\text{ and } S'),
        ('\\text{A and C}', 'A, C'), ('so and so', 'so and so'),
    ],
    "further forms": [
        ('\\lfloor \\sqrt{n} + \\frac12 \\rfloor', '\\left\\lfloor \\frac12 + \\sqrt{n}\\right\\rfloor'), ('\\lfloor n/2 \\rfloor \\lceil n/2 \\rceil', '\\lfloor n^2/4 \\rfloor'),
        ('\\lceil \\frac{2n+1}{3} \\rceil', '\\lfloor \\frac{2n+3}{3} \\rfloor'), ('\\text{floor}(n/2)', '\\lfloor n/2 \\rfloor'), ('floor(n/2)', '\\lfloor n/2 \\rfloor'), ('ceil(n/2)', '\\lceil n/2 \\rceil'),
        ('n - \\lfloor n/2 \\rfloor', '\\lceil n/2 \\rceil'), ('[n/2]', '[n/2]'), ('⌊n/2⌋', '\\lfloor n/2\\rfloor'), ('\\lfloor \\log_{10} n \\rfloor + 1', '1 + \\lfloor \\lg n \\rfloor'), ('3 : 5', '3/5'),
        ('12:18:24', '2:3:4'), ('1:1:\\sqrt{2}', '\\sqrt2:\\sqrt2:2'), ('3:2', '1.5'), ('x:y=3:2', '3:2'), ('a:b:c = 1:2:3', '1:2:3'), ('AB:BC = 2:3', '2:3'), ('50:30', '5:3'),
        ('x \\equiv 4 (\\bmod 9)', 'x \\equiv 13 \\pmod 9'), ('n \\equiv 1, 3 \\pmod 4', 'n \\equiv \\pm 1 \\pmod 4'), ('n \\text{ odd}', 'n \\text{ odd}'), ('1 \\pmod 3', '4 \\pmod 3'), ('3k+1', '1+3k'),
        ('10_{12}', '12_{10}'), ('0.\\overline{1}_2', '0.\\overline{1}_2'), ('777_8', '1FF_{16}'), ('\\text{1A3}_{16}', '1A3'), ('4210_{5}', '4210_{\\text{five}}'), ('45 seconds', '0.75 minutes'),
        ('1 \\text{ day}', '24 \\text{ hours}'), ('90 \\text{ min}', '1\\frac12 \\text{ hours}'), ('1:30 \\text{ hours}', '1:30 \\text{ hours}'), ('2 years', '24 months'),
        ('3 \\text{ m } 25 \\text{ cm}', '3.25 \\text{ m}'), ('2 lb 4 oz', '36 oz'), ('5 pounds and 8 ounces', '5.5 \\text{ lb}'), ('1 gallon', '4 quarts'), ('25 \\text{ km}^2', '25000000 \\text{ m}^2'),
        ("60^\\circ 30'", '60.5^\\circ'), ('[0, 2\\pi)', '0 \\le x < 2\\pi'), ('(-\\infty, -1] \\cup [3, \\infty)', 'x \\le -1 \\text{ or } x \\ge 3'), ('(-2, 2)', '-2 < x < 2'), ('x<3', '(-\\infty, 3)'),
        ('(2,\\infty)', 'x>2'), ('(2, 3) \\cup (3, 4)', '2<x<4, x \\ne 3'), ('\\{x \\mid -1<x<1\\}', '|x|<1'), ('(0, 1]', '0 < t \\leq 1'), ('[1,2]', '1 \\leq y \\leq 2'), ('5\\sqrt{2} \\approx 7.07', '5\\sqrt2'),
        ('5\\sqrt2', '7.0710678'), ('2.236', '\\sqrt5'), ('\\frac{22}{7}', '\\frac{22}{7} \\approx 3.14'), ('0.667', '\\frac23 \\approx 0.667'), ('\\text{Tuesday}', 'Tuesday'), ('\\text{red}', '\\text{Red}'),
        ('\\text{circle}', 'a circle'), ('\\text{hyperbola}', '\\text{a hyperbola}'), ('\\text{even}', 'even.'), ('\\text{Neither}', 'neither'), ('1.0', '1'), ('100\\%', '1'), ('5.0 \\times 10^{-1}', '0.5'),
        ('\\frac{0}{5}', '0'), ('-0', '0'), ('(-2)^3', '-8'), ('-2^2', '-4'), ('2^{2^3}', '256'), ('\\frac{\\frac12}{\\frac34}', '\\frac23'), ('1-\\frac{1}{2^{10}}', '\\frac{1023}{1024}'), ('\\sqrt{0.25}', '0.5'),
        ('\\sqrt[3]{-8}', '-2'), ('(-8)^{1/3}', '-2'), ('i^2', '-1'), ('|3-4i|', '5'), ('\\frac{1}{i}', '-i'), ('(1+i)^2', '2i'),
    ],
    "dressed": [
        ('5', '5 \\text{ students}'), ('5', '\\text{about } 5'), ('\\frac{1}{2}', '\\text{The answer is } \\frac{1}{2}'), ('7', '\\text{exactly } 7'), ('4', '4 \\; \\text{solutions}'), ('3', '\\text{3 ways}'),
        ('10', '10\\ \\text{cents each}'), ('24', '24\\text{ sq. units}'), ('24', '24 \\text{ square units}'), ('x=4', '4'), ('n=5', 'n = 5.'), ('2', '2.'), ('2', '{2}'), ('2', '\\{2\\}'), ('2', '(2)'), ('2', '[2]'),
        ('2', '\\left(2\\right)'), ('2', '$2$'), ('2', '\\(2\\)'), ('2', '\\[2\\]'), ('2', '\\boxed{2}'), ('2', '\\mathbf{2}'), ('2', '\\color{red}{2}'), ('2', '\\textcolor{red}{2}'), ('2', '2\\,'), ('2', '2 '),
        ('\\frac12', '\\frac 12'), ('\\frac12', '{1 \\over 2}'), ('\\frac12', '1\\div2'), ('\\frac12', '\\frac{\\;1}{2}'), ('\\sqrt2', '\\sqrt 2'), ('\\sqrt{2}', '2^{0.5}'), ('\\sqrt{2}', '2^{\\frac12}'),
        ('3\\sqrt2', '3 \\cdot \\sqrt{2}'), ('3\\sqrt2', '\\sqrt{18}'), ('x^2-1', '(x-1)(x+1)'), ('1,2', '\\text{1 and 2}'), ('(1,2)', '\\left( 1, \\; 2 \\right)'), ('A', '\\text{A}'), ('A', '\\mathrm{A}'),
        ('A', '(A)'), ('A', 'A.'), ('A', 'A)'), ('90^\\circ', '90 \\text{ degrees}'), ('90^\\circ', '90°'), ('90^\\circ', '\\pi/2 \\text{ radians}'), ('\\frac{\\pi}{3}', '60^\\circ'),
        ('25\\pi \\text{ cm}^2', '25 \\pi'), ('\\$5', '5'), ('5\\%', '5'), ('10^6', '1{,}000{,}000'), ('10^6', '1\\,000\\,000'), ('10^6', '1 million'), ('1/3', '0.\\overline{3}'), ('0.1', '\\frac{1}{10}'),
        ('-\\frac23', '\\frac{-2}{3}'), ('-\\frac23', '\\frac{2}{-3}'), ('-\\frac23', '-2/3'),
    ],
    "choices with their content": [
        (r"\text{(B) } 12", "B"), (r"\text{(B) } 12", "12"), (r"\text{(B) } 12", r"\textbf{(B)}\ 12"), ("B", r"\text{(B) } 12"), ("12", r"\text{(B) } 12"), ("B", "(B)"), ("B", "B."), ("(B)", "B"), (r"\textbf{(E)}\ 37", "E"), ("C", r"(C)\ \text{Vitamin C}"),
    ],
}  # fmt: skip

#: Kind -> pairs of gold and answer that differ.
DIFFERENT: dict[str, list[tuple[Any, str]]] = {
    "floor and ceiling": [
        (r"\lfloor n/3 \rfloor", r"\lfloor n/4 \rfloor"), (r"2\lceil k/5\rceil", "2"), (r"\lfloor n/2\rfloor", "0"), (r"\lfloor n/2\rfloor+n", "n"), (r"\lfloor\log_2 n\rfloor+1", r"\lfloor\log_{10} n\rfloor+1"), (r"\lfloor x\rfloor", "x"),
        (r"\lceil x\rceil", r"\lfloor x\rfloor+1"), (r"\lceil n/2\rceil", r"\lfloor n/2\rfloor"), (r"\lfloor n/1000\rfloor", r"\lfloor n/2000\rfloor"), (r"\lfloor \sqrt n\rfloor", r"\lfloor \sqrt{n-1}\rfloor"),
        (r"\lfloor n^2/2\rfloor", r"\lfloor (n-1)^2/2\rfloor"), (r"\lfloor x+y\rfloor", r"\lfloor x\rfloor+\lfloor y\rfloor"), (r"\lfloor n/10^6\rfloor", "0"), (r"n \bmod 2", r"n \bmod 3"), ("4", r"\lfloor \pi \rfloor"),
    ],
    "functions of whole numbers": [
        (r"\gcd(a,b)", "1"), (r"\gcd(m,n)", r"\gcd(m,k)"), ("(-1)^n", "1"), ("(-1)^n", "(-1)^{n+1}"), (r"\sum_{k=1}^n k", r"\sum_{k=1}^n k^2"), (r"\sum_{k=1}^n k", "n"), (r"\text{lcm}(a,b)", "ab"), (r"\gcd(a,b)", r"\text{lcm}(a,b)"),
        (r"\sum_{k=1}^n k", r"\sum_{k=0}^{n-1} k"), (r"\prod_{k=1}^n k", r"\sum_{k=1}^n k"),
    ],
    "ratios": [
        ("7:2:9", "7:2:4"), ("3:4:5", "3:4"), ("3:4:5", "3/4"), ("3:4:5", "3:4:6"), ("1:2:3:4", "1:2:9:4"), ("0:0:0", "1:2:3"), ("1:2:3", "3:2:1"), ("a:b:c", "a:b"), ("1:2", "2:1"), (r"1:\sqrt2:\sqrt3", r"1:\sqrt2:2"), ("3:4", "3:4:5"),
    ],
    "tiny values": [
        (r"\frac{\pi}{10^{20}}", r"\frac{2\pi}{10^{20}}"), ("e^{-40}", "0"), ("e^{-50}", "e^{-51}"), ("10^{-400.5}", "10^{-500.5}"), (r"\pi\cdot 10^{-15}", "0"), (r"x\cdot 10^{-20}", r"2x\cdot 10^{-20}"), ("0", "e^{-30}"),
        (r"\sqrt{2}\cdot 10^{-12}", r"\sqrt{3}\cdot10^{-12}"), (r"e^{\pi\sqrt{163}}", "262537412640768744"), ("e^{-1000}", "0"), (r"2^{-0.5}\cdot 10^{-30}", "0"), (r"\pm \pi\cdot 10^{-15}", "0"), (r"\pi", r"\pi + e^{-30}"),
    ],
    "congruences": [
        (r"n \equiv 2 \pmod 5", r"n \equiv 2 \pmod{10}"), (r"n \equiv 2 \pmod 5", r"n\equiv 3 \pmod 5"), (r"n \equiv 2 \pmod 5", "2"), (r"n \equiv 2 \pmod 5", r"m \equiv 2 \pmod 5"), (r"n\equiv 2 \pmod 5", "n = 2"), (r"n\equiv 2 \pmod 5", "n=5k+3"),
        (r"m \equiv 2, 5, 7, 10 \pmod{12}", r"m \equiv 2, 5, 7 \pmod{12}"), ("7", r"8 \pmod{11}"), (r"7\mid n", r"7 \nmid n"), (r"3\mid n", r"3\mid m"), ("7|n", "n|7"), (r"n \equiv 1 \pmod 3", r"n \equiv 1 \pmod 3, n \equiv 2 \pmod 3"),
    ],
    "times of day": [
        ("8:20 p.m.", "8:50 p.m."), ("8:20 p.m.", "8:20 a.m."), ("8:20 p.m.", "9:20 p.m."), ("4:40 a.m.", "4:40 p.m."), ("12:00", "1:00"), ("12:30 a.m.", "12:30 p.m."), ("20:20", "8:20 a.m."), ("8 p.m.", "9 p.m."), ("noon", "midnight"), ("8:20", "10:25"),
        ("8:20:30 pm", "8:20:31 pm"),
    ],
    "primes and functions": [
        ("y'", "y''"), ("y'", "y"), ("f(x)", "f(y)"), ("f(x+1)", "f(x)+f(1)"), ("f(x)", "g(x)"), ("f'(x)", "f(x)"), ("(S/S')^{n/2}", "(S/S')^{9n/2}"), ("15'", "15''"), ("f(x,y)", "f(y,x)"), (r"\nabla f", r"\nabla g"), (r"\int f dx", "1"),
    ],
    "digits in a base": [
        ("463_8", "463_5"), ("463", "463_5"), ("463_8", "462_8"), ("3D_{16}", "3E_{16}"), ("3D_{16}", "3G_{16}"), ("3D_{16}", "3D_{15}"), ("9_8", "11_8"), ("12_2", "12_2+1"), ("129_9", "129"), ("29_9", "29_{8}"), ("1011_2", "1011_3"), ("AF_{16}", "FA_{16}"),
    ],
    "words in capitals": [
        ("IX", "XI"), ("HT", "TH"), ("MISS", "MISI"), ("LISTEN", "SILENT"), ("NOON", "ON"), ("HHT", "HTH"), ("HH, HT", "HH, TH"), ("ABC", "ACB"), ("NNNYYY", "YYYNNN"), ("6xyz", "6xyw"), ("6abc", "6"), ("x y", "x z"), ("5", "5xyz"),
    ],
    "lists": [
        ("31, 205", "31{,}205"), ("31, 205", r"31,\, 206"), ("(2, 3)(2, 7)", "(3, 3)(2, 7)"), ("(1,2)(3,4)", "(1,2)"), ("2, 3", "2"), ("2, 3", "2, 3, 4"), ("2, 3", r"2 \text{ and } 4"), ("2,3", r"2 \\ 4"), ("(5, 313)", "5313"), ("2, 3", "23"),
    ],
    "lists inside text": [
        ("8 and 9", r"\text{8 and 10}"), ("8 and 9", r"\text{8}"), ("8 and 9", "8"), ("8", r"\text{8 and 9}"), ("8", r"\text{8 or 9}"), ("8", r"\text{either 8 or 9}"), ("8", r"\text{8, possibly 9}"), ("8", r"\text{8 (or 9)}"), ("8", r"\text{8, 9}"), ("8 and 9", r"\text{8, 9 and 10}"),
    ],
    "remarks that restrict": [
        ("f(x)=2x", r"f(x)=2x \text{ for } x>0"), ("f(x)=2x", r"f(x)=2x \text{ for all } x \neq 1"), ("f(x)=2x", r"f(x)=3x \text{ for all } x"), ("x", r"x \text{ for all but one } x"), ("f(x)=x", r"f(x)=x \text{ for all } x \in [0,1]"),
        (r"2\pi k", r"2\pi k \text{ where } k > 3"), ("x^2", r"x^2 \text{ if } x \text{ is not } 0"), ("5", r"5 \text{ unless } x = 2"), ("5", r"5 \text{ without } 3"), ("5", r"5 \text{ for } n = 2"),
    ],
    "compound units": [
        ("1 hour and 20 minutes", "1 hour and 30 minutes"), ("1 hour and 20 minutes", "20 minutes"), ("1 hour and 20 minutes", "1 hour"), ("80 minutes", "1 hour and 10 minutes"), ("5 feet 3 inches", "5 feet 4 inches"),
        ("2 days and 3 hours", "2 days and 3 minutes"), (r"30^\circ 15'", r"30^\circ 16'"), ("5'3''", "5'4''"), ("1 year and 6 months", "16 months"), ("3 dollars and 50 cents", r"\$3.05"),
    ],
    "hedges": [
        ("18", r"21 \approx 18"), ("96", r"97 \sim 96"), ("96", r"97 \to 96"), ("96", r"1000 \approx 96"), ("1000", r"1001 \approx 1000"), ("96", r"96.4 \approx 96"), ("96", "97 = 96"), ("97", "97 = 96"), ("96", r"97 \Rightarrow 96"), ("96", r"97 \cong 96"), ("96", r"97 \simeq 96"),
        ("96", r"97 \lor 96"), ("96", "97 / 96"), ("96", "97 | 96"), ("96", r"97 \text{ or maybe } 96"), ("96", r"97 \text{ (or 96)}"), ("96", r"\text{97 or 96}"), ("96", r"97 \text{ not } 96"), ("96", r"97 \quad 96"), ("96", "97\\\\96"), ("96", r"\frac{97}{1} \approx 96"),
        ("96", r"97 \text{ (not } 96)"), ("96", r"x=97 \text{ or } x=96"), ("96", r"\{96, 97\}"), ("96", r"96 \pm 1"), ("96", "95:96"), ("96", r"\neg 96"), ("96", "96 vs 97"), ("96", "96; 97"), ("96", r"96 \mid 97"), (r"2\sqrt{14}", r"7 \to 2\sqrt{14}"), (r"2\sqrt{14}", r"7 = 2\sqrt{14}"),
    ],
    "denials": [
        ("12", r"\neq 12"), ("0", r"\text{not } 0"), ("12", r"\not= 12"), ("x=12", r"x \neq 12"), ("12", r"\text{anything but } 12"), ("12", r"12 \text{ is wrong}"), ("5", r"\nmid 5"), ("96", r"\text{not 96}"), ("5", r"5 \text{ is impossible}"), ("even", r"\text{not even}"), (r"\neq 12", "12"),
    ],
    "implications": [
        (r"a \Rightarrow b", r"b \Rightarrow a"), ("b", r"a \Rightarrow b"), ("a", r"a \Rightarrow b"), (r"a \to b", r"b \to a"), ("3", r"2 \Rightarrow 3"), ("3", r"2 \to 3"), (r"a \Rightarrow b", r"a \Rightarrow c"), ("2", r"x^2=4 \Rightarrow x = 3"), ("x=2", r"x = 3 \Rightarrow x = 4"), (r"a \implies b", "a = b"),
    ],
    "golds that a program wrote": [
        (0.7999999999999999, "0.79"), (2 / 3, "0.66"), (0.1, "0.11"), (0.5, "0.500001"), (1e16, "10000000000000001"), (0.10000000149011612, "0.11"), (2 / 3, "2/5"), (0.30000000000000004, "0.31"), (1 / 7, "0.14"), (100 / 3, "33"), ("0.30000000000000004", "0.4"),
    ],
    "everyday forms": [
        ('3.2 \\times 10^5', '3.2 \\times 10^6'), ('0.5 \\text{ hours}', '50 \\text{ min}'), ('1.5 \\text{ km}', '150 m'), ('72 \\text{ km/h}', '72 m/s'), ('\\$0.75', '75 dollars'), ('5^\\circ C', '5^\\circ F'),
        ('1 \\text{ L}', '100 \\text{ cm}^3'), ('(-\\infty, 2) \\cup (2, \\infty)', '(-\\infty, 2] \\cup [2, \\infty)'), ('x \\in (0, 1)', '0 \\le x < 1'), ('x<-2 \\text{ or } x>2', 'x < -2'),
        ('[2, \\infty)', '(2,\\infty)'), ('x<-2 \\text{ or } x>2', '-2<x<2'), ('x > 0', 'x > 1'), ('x > 0', 'y > 0'), ('x > 0', '0'), ('(0,5)', '5'), ('\\{0,5\\}', '(0,5)'), ('[0,5]', '\\{0,5\\}'),
        ('\\frac{x^2-1}{x-1}', 'x-1'), ('\\sqrt{50}', '5\\sqrt{3}'), ('\\log 100', '3'), ('2^{-3}', '-8'), ('4!', '4'), ('\\binom{6}{2}', '12'), ('\\frac{6}{2}', '\\binom{6}{2}'), ('(1,2)', '(1,3)'),
        ('x = 1, y = 2', 'x = 2, y = 1'), ('y = \\frac{1}{2}x + 3', 'y = \\frac{1}{2}x - 3'), ('2x - y = 3', '2x + y = 3'), ('a=2,b=3', 'a=3,b=2'), ('x=3 \\text{ or } x=-3', 'x=3'), ('\\pm 1', '1'), ('1', '\\pm 1'),
        ('2 \\frac{3}{4}', '\\frac{6}{4}'), ('2\\tfrac34', '1.5'), ('-1\\frac{1}{2}', '-0.5'), ('\\text{Monday}', 'Tuesday'), ('yes', 'no'), ('\\text{June 20}', 'June 21'), ('\\text{(C)}', 'D'), ('No solution', '0'),
        ('\\text{none}', '1'), ('\\begin{pmatrix}1\\\\2\\end{pmatrix}', '(2,1)'), ('3+4i', '3-4i'), ('i', '-i'), ('e^{i\\pi/2}', '1'), ('12\\pi \\text{ cm}^2', '12'), ('36\\pi', '36'), ('10\\%', '0.01'),
        ('10\\%', '100\\%'), ('0.1\\%', '0.1'), ('1:3', '3:1'), ('3:00', '4:00'), ('3:00 AM', '3:00 PM'), ('x^2y', 'xy^2'), ('f^{-1}(x)=x-1', 'x+1'), ('\\sin^2 x', '\\sin x^2'), ('\\tan x', '\\cot x'),
        ('\\sin 30', '\\frac12'), ('\\log_{3} 9', '3'), ('\\sqrt[4]{16}', '4'), ('1,2,3,\\dots,10', '1,2,3,\\dots,11'), ('\\{1,2,\\dots,n\\}', '\\{1,2,\\dots,m\\}'), ('n^2+n', 'n^2-n'), ('2^n-1', '2^{n-1}'),
        ('\\frac{n(n-1)}{2}', '\\frac{n(n+1)}{2}'), ('7.0', '70'), ('.75', '75'), ('12.50', '125'), ('10,000', '10,0000'), ('0.\\overline{27}', '0.27'), ('0.\\overline{3}', '0.3'), ('0.333\\ldots', '0.333'),
        ('\\angle A = 30^\\circ', '\\angle B = 30^\\circ'), ('\\overline{AB}', 'AC'), ('S_n = n^2', 'n^3'), ('a_n', 'a_{n+1}'), ('a_1', 'a_2'), ('x_1', 'x_{2}'), ('\\{(1,2),(3,4)\\}', '\\{(1,3),(2,4)\\}'),
        ('(1,2) \\text{ and } (3,4)', '(1,2)'), ('x^3 - 6x^2 + 11x - 6', 'x^3 - 6x^2 + 11x + 6'), ('\\frac{\\pi}{4} + k\\pi', '\\frac{\\pi}{4} + 2k\\pi'), ('k\\pi', '2k\\pi'), ('\\sqrt{2}+\\sqrt{3}', '\\sqrt{5}'),
        ('5 \\text{ seconds}', '5 minutes'), ('20 \\text{ cm}^2', '20\\text{ m}^2'), ('2 \\text{ weeks}', '12 days'), ('15', '\\text{fourteen}'), ('\\frac{1}{2}', '\\text{one third}'), ('2,500,000', '2.5 billion'),
        ('5', '5!'), ('50', '0.5'), ('25', "25^{\\circ} 30'"), ('8', '8^2'), ('8', '\\sqrt{8}'), ('8', '8i'), ('8', '8\\pi'), ('8', '-8'), ('8', '1/8'), ('8', '8x'), ('8', '8+x'), ('8', 'x+8=0'), ('8', '8!'),
        ('3', '3k'), ('k', '3'), ('n', 'n-1'), ('2', 'x^2=2'), ('2', 'x<2'), ('2', 'x>2'), ('2', 'x \\ge 2'), ('2', '[2,\\infty)'), ('2', '(2)(3)'), ('2', '2 \\times 3'), ('2', '(2,2)'), ('2', '2,3'), ('2', '2:3'),
        ('2', '2.5'), ('2', '2/3'), ('2', '\\frac{2}{3}'), ('2', '1+2'), ('2', '2-1'), ('2', '2^{2}'), ('2', '20'), ('2', '02.2'), ('2', '\\{2,3\\}'), ('2', '[2,3]'), ('2', '2 < 3'), ('\\infty', '\\text{undefined}'),
        ('0', '\\text{undefined}'), ('0', '\\text{does not exist}'), ('\\text{undefined}', '0'), ('1', '\\text{one hundred}'), ('100', '\\text{one}'), ('3', '\\text{three quarters}'), ('2', '\\text{two thirds}'),
        ('7', '\\text{seventh}'), ('f(x)=x+1', 'g(x)=x+2'), ('f(x) = x', 'f(y) = y+1'), ('\\text{Alice}', '\\text{Bob}'), ('\\text{Alice}', '\\text{Alice and Bob}'), ('\\text{Alice}', '\\text{not Alice}'),
        ('\\text{Alice}', '\\text{Alice or Bob}'), ('P and S', 'P and Q'), ('P and S', 'P'), ('I and II', 'I and III'), ('I and II', 'II'), ('II', 'I'), ('II', 'III'), ('\\sin x', '\\sin y'), ('\\sin 2x', '2\\sin x'),
        ('e^{2x}', '2e^x'), ('\\ln 2x', '2\\ln x'), ('\\sqrt{x^2}', '-x'), ('x^{1/2}', 'x^2'), ('\\frac{1}{x}', 'x'), ('-(x+1)', '-x+1'), ('a-b', 'b-a'), ('a/b', 'b/a'), ('a^b', 'b^a'), ('(a+b)^2', 'a^2+b^2'),
        ('x \\equiv 3 \\pmod 7', 'x \\equiv -3 \\pmod 7'), ('5 \\text{ or } 6', '5 \\text{ or } 7'), ('1 < x < 2', '1 < x'), ('x \\ne 2', 'x \\ne -2'), ('|x| < 3', '|x| > 3'), ('|x| < 3', 'x < 3'),
        ('\\max(a,b)', '\\min(a,b)'), ('\\max(a,b)', 'a'), ('|a-b|', 'a-b'), ('10^{-5}', '10^{5}'), ('10^{-5}', '0'), ('10^{-12}', '0'), ('10^{-12}', '10^{-13}'), ('\\sqrt{10^{-24}}', '0'),
        ('\\frac{1}{10^{15}\\pi}', '0'), ('\\tan(\\pi/2 - 10^{-9})', '10^8'),
    ],
    "rarer forms": [
        ('(3,4)', 'P(3,5)'), ('A', 'A with B'), ('A', 'A given B'), ('96', '96 for 97'), ('5', '5 with 3'), ('(1,2)', '\\begin{cases} x=2\\\\ y=1\\end{cases}'), ('{x|x<2}', 'x>2'), ('R - \\{0\\}', 'x \\neq 1'),
        ('5,6', '5\\cdot 6'), ('5,6', '56'), ('5.6', '5,6,7'), ('10 \\text{ m/s}', '10 \\text{ m s}'), ('10 \\text{ m/s}', '10 \\text{ m/s}^2'), ('9.8 \\text{ m/s}^2', '9.8 \\text{ m/s}'),
        ('5 \\text{ kg}', '5 \\text{ g}'), ('4 \\text{ ft } 6 \\text{ in}', '4 \\text{ ft } 8 \\text{ in}'), ('4 \\text{ ft } 6 \\text{ in}', '4 \\text{ ft}'), ('3 \\text{ hr } 15 \\text{ min}', '3.15 \\text{ hr}'),
        ('90 \\text{ s}', '1 \\text{ minute } 20 \\text{ seconds}'), ('\\frac{3}{4}', '7.5\\%'), ('\\frac{1}{3}', '33\\%'), ('\\lfloor 3.7 \\rfloor', '4'), ('\\lfloor -1.5 \\rfloor', '-1'),
        ('\\lfloor \\frac{n}{2} \\rfloor + 1', '\\lceil \\frac{n}{2} \\rceil + 1'), ('\\lceil \\log_2 n \\rceil', '\\lfloor \\log_2 n \\rfloor + 1'), ('\\lfloor 2n/3 \\rfloor', '2\\lfloor n/3 \\rfloor'),
        ('\\lfloor x \\rfloor^2', '\\lfloor x^2 \\rfloor'), ('\\lfloor x/2 \\rfloor', '\\lfloor x \\rfloor /2'), ('x \\equiv 1 \\pmod 3', 'x \\equiv 1'), ('x \\equiv 1 \\pmod 3', 'x \\equiv 2 \\pmod 3'),
        ('2 \\pmod 7', '2 \\pmod 8'), ('n = 2 + 5k', 'n \\equiv 3 \\pmod 5'), ('n = 2+5k', 'n = 2+6k'), ('x^2 \\equiv 1 \\pmod 8', 'x \\equiv 1 \\pmod 8'), ('n \\equiv 0 \\pmod 2', 'n \\equiv 0 \\pmod 4'),
        ('6 \\mid n', '3 \\mid n'), ('3 \\mid 12', '4 \\mid 12'), ('n \\mid 6', '6 \\mid n'), ('1A_{16}', '1B_{16}'), ('FF_{16}', 'FE_{16}'), ('\\text{FF}_{16}', '256_{10}'), ('0.1_2', '0.1_{10}'), ('110_2', '111_2'),
        ('888_8', '888_9'), ('2_2', '2_3'), ('7:30', '8:30'), ('7:30 \\text{ am}', '19:30'), ('7:30', '7:31'), ('7:30', '0730'), ('7:30', '7.5'), ('12 \\text{ a.m.}', '12 \\text{ p.m.}'), ('HHT', 'THH'),
        ('ABCD', 'ABDC'), ('CAB', 'ABC'), ('AB', 'AC'), ('SOS', 'OSS'), ('\\phi(n)', '\\phi(m)'), ('F_{n+1}', 'F_n'), ('F_{n+1}', 'F_n+1'), ('f(f(x))', 'f(x)'), ('f(g(x))', 'g(f(x))'), ('P(x)=x^2+1', 'x^2-1'),
        ("f'(2)=3", '2'), ('2^{n}n!', '2^n'), ('\\sum_{i=1}^{n} i^2', '\\sum_{i=1}^{n} i^3'), ('\\sum_{i=1}^{n} i', '\\sum_{i=1}^{m} i'), ('\\prod_{i=1}^{n} i', 'n'), ('-3 \\pm 2i', '-3+2i'),
        ('-3 \\pm 2i', '3 \\pm 2i'), ('1 \\pm \\sqrt2', '1+\\sqrt2, 1+\\sqrt3'), ('\\pm a', 'a'), ('\\hat{i}+2\\hat{j}', '2\\hat i + \\hat j'), ('2\\mathbf{i} - \\mathbf{j}', '2\\mathbf{i}+\\mathbf{j}'),
        ('\\vec{a}', '\\vec{b}'), ('\\overline{AB}', '\\overline{AC}'), ('(0,1) \\cup (1,2)', '(0,2)'), ('[0,1)\\cup(1,2]', '[0,1]\\cup[1,2]'), ('\\{-1\\} \\cup [1,2]', '[-1,2]'),
        ('0\\le x\\le 1 \\text{ or } x = 3', '[0,3]'), ('[0,1]\\cup\\{3\\}', '[0,1]'), ('n \\ge 3', 'n > 3'), ('a<b<c', 'a<c<b'), ('x+y \\le 1', 'x+y \\ge 1'), ('2x > 4', 'x > 4'), ('-x < 1', 'x < -1'),
        ('a < 0 \\text{ or } a = 1', 'a < 0'), ('a < 0 \\text{ or } a = 1', 'a \\le 0 \\text{ or } a=1'), ('I, II, III', 'I, II'), ('\\text{A and C}', 'A, B'), ('\\text{I only}', '\\text{II only}'),
        ('\\text{II only}', 'II and III'), ('17', '17 \\text{ but also } 18'), ('17', '\\text{either } 17 \\text{ or } 18'), ('17', '17 \\vee 18'), ('17', '17 \\oplus 18'), ('17', '17 \\& 18'),
        ('17', '\\text{17 and 18}'), ('17', '17 \\text{ respectively } 18'), ('17', '17 \\;\\text{or}\\; 18'), ('17', '18 \\ne 17'), ('17', '18 > 17'), ('17', '17 > 16'), ('17', '(17)(18)'), ('17', '17^*18'),
        ('17', '17, 17, 18'), ('17', '\\begin{matrix}17\\\\18\\end{matrix}'), ('17', '17\\text{ (maybe 18)}'), ('17', '\\underline{17} \\text{ or } \\underline{18}'), ('17', '17?18'), ('17', 'x=17, y=18'),
        ('17', '17 \\div 18'), ('17', '\\{17\\} \\cup \\{18\\}'), ('17', '17 \\cap 18'), ('17', '17\\sim18, 18'), ('17', '18 \\approx 17.0'), ('17', '18 \\equiv 17'), ('17', '18 \\equiv 17 \\pmod 1'),
        ('17', '18 \\leftrightarrow 17'), ('17', '18 \\iff 17'), ('17', '18 := 17'), ('17', '18 == 17'), ('17', '18 => 17'), ('17', '18 -> 17'), ('17', '17 ... 18'), ('17', '17-18'), ('17', '17–18'), ('17', '17 to 18'),
        ('17', '17 \\ldots 18'), ('17', '18 \\cong 17'), ('17', '18 \\propto 17'), ('17', '18 \\doteq 17'), ('17', '18 \\asymp 17'), ('17', '18 \\gtrsim 17'), ('17', '18 \\mapsto 17'), ('17', '18 \\supset 17'),
        ('17', '18 \\ni 17'), ('17', '17 \\notin 18'), ('17', '18 \\in 17'), ('17', '\\text{guess: } 17 \\text{ or } 18'), ('17', '\\frac{17}{18}'), ('17', '17^{18}'), ('17', '18 \\text{ minus } 1'),
        ('17', '\\sqrt[18]{17}'), ('17', '|17|18|'), ('17', '17 \\parallel 18'),
    ],
    "further forms": [
        ('\\lfloor n/2 \\rfloor \\lceil n/2 \\rceil', '\\lfloor n/2 \\rfloor^2'), ('\\lfloor n/2 \\rfloor', 'n/2'), ('\\lfloor n/2 \\rfloor', '\\frac{n-1}{2}'), ('\\lceil n \\rceil', '\\lceil n+\\frac12 \\rceil'),
        ('floor(n/2)', 'ceil(n/2)'), ('[n/2]', '[n/3]'), ('\\lfloor n/2 \\rfloor + \\lfloor n/3 \\rfloor', '\\lfloor 5n/6 \\rfloor'), ('\\lfloor \\frac{n^2}{4} \\rfloor', '\\lfloor \\frac{n^2}{3} \\rfloor'),
        ('\\lfloor n\\pi \\rfloor', '3n'), ('\\lfloor 2^n/7 \\rfloor', '\\lfloor 2^n/8 \\rfloor'), ('n\\bmod 10', 'n'), ('n \\bmod 1000', 'n \\bmod 10000'), ('12:18:24', '2:3:5'), ('3:5', '5:3'),
        ('a:b:c=1:2:3', '1:2:4'), ('1:2', '1:2:3'), ('2:3', '0.6'), ('1:1:\\sqrt{2}', '1:1:2'), ('x \\equiv 4 \\pmod 9', 'x \\equiv 4 \\pmod 3'), ('1 \\pmod 3', '1 \\pmod 6'), ('3k+1', '3k+2'),
        ('n \\equiv 1, 3 \\pmod 4', 'n \\equiv 1 \\pmod 4'), ('n \\equiv 1 \\pmod 2', 'n \\equiv 0 \\pmod 2'), ('4 \\mid n', 'n \\equiv 1 \\pmod 4'), ('777_8', '777_{16}'), ('10_2', '10_3'), ('2B_{12}', '2B_{13}'),
        ('1A3_{16}', '1A4_{16}'), ('98_8', '98_{10}'), ('45 seconds', '45 minutes'), ('2 lb 4 oz', '2 lb 5 oz'), ('2 years', '24 days'), ('1 gallon', '3 quarts'), ("60^\\circ 30'", '60.3^\\circ'),
        ('3 \\text{ m } 25 \\text{ cm}', '3.025 \\text{ m}'), ('1 hour', '1 minute'), ('5 km', '5 miles'), ('5 \\text{ m}', '5 \\text{ m}^2'), ('5 \\text{ m}^2', '5 \\text{ m}^3'), ('[0, 2\\pi)', '[0, 2\\pi]'),
        ('(2, 3) \\cup (3, 4)', '(2,4)'), ('(-2, 2)', '-2 \\le x < 2'), ('x<3', 'x \\le 3'), ('(0,1]', '(0,1)'), ('(1,2)', '(1,2]'), ('(-\\infty, -1] \\cup [3, \\infty)', '(-\\infty, -1) \\cup (3, \\infty)'),
        ('\\{1,2\\}', '[1,2]'), ('5\\sqrt2', '7.07'), ('\\sqrt5', '2.24'), ('2.236', '\\sqrt6'), ('1.5', '1.50001'), ('0.5', '0.4999'), ('1/7', '0.142'), ('2/3', '0.6'), ('\\text{red}', '\\text{blue}'),
        ('\\text{circle}', '\\text{ellipse}'), ('\\text{even}', '\\text{uneven}'), ('\\text{possible}', '\\text{impossible}'), ('\\text{increasing}', '\\text{decreasing}'), ('\\text{true}', '\\text{not true}'),
        ('\\text{convergent}', '\\text{divergent}'), ('\\text{real}', '\\text{unreal}'), ('\\text{one}', '\\text{none}'), ('\\text{no}', '\\text{none}'), ('-2^2', '4'), ('2^{2^3}', '64'), ('\\sqrt[3]{-8}', '2'),
        ('i^2', '1'), ('(1+i)^2', '2'), ('|3-4i|', '25'), ('e^{i\\pi}', '1'), ('10^{-3}', '-1000'), ('-\\frac{1}{2}', '\\frac{1}{2}'), ('\\frac{-1}{-2}', '-\\frac12'), ('a', 'a^2'), ('\\alpha', '\\beta'),
        ('\\theta', '\\phi'), ('\\alpha', 'a'), ('x', 'X'), ('m', 'M'), ('R', 'r'), ('\\pi', '3.14'), ('\\pi', '\\frac{22}{7}'), ('e', '2.718'), ('\\sqrt{2}', '1.41'), ('\\frac{1+\\sqrt{5}}{2}', '1.618'),
        ('2,3,5', '2,3,7'), ('2,3,5', '2,3,5,7'), ('\\{2,3\\}', '\\{2,3,3,4\\}'), ('(2,3,5)', '(5,3,2)'), ('(1,2)', '(1,2,0)'), ('\\begin{pmatrix}1&2\\end{pmatrix}', '\\begin{pmatrix}1&3\\end{pmatrix}'),
        ('x^2+y^2=1', 'x^2-y^2=1'), ('y=x', 'y=-x'), ('y=2x+1', 'y=2x'), ('x=2', 'x=-2'), ('y^2=4x', 'x^2=4y'), ('2x+3y=6', '2x+3y=7'), ('\\frac{x^2}{4}+\\frac{y^2}{9}=1', '\\frac{x^2}{9}+\\frac{y^2}{4}=1'),
    ],
    "said in part": [
        ('12', '12 \\text{ or } 13'), ('5', '5 \\text{ or } 6 \\text{ students}'), ('12', '12, \\text{ not } 13, \\text{ or } 14'), ('2', '2 \\text{ or }'), ('2', '\\text{2 or 3}'),
        ('5', '5\\text{ if }x>0\\text{, else }6'), ('5', '5, \\text{else } 6'), ('5', '\\begin{cases}5\\\\6\\end{cases}'), ('5', '5 \\text{ (or 6)}'), ('5', '\\text{between } 4 \\text{ and } 6'), ('5', '4 < x < 6'),
        ('5', '5 \\leq x'), ('5', '\\geq 5'), ('5', '\\leq 5'), ('5', '\\text{at least } 5'), ('5', '\\text{at most } 5'), ('5', '\\text{more than } 5'), ('5', '5 \\text{ or more}'), ('5', '5+'), ('5', '<5'),
        ('5', '\\text{less than } 5'), ('5', '\\text{not } 5'), ('5', '\\text{never } 5'), ('5', '\\sim 6'), ('5', '6 - 1 = 6'), ('5', '5 = 6'), ('5', 'x = 5 \\text{ or } 6'), ('5', 'x \\in \\{5, 6\\}'),
        ('5', 'x = 5, 6'), ('5', '\\{5\\} \\text{ or } \\{6\\}'), ('5', '5 \\oplus 6'), ('5', '5/6'), ('5', '5|6'), ('5', '5\\backslash 6'), ('5', '5 \\; 6'), ('5', '5\\quad6'), ('5', '5\\\\6'), ('5', '5\n6'),
        ('5', '5; 6'), ('5', '5 & 6'), ('5', '5 vs. 6'), ('5', '5 (6)'), ('5', '5 [6]'), ('5', '5 \\{6\\}'), ('5', '5^6'), ('5', '5.6'), ('5', '5,6'), ('5', '56'), ('5', '65'),
    ],
    "several letters": [
        ("A", r"\text{(A) or (B)}"), ("A", "(A), (B)"), ("A", "A. B."), ("A", "(A) (B) (C) (D)"), ("A", "A/B"), ("A", "A, B"), ("A", "A or D"), ("A", r"A \text{ and } C"), ("A", "A: B"), ("A", r"\text{A. or B.}"), ("D", "A or D"), (r"\text{(B) } 12", "C"), (r"\text{(B) } 12", "13"),
    ],
}  # fmt: skip


def _flat(table: dict[str, list[tuple[Any, str]]]) -> list[Any]:
    return [
        pytest.param(gold, answer, id=f"{kind}-{i}")
        for kind, pairs in table.items()
        for i, (gold, answer) in enumerate(pairs)
    ]


@pytest.mark.parametrize(("gold", "answer"), _flat(SAME))
def test_the_same_answer(gold: Any, answer: str) -> None:
    verdict = judged(gold, answer)
    assert verdict.status == "pass", verdict


@pytest.mark.parametrize(("gold", "answer"), _flat(DIFFERENT))
def test_another_answer(gold: Any, answer: str) -> None:
    verdict = judged(gold, answer)
    assert verdict.status == "fail", verdict


@pytest.mark.parametrize("table", [SAME, DIFFERENT], ids=["same", "different"])
def test_every_kind_has_ten_variations(table: dict[str, list[tuple[Any, str]]]) -> None:
    assert {kind: len(pairs) for kind, pairs in table.items() if len(pairs) < 10} == {}


def test_what_the_reader_does_not_understand_is_not_given_to_the_library() -> None:
    """The library skips what it does not know: only what was read completely may be asked."""
    for gold, answer in (
        ("12", r"\neg 12"), (r"\nabla f", r"\nabla g"), ("1", r"\int_0^1 x dx"), ("x", r"\star x"),
    ):  # fmt: skip
        verdict = judged(gold, answer)
        assert (verdict.status, verdict.reason) == ("fail", "boxed; not understood"), answer
