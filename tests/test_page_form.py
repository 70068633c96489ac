"""The form in a real Chromium: typing, counting, keys, and what this browser keeps."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, expect

from pipelines import OWN_VAE, ImageToImage
from tests.support.page_fixtures import House, Visit, as_left, at_rest, browser, house, house_with, visit, visiting, wait_for
from tests.support.toys import png, wait_until

pytestmark = pytest.mark.browser
__all__ = ["as_left", "browser", "house", "open_house", "visit"]
open_house = house_with("img2img", "controlnet")
TEXTS = {"prompt": "", "negative_prompt": "", "seed": "-1"}
NUMBERS = {"width": 128, "height": 128, "steps": 20}


@pytest.fixture
def form(as_left: Visit) -> Visit:
    """The form of text to image as it begins, on the page that is there: for tests of what is written into it."""
    page, begun = as_left.page, {**TEXTS, **NUMBERS}
    as_left.open_tab("Text to image")
    for name, value in TEXTS.items():
        if as_left.control(name).input_value() != value:
            as_left.control(name).fill(value)
    for name, value in NUMBERS.items():
        page.evaluate("([name, value]) => inside.dom.enter(name, value)", [f"#txt2img-{name}", value])
    wait_for(page, lambda: page.evaluate("names => names.map((name) => inside.page.forms.txt2img[name])", [*begun]) == [*begun.values()])
    at_rest(page)
    return as_left


def test_the_prompt_has_the_focus_typing_does_not_post_at_each_key_and_nobody_is_typed_over(visit: Visit) -> None:
    before = len(visit.posts)
    words = "a red house in the snow at night"
    visit.page.keyboard.type(words, delay=10)
    visit.page.wait_for_timeout(900)
    assert visit.control("prompt").input_value() == words
    # What may be meant is asked for when the hand rests, on an address of its own, and a later key gives the question up.
    asked = [each for each in visit.posts[before:] if not each.endswith("/complete")]
    assert len(asked) <= len(words) // 6  # a busy machine rests between keys
    kept = {"width": 192, "height": 128, "loras": [{"id": "ink"}], "controls": [{"id": "net"}]}
    now = [128, 128, [{"id": "pen"}], [{"id": "net"}]]
    visit.page.evaluate("kept => localStorage.setItem('atelier.form.trial', JSON.stringify(kept))", kept)
    back = visit.page.evaluate("([names, now]) => inside.memory.recall('trial', names, {}, now)", [[*kept], now])
    assert back == [192, None, [{"id": "ink"}], None]  # what is undefined leaves a component as it is


def test_what_is_typed_survives_a_reload_and_a_restart_of_the_server(house: House, browser: Browser) -> None:
    with visiting(house, browser) as visit:
        visit.control("prompt").fill("a green tree")
        visit.control("negative_prompt").fill("rain")
        visit.set("width", "192")
        visit.set("seed", "9007199254740993")
        visit.page.wait_for_timeout(300)
        for again in (visit.reload, lambda: (house.close(), house.open(), visit.reload())):
            again()
            names = ("prompt", "negative_prompt", "width", "seed")
            assert [visit.control(name).input_value() for name in names] == ["a green tree", "rain", "192", "9007199254740993"]


def test_a_form_with_a_picture_s_settings_makes_that_picture_until_it_is_changed(visit: Visit, house: House) -> None:
    """What the page does not show goes along, through the browser and a reload, and counts for nothing once something is typed."""
    before = len(house.runner.drawn)
    visit.set("seed", "5")
    with visit.another_picture():
        visit.generate("a red house")
    visit.part("settings").click()
    carried = visit.page.locator("#txt2img-carried textarea")
    wait_for(visit.page, lambda: "as_made" in carried.input_value())
    wait_for(visit.page, lambda: visit.page.evaluate("inside.page.forms.txt2img.vae") == OWN_VAE)
    expect(visit.page.locator("#txt2img-add-ons .row-value")).to_have_text("none")  # the checkpoint's own is no file beside it
    with visit.another_picture():
        visit.generate()
    assert house.runner.drawn[-1].as_made, "the form that the browser sends is not the one that was filled"
    visit.set("width", "192")
    with visit.another_picture():
        visit.generate()
    assert len(house.runner.drawn) == before + 3
    assert not house.runner.drawn[-1].as_made


def test_pictures_of_a_lost_list_of_jobs_are_the_owners_in_any_browser_with_their_inputs(house: House, browser: Browser) -> None:
    assert house.studio
    beneath = house.studio.uploads.picture(png((200, 40, 40), 64), "somebody").id
    house.studio.submit(ImageToImage(image=beneath, prompt="a lost house", seed=77, width=64, height=64), "somebody")
    wait_until(lambda: house.studio and house.studio.recent("somebody"), 30)
    house.close()
    (house.folder / "outputs" / "studio.db").write_bytes(b"")
    count = len([*(house.folder / "outputs").glob("*/*.png")])  # with those of the tests before this one
    told = re.compile(rf"\b{count} pictures? w\w+ found")
    house.open()
    for _ in range(2):
        with visiting(house, browser) as visit:
            wait_for(visit.page, lambda visit=visit: told.search(visit.part("notice").text_content() or ""))
            visit.finished()
            visit.part("settings").click()
            visit.page.wait_for_function("() => document.querySelector('#img2img-prompt textarea')?.value === 'a lost house'")
            visit.page.wait_for_function("() => inside.page.forms.img2img?.image?.id || inside.page.forms.img2img?.image")
            assert beneath in visit.page.evaluate("JSON.stringify(inside.page.forms.img2img)")


def test_kept_values_that_no_longer_fit_are_left_alone_and_dark_is_remembered(visit: Visit) -> None:
    kept = '{"prompt": "kept", "width": "wide", "sampler": "Removed", "steps": null}'
    assert not visit.page.evaluate("document.body.classList.contains('dark')")
    visit.page.get_by_role("button", name="Switch between light and dark").click()
    visit.page.evaluate("kept => localStorage.setItem('atelier.form.txt2img', kept)", kept)
    visit.reload()
    assert visit.page.evaluate("document.body.classList.contains('dark')")
    assert visit.control("prompt").input_value() == "kept"
    assert visit.control("width").input_value() == "128"
    visit.generate()
    visit.finished()


def test_dice_and_the_last_seed_are_one_click_away_and_every_control_has_a_name(form: Visit) -> None:
    form.set("seed", "1234")
    with form.another_picture():
        form.generate("a ball")
    form.page.locator("#txt2img-dice").click()
    wait_for(form.page, lambda: form.control("seed").input_value() == "-1")
    form.page.locator("#txt2img-reuse").click()
    wait_for(form.page, lambda: form.control("seed").input_value() == "1234")
    form.unfold()
    unnamed = form.page.evaluate(
        """() => [...document.querySelectorAll('input, textarea, select, button, [role=button], [role=slider]')]
          .filter((part) => part.getClientRects().length)
          .filter((part) => !(part.labels?.length || part.getAttribute('aria-label') || part.getAttribute('aria-labelledby')
            || part.textContent.trim() || part.title)).map((part) => part.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []


def test_an_example_is_one_click_away_and_can_be_taken_back(visit: Visit) -> None:
    example = visit.page.get_by_role("button", name="a blue ball")
    example.click()
    assert visit.control("prompt").input_value() == "a blue ball"
    expect(example).to_be_hidden()  # it is for who has not begun
    visit.page.keyboard.press("Control+z")
    assert visit.control("prompt").input_value() == ""
    expect(example).to_be_visible()


def test_the_weight_keys_step_words_and_tags_as_often_as_they_are_pressed_and_undo_takes_them_back(form: Visit) -> None:
    form.control("prompt").fill("a red house")
    form.control("prompt").evaluate("field => field.setSelectionRange(3, 3)")
    form.page.keyboard.press("Control+ArrowUp")
    form.page.keyboard.press("Control+ArrowUp")
    assert form.control("prompt").input_value() == "a (red:1.2) house"
    form.page.keyboard.press("Control+z")
    assert form.control("prompt").input_value() == "a (red:1.1) house"
    field = form.control("prompt")
    field.fill("🦊 <lora:ink:0.8:0.6> house")
    field.evaluate("field => field.setSelectionRange(16, 16)")
    for _ in range(3):
        form.page.keyboard.press("Control+ArrowUp")
    assert field.input_value() == "🦊 <lora:ink:0.95:0.6> house"
    form.page.keyboard.type("5")
    assert field.input_value() == "🦊 <lora:ink:0.955:0.6> house"
    for _ in range(4):
        form.page.keyboard.press("Control+z")
    assert field.input_value() == "🦊 <lora:ink:0.8:0.6> house"


def test_the_prompt_is_counted_a_schedule_is_told_in_steps_and_ctrl_slash_switches_words_off_and_on(
    form: Visit,
) -> None:
    notes = form.page.locator("#txt2img-notes")
    form.control("prompt").fill("a red house and astronaut")
    wait_for(form.page, lambda: "does not know: astronaut" in (notes.text_content() or ""))
    assert "Add a checkpoint to draw it." in (notes.text_content() or "")
    form.control("prompt").fill("a red house, " * 30)
    wait_for(form.page, lambda: "120 / 150" in (notes.text_content() or ""))
    assert "Part 2 begins at" in (notes.text_content() or "")
    drawn = form.page.locator("#txt2img-notes [data-part=drawn]")
    field = form.control("prompt")
    field.fill("a house, [day:night:0.5]")
    form.control("steps").fill("10")
    expect(drawn).to_contain_text("day for steps 1–6, night for steps 7–10.")
    field.evaluate("field => (field.focus(), field.setSelectionRange(4, 4))")
    form.page.keyboard.press("Control+/")
    assert field.input_value() == "~~a house~~, [day:night:0.5]"
    expect(drawn).to_contain_text("Switched off: “a house”.")
    with form.another_picture():
        form.generate()
    assert form.house.runner.drawn[-1].prompt == "~~a house~~, [day:night:0.5]", "the record keeps both"
    field.evaluate("field => (field.focus(), field.setSelectionRange(4, 4))")
    form.page.keyboard.press("Control+/")
    assert field.input_value() == "a house, [day:night:0.5]"
    expect(drawn).not_to_contain_text("Switched off")


def test_who_goes_on_to_another_field_at_once_keeps_the_keys_there(form: Visit) -> None:
    prompt, steps = form.control("prompt"), form.control("steps").element_handle()
    prompt.focus()
    for _ in range(6):  # three in four of them lost the keys to a text that was just drawn, where they were lost at all
        prompt.fill("a red house, " * 30)
        prompt.fill("a house")
        form.page.evaluate("field => (field.focus(), field.select())", steps)
        form.page.wait_for_timeout(60)
        form.page.keyboard.type("10")
        expect(prompt).to_have_value("a house")
    expect(form.control("steps")).to_have_value("10")


def test_on_a_phone_no_keyboard_comes_up_by_itself(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as phone:
        assert phone.page.evaluate("() => document.activeElement === document.body")


def test_a_prompt_is_coloured_while_it_is_typed_and_an_edge_of_its_time_line_is_dragged(form: Visit) -> None:
    page, field = form.page, form.control("prompt")
    form.set("steps", "10")
    field.click()
    page.keyboard.type("🦊 (red:1.2), ~~snow~~, [day:night:0.5]")
    words = page.locator("#txt2img-prompt .layer-words")
    for kind, text in (("strong", "(red:1.2)"), ("off", ", ~~snow~~"), ("schedule", "[day:night:0.5]")):
        expect(words.locator(f".is-{kind}")).to_have_text(text)
    field.press("Home")
    page.keyboard.type("a ")
    assert words.locator(".is-strong").text_content() == "(red:1.2)", "what is behind an edit goes along at once"
    for keys in ("ArrowRight ArrowRight x Backspace", "End y ArrowLeft z Backspace Delete", "Home n Delete n Backspace"):
        for key in keys.split():
            page.keyboard.press(key)
            assert words.text_content() == f"{field.input_value()}\u200b", "the copy below is the text, key by key"
    field.fill("a 🦊 (red:1.2), ~~snow~~, [day:night:0.5]")
    line = page.locator("#txt2img-notes .time-line")
    expect(line.locator(".time-said")).to_have_text(["day", "night"])
    place, track = line.locator(".time-edge").bounding_box(), line.locator(".time-track").bounding_box()
    assert place and track
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.3 * track["width"], place["y"] + 9, steps=4)
    page.mouse.up()
    assert field.input_value().endswith("[day:night:0.2]"), "a share of 0.2 says day at the calls 0, 1 and 2 of ten"
    expect(page.locator("#txt2img-notes [data-part=drawn]")).to_contain_text("day for steps 1–3, night for steps 4–10.")
    page.keyboard.press("Control+z")
    assert field.input_value().endswith("[day:night:0.5]")
    expect(line.locator(".time-edge")).to_have_attribute("aria-valuenow", "7")
    line.locator(".time-edge").press("ArrowLeft")
    assert field.input_value().endswith("[day:night:0.4]") and page.evaluate("() => document.activeElement.role") == "slider"


def test_the_negative_prompt_and_a_second_pass_have_lines_of_their_own_whose_edges_and_texts_follow_each_other(form: Visit) -> None:
    page = form.page
    form.set("steps", "10")
    form.unfold("Hires fix")
    page.locator("#txt2img-hires input[type=checkbox]").check()
    form.control("prompt").fill("a ball")
    form.control("negative_prompt").fill("[fog:rain:0.5]")
    form.control("hires_prompt").fill("[red:blue:1.5] ball")
    lines = page.locator("#txt2img-notes .time-line")
    expect(lines.locator(".time-title")).to_have_text(["Negative prompt", "Second pass", "Negative prompt of the second pass"])

    def drag(line: Locator, to: float) -> None:
        place, track = line.locator(".time-edge").bounding_box(), line.locator(".time-track").bounding_box()
        assert place and track
        page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        page.mouse.down()
        page.mouse.move(track["x"] + to * track["width"], place["y"] + 9, steps=4)
        page.mouse.up()

    drag(lines.nth(0), 0.3)
    assert form.control("negative_prompt").input_value() == "[fog:rain:0.2]"
    drag(lines.nth(1), 0.8)
    assert form.control("hires_prompt").input_value() == "[red:blue:1.7] ball", "of the second pass blue is said from its ninth step on"
    expect(page.locator("#txt2img-notes [data-part=drawn]")).to_contain_text("In the second pass: “[red:blue:1.7]”: red for steps 1–8")
    page.keyboard.press("Control+z")
    assert form.control("hires_prompt").input_value() == "[red:blue:1.5] ball"
    form.control("hires_prompt").fill("[red:blue:13] ball")
    expect(lines.nth(1).locator(".time-edge")).to_have_attribute("aria-valuenow", "5")
    form.control("negative_prompt").fill("fog")
    expect(lines).to_have_count(1)
    form.control("hires_prompt").fill("")
    page.locator("#txt2img-hires input[type=checkbox]").uncheck()


def test_an_aspect_is_one_click_in_each_form_for_itself_and_swap_turns_it(form: Visit) -> None:
    form.page.get_by_role("button", name="3:2").click()
    wait_for(form.page, lambda: form.control("width").input_value() == "160")
    form.open_tab("ControlNet")
    pressed = form.page.locator("button.aspect[aria-pressed=true]:visible")
    wait_for(form.page, lambda: pressed.all_inner_texts() == ["1:1"])
    form.open_tab("Text to image")
    wait_for(form.page, lambda: pressed.all_inner_texts() == ["3:2"])
    form.page.locator("#txt2img-swap").click()
    wait_for(form.page, lambda: form.control("height").input_value() == "160")
    assert form.page.get_by_role("button", name="2:3").get_attribute("aria-pressed") == "true"


def test_a_size_outside_its_limits_is_refused_in_a_sentence_and_one_between_two_steps_is_adjusted(form: Visit, house: House) -> None:
    form.set("width", "50000")
    form.generate("a ball")
    toast = form.page.locator(".toast-wrap")
    wait_for(form.page, lambda: "Width must be between 64 and" in (toast.text_content() or ""))
    form.set("width", "65")
    with form.another_picture():
        form.generate("a ball")
    form.page.get_by_text("Width is 64 instead of 65: multiples of 8 only.").wait_for()
    assert house.runner.drawn[-1].width == 64
    expect(form.control("width")).to_have_value("64")  # the form shows what was used


def test_the_row_of_guidance_says_what_it_costs_and_shows_what_its_fields_do_once_it_is_open(form: Visit, house: House) -> None:
    fold = form.page.locator("#txt2img-guidance")
    value, cost, shots = fold.locator(".row-value"), fold.locator("[data-part=cost]"), fold.locator(".guiding-shots img")
    expect(value).to_have_text("as usual")
    assert shots.count() == 0
    form.unfold("Guidance")
    expect(cost).to_have_text("As many calls of the network as ever.")
    wait_for(form.page, lambda: shots.count() == 12 and shots.evaluate_all("all => all.every((each) => each.naturalWidth > 100)"))
    fold.get_by_label("Third look").click()
    form.page.get_by_role("option", name="PAG").click()
    expect(cost).to_have_text("+50 % calls of the network.")
    form.set("guidance_until", "0.25")
    expect(cost).to_have_text("−25 % calls of the network.")
    expect(value).to_have_text("0 % to 25 %, PAG")
    with form.another_picture():
        form.generate("a red house")
    assert (house.runner.drawn[-1].third_look, house.runner.drawn[-1].guidance_until) == ("PAG", 0.25)
