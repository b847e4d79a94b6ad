"""What counts as the same answer: the decided policies, by example."""

from __future__ import annotations

import pytest

from tests.support.math_kit import judged

SAME = [
    # numbers
    ("25", "025"), ("025", "25"), ("25", "\\text{25}"), ("25", "m+n = 25"), ("25", "25.0"), ("25", "+25"),
    ("1234", "1,234"), ("1234", "1\\,234"), ("1234", "1{,}234"), ("1234", "1 234"), ("11111111100", "11,\\! 111,\\! 111,\\! 100"),
    ("1/2", "0.5"), ("\\frac{1}{2}", "\\frac12"), ("\\frac{1}{2}", "1/2"), ("-\\frac{1}{2}", "\\frac{-1}{2}"), ("0.5", ".5"),
    ("3/2", "1\\frac{1}{2}"), ("1.5", "1 1/2"), ("-3/2", "-1\\frac12"), ("3/2", "2\\cdot 3/4"),
    ("1000", "10^3"), ("1000", "1 \\times 10^3"), ("1.5e-3", "0.0015"), ("2.5e3", "2500"), ("0.\\overline{3}", "1/3"), ("0.1\\overline{6}", "\\frac16"),
    ("\\sqrt{8}", "2\\sqrt{2}"), ("\\sqrt[3]{8}", "2"), ("\\frac{\\sqrt3}{3}", "\\frac{1}{\\sqrt{3}}"), ("3\\sqrt{13}", "3*sqrt(13)"), ("\\pi", "pi"),
    ("\\frac{\\pi}{2}", "pi/2"), ("2\\pi", "2π"), ("120", "5!"), ("10", "\\binom{5}{2}"), ("3", "\\log_2 8"), ("2", "\\log_{10} 100"), ("2", "\\log 100"),
    ("3", "\\lfloor 3.7 \\rfloor"), ("e^{i\\pi}", "-1"), ("3+4i", "4i+3"), ("2", "|{-2}|"), ("2^{100}", "4^{50}"), ("1/3", "0.33333333"),
    ("-2", "−2"), ("25", "２５"), ("25", "٢٥"), ("2", "17 \\bmod 5"), ("x", "x^{1}"), ("11", "11^{\\text{th}}"), ("3", "three"),
    # expressions
    ("(x+1)^2", "x^2+2x+1"), ("\\sin^2 x + \\cos^2 x", "1"), ("\\tan^2(y)+1", "\\sec^2(y)"), ("\\frac{x}{y}", "x/y"), ("2x", "x\\cdot 2"),
    ("\\ln(x^2)", "2\\ln x"), ("a_{n}=2n+1", "a_n = 1+2n"), ("x^{2}", "x^2"), ("e^x", "\\exp(x)"), ("\\frac{n!}{k!(n-k)!}", "\\binom{n}{k}"),
    ("\\sin 2x", "2\\sin x\\cos x"), ("\\sqrt{x^2+1}", "(x^2+1)^{1/2}"), ("|x|", "\\sqrt{x^2}"), ("\\arcsin 1", "\\frac{\\pi}{2}"), ("\\sin^{-1} 1", "\\pi/2"),
    # equations and names
    ("x = 5", "5"), ("5", "x = 5"), ("f(x) = 2x+1", "2x+1"), ("y = 2x+1", "f(x)=2x+1"), ("y=2x+1", "y - 2x = 1"), ("x^2+y^2=1", "x^{2}=1-y^2"),
    ("2=x", "x=2"), ("A:B = 1", "1"), ("1", "\\lim_{x\\to 0} \\frac{\\sin x}{x} = 1"), ("\\angle APC = 74^\\circ", "74"), ("x = 2, x = -3", "-3, 2"), ("5", "\\text{Area} = 5"),
    ("2x+3y=6", "4x+6y=12"), ("P(3)=7", "7"), ("AB=4, CD=5", "4, 5"),
    # lists, sets, tuples
    ("1, 2", "2, 1"), ("1,2,3", "1 \\text{, } 2 \\text{ and } 3"), ("\\{1,2\\}", "\\{2,1\\}"), ("\\{1,2\\}", "1, 2"), ("(1,2)", "( 1 , 2 )"), ("1 \\pm \\sqrt{2}", "1+\\sqrt2, 1-\\sqrt2"),
    ("\\pm 3", "3, -3"), ("\\pm 3", "-3 \\text{ or } 3"), ("\\{1\\pm\\sqrt{5},-2\\}", "-2, 1+\\sqrt5, 1-\\sqrt5"), ("(1,2),(3,4)", "(3,4),(1,2)"), ("(1,2,3)", "[1,2,3]"),
    ("(1,-2)", "x=1, y=-2"), ("[5]", "5"), ("\\langle 1,2\\rangle", "(1,2)"), ("(0.5, \\frac{\\pi}{2})", "(1/2, pi/2)"), ("x=1 \\text{ or } x=2", "2, 1"), ("1;2;3", "3,2,1"),
    # intervals
    ("[5,\\infty)", "x \\ge 5"), ("(3,4]", "3 < \\lambda \\le 4"), ("x \\in [-2,7]", "[-2,7]"), ("(-\\infty,-8)\\cup (8,\\infty)", "x<-8 \\text{ or } x>8"), ("2>x", "x<2"),
    ("(-\\infty, 0) \\cup (0, \\infty)", "x \\neq 0"), ("\\mathbb{R} \\setminus \\{1\\}", "(-\\infty,1)\\cup(1,\\infty)"), ("(1,\\infty)", "(1,+\\infty)"), ("[0,1]", "\\{x \\mid 0 \\le x \\le 1\\}"),
    ("(-\\infty,\\infty)", "\\mathbb{R}"), ("\\mathbb{R}", "\\text{all real numbers}"), ("[0,1]", "1 \\ge x \\ge 0"), ("(2,3)U(4,5)", "(4,5)\\cup(2,3)"), ("x+y<3", "2x+2y<6"), ("\\infty", "+\\infty"),
    # units
    ("10", "10\\text{ cm}"), ("10\\text{ cm}", "10"), ("10 cm^2", "10\\text{ cm}^2"), ("45^\\circ", "45"), ("45^\\circ", "45 \\text{ degrees}"), ("90^{\\circ}", "\\frac{\\pi}{2}"),
    ("1\\text{ m}", "100\\text{ cm}"), ("60\\text{ km/h}", "60 \\text{ kilometers per hour}"), ("\\$36", "36"), ("\\$18.90", "18.9 \\text{ dollars}"), ("\\$32,\\!348", "32,348"), ("0.5\\text{ dollars}", "50\\text{ cents}"),
    ("12", "12 \\text{ apples}"), ("5\\text{ m}^2", "5 \\text{ square meters}"), ("2\\text{ hours}", "120\\text{ min}"), ("\\frac{270}7\\text{ degrees}", "270/7"), ("864 \\mbox{ inches}^2", "864"),
    ("20\\%", "20"), ("20\\%", "0.2"), ("0.2", "20\\%"), ("28\\%", "28 percent"), ("33.5\\%", "33.5"),
    # text, choices, times, bases, matrices
    ("\\text{Evelyn}", "Evelyn"), ("even", "\\text{Even}"), ("\\text{(A)}", "A"), ("B", "\\textbf{(B)}\\ 12"), ("C", "(C)"), ("12:00", "12:00 p.m."), ("10:30 AM", "10:30 a.m."),
    ("2516_8", "2516"), ("4210_{5}", "4210_5"), ("11_2", "3_{10}"), ("\\emptyset", "\\{\\}"), ("\\text{no solution}", "\\emptyset"), ("1:2", "\\frac12"),
    ("\\begin{pmatrix} 1/5 \\\\ -18/5 \\end{pmatrix}", "\\begin{bmatrix} 0.2 \\\\ -3.6 \\end{bmatrix}"), ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "[[1,2],[3,4]]"), ("(1,2,3)", "\\begin{pmatrix}1\\\\2\\\\3\\end{pmatrix}"),
    ("-2", "\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}"), ("(1,2)", "2(\\frac12, 1)"), ("(3,4)", "(1,2)+(2,2)"),
    ("\\begin{array}{cc}1&2\\\\3&4\\end{array}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("\\begin{pmatrix}1\\\\\\frac12\\end{pmatrix}", "\\\\begin{pmatrix} 1 \\\\\\\\ 0.5 \\\\end{pmatrix}"), ("\\begin{pmatrix}4&6\\end{pmatrix}", "2\\begin{pmatrix}2&3\\end{pmatrix}"),
    # forms that are not finished
    ("(-3,3)", "|x|<3"), ("(1,2)", "x>1 \\text{ and } x<2"), ("]1,2[", "(1,2)"), ("14", "\\sum_{k=1}^{3} k^2"), ("1/3", "x = \\frac13 \\approx 0.333"), ("2\\pi n", "x = 2\\pi n, n \\in \\mathbb{Z}"),
    ("0.335", "33.5 pct"), ("12\\frac12\\%", "12.5\\%"), ("63 \\text{ inches}", "5 \\text{ feet } 3 \\text{ inches}"), ("1,000,000", "1 million"), ("0,5", "0.5"), ("0{,}5", "1/2"), ("\x0crac{1}{2}", "0.5"),
    # a decimal gold stands for what it rounds
    ("3.142", "\\pi"), ("0.667", "2/3"), ("1.414", "\\sqrt{2}"), ("3.1416", "3.14159"), ("x + 1.414", "x+\\sqrt2"),
]  # fmt: skip

DIFFERENT = [
    ("25", "26"), ("25", "-25"), ("25", "25.1"), ("12", "\\frac12"), ("210", "2^{10}"), ("143", "\\frac{14}{3}"), ("11\\sqrt2", "\\frac{11}{2}"), ("-3", "-\\sqrt3"),
    ("1/3", "0.33"), ("1/3", "0.333"), ("3.15", "3.14159"), ("2", "\\frac{1+\\sqrt5}{2}"), ("3", "\\pi"), ("0.3", "1/3"), ("1234", "1, 234"), ("1.5", "15"),
    ("3^{2025}", "2^{2025}"), ("10^{50}", "10^{50}+1"), ("x+1", "x-1"), ("x", "-x"), ("x", "|x|"), ("2x", "2"), ("x+y", "x+z"), ("2x+3", "3x+2"), ("x^2", "2x"),
    ("x", "y"), ("e", "2.7"), ("E", "\\mathrm{E}*2"), ("A", "B"), ("d", "\\text{E}"), ("C", "(D)"), ("odd", "even"),
    ("x=2", "y=2"), ("2x+z=1", "1"), ("\\cos x = \\frac12", "\\sin x = \\frac12"), ("x+y-z+2=0", "5x-7y+11z+4=0"), ("y=2x", "y=2x+1"),
    ("1,2", "1,2,3"), ("1,2,3", "1,2"), ("1,2", "1"), ("\\pm 3", "3"), ("3 \\pm 2\\sqrt2", "\\pm 3 \\pm 2\\sqrt2"), ("(1,2)", "(2,1)"), ("(1,2)", "\\{1,2\\}"), ("(1,2)", "[1,2]"), ("(1,2]", "[1,2)"),
    ("(1,2,3)", "(1,2)"), ("(1,2),(3,4)", "(2,1),(3,4)"), ("25", "7, 25"), ("25", "25 \\text{ or } 26"), ("n=2,3,4", "n=1,2,3"),
    ("[5,\\infty)", "x > 5"), ("(3,4]", "3 \\le x \\le 4"), ("x<2", "x>2"), ("(-\\infty,1)", "(1,\\infty)"), ("[0,1]", "[0,1)"), ("\\infty", "-\\infty"), ("x \\ne 0", "x \\ne 1"),
    ("12\\text{ cm}", "12\\text{ m}"), ("5 \\text{ cm}^2", "5\\text{ cm}"), ("2 \\text{ hours}", "2 \\text{ min}"), ("20\\%", "2"), ("20\\%", "30\\%"), ("20\\%", "2000\\%"), ("\\$5", "5 \\text{ cents}"), ("30^\\circ", "31^\\circ"),
    ("2516_8", "2516_9"), ("2516_8", "2517"), ("10:30 AM", "10:30 PM"), ("12:00", "12:01"), ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}2\\\\1\\end{pmatrix}"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}"), ("\\emptyset", "0"), ("\\text{Evelyn}", "\\text{Carla}"), ("yes", "no"),
    ("x^2+1", "x^2"), ("\\sin x", "\\cos x"), ("\\sqrt{2}", "1.4"), ("\\sqrt2", "1.414"), ("1.4142136", "\\sqrt{3}"), ("5", "5x"), ("0", "x"), ("25", "\\text{twenty six}"), ("1", "\\infty"), ("(-3,3)", "|x| \\le 3"), ("(-\\infty,6)", "2x<6"), ("3.14", "3.14159"), ("5", "5\\%\\text{ of } 7"), ("0.5", "0.5\\%"), ("25", "25\\\\26"), ("25", "25 \\cup 26"), ("66071772829247409", "66071772829247409 \\cup 66071772829247410"), ("[0,2]", "[0,1)\\cup(1,2]"), ("(0,66071772829247410)", "(0,66071772829247409)\\cup(66071772829247409,66071772829247410)"), ("25", "25 (or 26)"), ("25", "24 < 25"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "prediction"), SAME)
def test_the_same_answer_in_another_form(gold: str, prediction: str) -> None:
    verdict = judged(gold, prediction)
    assert verdict.status == "pass", verdict


@pytest.mark.parametrize(("gold", "prediction"), DIFFERENT)
def test_another_answer(gold: str, prediction: str) -> None:
    verdict = judged(gold, prediction)
    assert verdict.status == "fail", verdict
