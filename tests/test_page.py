"""The stage in a real Chromium, on the toy studio: what an artist does, and what they see."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest
from playwright.sync_api import APIRequestContext, Browser

from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, visiting, wait_for, without_a_page
from tests.support.toys import wait_until

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with()

COUNT_FRAMES = """() => {
  window.frames_seen = new Set();
  const preview = document.querySelector('[data-part=preview]');
  new MutationObserver(() => window.frames_seen.add(preview.src)).observe(preview, { attributes: true, attributeFilter: ['src'] });
}"""


@pytest.fixture
def slow(house: House) -> Generator[threading.Semaphore]:
    """A painter that makes one step for each release."""
    house.runner.gate = threading.Semaphore(0)
    yield house.runner.gate


@pytest.mark.smoke
def test_an_artist_types_and_sees_the_picture_form_step_by_step(visit: Visit, house: House, slow: threading.Semaphore) -> None:
    visit.page.evaluate(COUNT_FRAMES)
    visit.generate("a red house on the left in the snow")
    for step in range(1, 20):
        slow.release()
        visit.wait_for_step(step)
    wait_for(visit.page, lambda: visit.page.evaluate("window.frames_seen.size") >= 15)  # what is not shown yet at the end is left out
    slow.release()
    address = visit.finished()
    assert visit.context.request.get(house.url + address).headers["content-type"] == "image/png"
    assert house.runner.drawn[-1].prompt == "a red house on the left in the snow"


def test_control_and_enter_generates_with_the_last_typed_character(visit: Visit, house: House) -> None:
    visit.page.keyboard.type("a blue ball!")
    visit.page.keyboard.press("Control+Enter")
    visit.finished()
    assert house.runner.drawn[-1].prompt == "a blue ball!"


def test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on(visit: Visit, slow: threading.Semaphore) -> None:
    visit.generate("a ball")
    slow.release(5)
    visit.wait_for_step(5)
    visit.reload()
    visit.wait_for_step(5)
    slow.release(3)
    visit.wait_for_step(8)
    slow.release(12)
    visit.finished()


def test_stop_and_escape_act_within_one_step_and_one_picture_has_nothing_to_skip(
    visit: Visit, house: House, slow: threading.Semaphore
) -> None:
    made = house.runner.steps_made
    visit.generate("a ball")
    slow.release(3)
    visit.wait_for_step(3)
    assert not visit.part("skip").is_visible()
    with visit.told("stop"):
        visit.part("stop").click()
        wait_for(visit.page, lambda: "Stopping" in (visit.part("status").text_content() or ""))
    slow.release(10)
    wait_for(visit.page, lambda: "Stopped" in (visit.part("status").text_content() or ""))
    assert house.runner.steps_made - made <= 4
    assert not visit.part("stop").is_visible()
    visit.generate("a tree")
    visit.wait_for_step(2)
    with visit.told("stop"):
        visit.page.keyboard.press("Escape")
    slow.release(5)
    wait_for(visit.page, lambda: "Stopped" in (visit.part("status").text_content() or ""))


def test_skip_goes_on_to_the_next_picture_of_the_batch(visit: Visit, house: House, slow: threading.Semaphore) -> None:
    drawn = len(house.runner.drawn)
    visit.unfold()
    visit.set("batch_count", "2")
    visit.generate("a ball")
    slow.release(2)
    visit.wait_for_step(2)
    with visit.told("skip"):
        visit.part("skip").click()
    slow.release(40)
    visit.finished()
    assert len(house.runner.drawn) - drawn == 1


def test_a_second_job_waits_its_turn_and_is_then_shown(visit: Visit, house: House, slow: threading.Semaphore) -> None:
    visit.generate("a red ball")
    slow.release(2)
    visit.wait_for_step(2)
    visit.generate("a blue ball")
    wait_for(visit.page, lambda: "1 more of yours" in (visit.part("status").text_content() or ""))
    slow.release(40)
    wait_for(visit.page, lambda: "blue" in (visit.part("prompt").text_content() or ""))
    assert [request.prompt for request in house.runner.drawn[-2:]] == ["a red ball", "a blue ball"]


def test_the_place_in_the_queue_is_told(visit: Visit, house: House, browser: Browser, slow: threading.Semaphore) -> None:
    visit.generate("a ball")
    slow.release(1)
    visit.wait_for_step(1)
    with visiting(house, browser) as other:
        other.generate("a tree")
        wait_for(other.page, lambda: other.part("status").text_content() == "1 job ahead of yours")
        slow.release(40)
        other.finished()
    visit.finished()


def test_settings_and_seed_come_back_from_a_picture_with_every_digit(visit: Visit) -> None:
    visit.set("seed", "9223372036854775806")
    visit.set("width", "192")
    visit.generate("a red house")
    visit.finished()
    for name, other in (("prompt", "a tree"), ("width", "128"), ("seed", "-1")):
        visit.set(name, other)
    visit.part("seed").click()
    wait_for(visit.page, lambda: visit.control("seed").input_value() == "9223372036854775806")
    assert visit.control("prompt").input_value() == "a tree"
    visit.part("settings").click()
    wait_for(visit.page, lambda: visit.control("prompt").input_value() == "a red house")
    assert visit.control("width").input_value() == "192"


def test_nobody_gets_the_settings_of_another_person(visit: Visit, house: House, browser: Browser) -> None:
    visit.generate("a secret garden")
    visit.finished()
    stolen = visit.part("picture").get_attribute("src")
    identity = (stolen or "").split("/")[1].removesuffix(".png")

    def settings(who: APIRequestContext) -> str:
        """What is answered to whoever presses Use these settings as the page would."""
        config = who.get(f"{house.url}config").json()
        event = next(each for each in config["dependencies"] if any(target[1] == "send" for target in each["targets"]))
        pressed = {"event_data": {"id": identity}, "fn_index": event["id"], "trigger_id": event["targets"][0][0]}
        body = {"data": [], "session_hash": "x", **pressed}
        return who.post(f"{house.url}gradio_api/run/predict", data=body).text()

    with without_a_page(browser) as other:
        other.get(house.url)
        answer = settings(other)
    assert "a secret garden" not in answer and "not among yours" in answer
    assert "a secret garden" in settings(visit.context.request)


OVERLAPS = """() => {
  const shown = (each) => each.checkVisibility() && each.getBoundingClientRect().width > 0;
  const things = [...document.querySelectorAll("#stage .caption :is(.act, .caption-prompt, .caption-facts, .stars, .heart)")].filter(shown);
  const boxes = things.map((each) => each.getBoundingClientRect());
  const under = document.querySelector("#stage .under").getBoundingClientRect();
  const meet = (one, other) => boxes[one].left < boxes[other].right - 0.5 && boxes[other].left < boxes[one].right - 0.5;
  const named = (place) => things[place]?.dataset.part ?? things[place]?.className;
  const wrong = things.length < 8 ? [["too little", things.map((_, place) => named(place))]] : [];
  boxes.forEach((box, place) => box.right > under.right + 10 && wrong.push([named(place), "the edge"]));
  for (let one = 0; one < boxes.length; one += 1)
    for (let other = one + 1; other < boxes.length; other += 1) if (meet(one, other)) wrong.push([named(one), named(other)]);
  return wrong;
}"""


def test_nothing_under_the_picture_lies_over_another_thing_at_any_width(visit: Visit) -> None:
    with visit.another_picture():
        visit.generate("a red house on the left in the snow at night, " * 4)
    for opened in (False, True):
        visit.page.evaluate("(opened) => inside.panel.showPanel(opened)", opened)
        for width in range(790, 1500, 30):
            visit.page.set_viewport_size({"width": width, "height": 800})
            assert visit.page.evaluate(OVERLAPS) == [], (width, opened)


def test_markup_in_a_prompt_stays_text(visit: Visit) -> None:
    visit.page.evaluate("window.hurt = 0")
    nasty = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>${window.hurt=1}{{x}}`'
    visit.generate(nasty)
    visit.finished()
    assert visit.part("prompt").text_content() == nasty
    visit.part("enlarge").click()
    visit.reload()
    visit.page.locator("#stage [data-picture]").first.wait_for()
    assert visit.page.evaluate("window.hurt") in (0, None)
    assert visit.control("prompt").input_value() == nasty


def test_a_job_that_fails_says_why_in_a_sentence(visit: Visit) -> None:
    visit.generate("please fail")
    wait_for(visit.page, lambda: "The toy was asked to fail." in (visit.part("frame").text_content() or ""))
    visit.generate("please break")
    wait_for(visit.page, lambda: "Something broke" in (visit.part("frame").text_content() or ""))
    assert "/secret/path" not in visit.page.content()


def test_the_large_view_turns_with_the_arrows_and_escape_closes_it_and_stops_nothing(visit: Visit, slow: threading.Semaphore) -> None:
    slow.release(40)
    for seed in ("1", "2"):
        visit.set("seed", seed)
        visit.generate("a ball")
        wait_for(visit.page, lambda seed=seed: f"seed {seed}" in (visit.part("facts").text_content() or ""))
    visit.generate("a tree")
    slow.release(1)
    visit.wait_for_step(1)
    visit.page.locator("#stage [data-picture]").first.click()
    visit.part("enlarge").click()
    visit.page.keyboard.press("ArrowRight")
    wait_for(visit.page, lambda: "seed 1" in (visit.part("large-facts").text_content() or ""))
    visit.page.keyboard.press("Escape")
    assert not visit.part("large").is_visible()
    slow.release(19)
    wait_for(visit.page, lambda: visit.page.locator("#stage [data-picture]").count() == 3)


def test_a_job_may_be_sent_while_the_studio_still_warms_up(house: House, browser: Browser) -> None:
    house.close()
    house.warm.clear()
    house.open()
    with visiting(house, browser) as visit:
        wait_for(visit.page, lambda: "warming up" in (visit.page.locator("#header").text_content() or ""))
        visit.generate("a red ball")
        wait_for(visit.page, lambda: "warming up" in (visit.part("frame").text_content() or ""))
        house.warm.set()
        visit.finished()
        wait_for(visit.page, lambda: "warming up" not in (visit.page.locator("#header").text_content() or ""))


def test_a_lost_connection_is_told_and_mends_itself(house: House, browser: Browser, slow: threading.Semaphore) -> None:
    with visiting(house, browser) as visit:
        visit.generate("a ball")
        slow.release(2)
        visit.wait_for_step(2)
        visit.page.evaluate("() => (window.before_it_was_lost = true)")
        threading.Timer(1.0, slow.release, [50]).start()  # the worker can then see that the server closes
        house.close()
        wait_for(visit.page, lambda: visit.part("status").text_content() == "Connection lost, trying again…")
        house.runner.gate = None
        house.open()
        wait_for(visit.page, lambda: "restarted" in (visit.part("frame").text_content() or ""))
        if visit.page.get_by_text("Attempting reconnection").count():  # an answer was on its way: Gradio then loads the page again
            wait_for(visit.page, lambda: not visit.page.evaluate("() => window.before_it_was_lost"))
            visit.settle()
        visit.generate("a ball")
        visit.finished()


def test_other_programs_may_call_txt2img_by_field_names(house: House, browser: Browser) -> None:
    values = {"prompt": "from a program", "steps": 3, "seed": "7"}
    headers = {"Content-Type": "application/json"}
    with without_a_page(browser) as program:
        answer = program.post(f"{house.url}gradio_api/call/v2/txt2img", data=values, headers=headers)
        told = program.get(f"{house.url}gradio_api/call/txt2img/{answer.json()['event_id']}").text()
    assert "event: complete" in told
    wait_until(lambda: house.runner.drawn[-1].prompt == "from a program", 30)
    assert (house.runner.drawn[-1].steps, house.runner.drawn[-1].seed) == (3, 7)


def test_every_press_of_generate_counts_also_before_the_last_is_answered(visit: Visit, house: House) -> None:
    before = len(house.runner.drawn)
    visit.control("prompt").fill("a ball")
    visit.page.route("**/queue/data*", lambda route: None)  # answers come that way, and none does
    for _ in range(3):
        visit.page.locator("#txt2img-generate").click()
        visit.page.wait_for_timeout(60)
    visit.page.unroute("**/queue/data*")  # those that are held go on
    wait_for(visit.page, lambda: len(house.runner.drawn) == before + 3)
