"""`harness view` in a real browser: what somebody who looks inside sees and does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.plugging.plugins import Plugins
from tests.plugins.report.test_report_samples import a_run, group, wrong
from tests.support.studies import make_study
from tests.support.viewing import (
    EVIL,
    SPANS,
    Answer,
    Served,
    answers,
    browser,
    evaluation,
    page_of,
    served,
    write_lines,
)

pytest.importorskip("starlette")

SAMPLES = "/samples/model-1/main/0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from harness.plugging.plugins import load

    root = tmp_path_factory.mktemp("view") / "runs"
    plugins = load()
    hostile = Answer("sums/0", 2, f"{EVIL} \\boxed{{{EVIL}}}", "fail", EVIL, evidence={"reason": EVIL})
    evaluation(root, plugins, [*answers(1, 2), hostile])
    evaluation(root, plugins, answers(2, 3, 4), name="other")
    make_study(root, steps=8, per_stratum=2, seed_list=(0,), name="chains-1")
    a_run(root / "judged-1" / "a" / "seed-0", [group(wrong(0, "so 7 it is", extracted="7", spans=SPANS))])
    return root


@pytest.fixture(scope="module")
def view(runs: Path) -> Iterator[Served]:
    with served(runs) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as made:
        yield made


@pytest.fixture
def page(chromium: Any, view: Served) -> Iterator[Any]:
    with page_of(chromium, view, viewport={"width": 1280, "height": 900}) as made:
        yield made


def go(page: Any, view: Served, path: str) -> None:
    page.goto(view.address + path)


def wait(page: Any, path: str) -> None:
    page.wait_for_url(lambda url: path in url)


def test_a_run_is_two_clicks_from_a_sample(page: Any, view: Served) -> None:
    go(page, view, "/")
    assert "token" not in page.url
    page.click("text=model-1")
    page.click("a:has-text('fail')")
    wait(page, "status=fail")
    assert page.locator("tr[data-row]").count() == 5
    page.click("text=sums/1")
    wait(page, "/sample/")
    assert page.locator("mark").inner_text() == "1"
    page.locator("text=What is 1 + 1?").wait_for()
    assert page.locator("text=<i>Think.</i>").count() == 1


def test_html_and_scripts_in_a_completion_are_shown_and_do_nothing(page: Any, view: Served) -> None:
    go(page, view, "/sample/model-1/main/0?in=sums&of=sums/0&number=2&at=final")
    assert EVIL in page.locator("pre.completion").inner_text()
    assert page.locator("#bold, main img, main script").count() == 0
    go(page, view, f"{SAMPLES}?words=%3Cscript%3E")
    assert page.locator("tr[data-row]").count() == 1
    assert page.locator("#bold, main img, main script").count() == 0
    assert "owned" not in page.title()


def test_filters_make_an_address_that_can_be_kept(page: Any, view: Served) -> None:
    go(page, view, SAMPLES)
    page.locator("select[name=tag]").wait_for()
    page.select_option("select[name=tag]", "level=2")
    page.select_option("select[name=status]", "fail")
    page.click("text=Show")
    wait(page, "tag=")
    address = page.url
    assert "least" not in address, "fields without a value are left out"
    assert page.locator("tr[data-row]").count() == 2
    page.fill("input[name=least]", "5000")
    page.keyboard.press("Enter")
    wait(page, "least=5000")
    assert page.locator("text=No sample fits").count() == 1
    page.goto(address)
    assert page.locator("select[name=tag]").input_value() == "level=2"
    assert page.locator("tr[data-row]").count() == 2


def test_texts_are_searched(page: Any, view: Served) -> None:
    go(page, view, SAMPLES)
    page.fill("input[name=text]", "MORE THAN 7")
    page.keyboard.press("Enter")
    wait(page, "text=")
    assert page.locator("tr[data-row] th").all_inner_texts() == ["sums/7 0", "sums/7 1"]


def test_everything_is_reached_by_keys(page: Any, view: Served) -> None:
    go(page, view, f"{SAMPLES}?status=fail")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    assert page.locator("tr.at").inner_text().startswith("sums/1 1")
    page.keyboard.press("Enter")
    wait(page, "/sample/")
    page.keyboard.press("n")
    wait(page, "of=sums%2F2")
    page.keyboard.press("p")
    wait(page, "of=sums%2F1")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    wait(page, "/samples/")
    page.keyboard.press("/")
    page.keyboard.type("jn?")
    assert page.locator("[data-search]").input_value() == "jn?", "letters in a field are letters"


def test_two_runs_are_shown_side_by_side_with_their_flips(page: Any, view: Served) -> None:
    go(page, view, "/run/model-1/main/0")
    page.select_option("select[name=b]", "other-1/main/0")
    page.click("text=By problem")
    wait(page, "/compare")
    page.click("a.chip:has-text('lost')")
    wait(page, "show=lost")
    assert page.locator("tr[data-row] th").all_inner_texts() == ["sums/3", "sums/4"]
    page.click("text=sums/3")
    wait(page, "/pair")
    sides = page.locator(".sides > section")
    assert sides.count() == 2
    left, right = sides.nth(0).bounding_box(), sides.nth(1).bounding_box()
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert page.locator("mark").all_inner_texts() == ["4", "3"]


def test_judged_steps_are_shaded_in_the_text(page: Any, view: Served) -> None:
    go(page, view, "/sample/judged-1/a/0?in=~training&of=t&during=s&after=12")
    assert page.locator("span.judged").all_inner_texts() == ["so ", "7", "it i"]
    assert page.locator("mark").inner_text() == "7"
    assert page.locator("span.s9").get_attribute("title") == "second: 0.9"


def test_curves_and_maps_are_drawn(page: Any, view: Served) -> None:
    go(page, view, "/run/chains-1/staged/0")
    assert page.locator("svg").count() == 5
    box = page.locator("svg").first.bounding_box()
    assert box["width"] > 300
    assert box["height"] > 150


def test_nothing_is_loaded_from_elsewhere_and_the_console_is_quiet(page: Any, view: Served) -> None:
    told, loaded = list[str](), list[str]()
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url))
    for path in ("/", "/study/chains-1", "/run/model-1/main/0", SAMPLES, "/compare"):
        go(page, view, path)
    assert [url for url in loaded if not url.startswith((view.address, "data:"))] == []
    assert told == []


def test_a_page_follows_a_run_without_being_loaded_anew(
    chromium: Any, tmp_path: Path, harness_plugins: Plugins
) -> None:
    made = answers()
    folder = evaluation(tmp_path / "runs", harness_plugins, made[:3], finished=False)
    ledger = folder / "main" / "seed-0" / "ledger.jsonl"
    with served(tmp_path / "runs") as view, page_of(chromium, view) as page:
        go(page, view, SAMPLES)
        page.evaluate("window.kept = true")
        page.keyboard.press("j")
        write_lines(ledger, [answer.line() for answer in made[3:7]])
        page.locator("text=7 samples").wait_for()
        assert page.locator("tr.at").count() == 1, "the row that somebody is at stays"
        write_lines(ledger, [{"t": "finished", "at": "x"}])
        page.locator("[data-live]").wait_for(state="detached")
        assert page.evaluate("window.kept")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(chromium: Any, view: Served, scheme: str) -> None:
    with page_of(chromium, view, color_scheme=scheme) as page:
        go(page, view, SAMPLES)
        ink, ground = (
            page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor")
        )
        assert contrast(ink, ground) > 7
        assert (luminance(ground) < 0.2) == (scheme == "dark")


def test_it_works_without_scripts_and_on_a_phone(chromium: Any, view: Served) -> None:
    phone = {"width": 390, "height": 800}
    with page_of(chromium, view, java_script_enabled=False, viewport=phone) as page:
        go(page, view, f"{SAMPLES}?status=fail")
        page.locator("input[name=words]").fill("sums/2")
        page.click("text=Show")
        wait(page, "words=sums")
        assert page.locator("tr[data-row]").count() == 2
        page.locator("tr[data-row] a").first.click()
        wait(page, "/sample/")
        assert page.locator("mark").inner_text() == "2"


def test_a_browser_without_the_token_sees_nothing(chromium: Any, view: Served) -> None:
    with page_of(chromium, view, let_in=False) as page:
        answer = page.goto(f"{view.address}{SAMPLES}")
        assert answer.status == 403
        assert "sums" not in page.content()


def luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, as WCAG 2 defines it."""
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)
