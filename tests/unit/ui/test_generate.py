"""The Generate page: what is shown before the button, and that one press makes its jobs once."""

from dataclasses import replace

from core.errors import InsufficientCredits, LimitReached
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, press, words_on
from ui.press import Order, Press


def test_one_press_makes_one_job_and_keeps_the_prompt(studio: Studio, open_page: Open) -> None:
    app = open_page()
    assert r"**1 credit** · about \$0\.006 · 82 credits left after" in words_on(app)
    app.text_area(key="gen-prompt").input("  A lighthouse  ").run()
    press(app)
    [(_, generation_type, inputs, expected)] = studio.submitted
    assert generation_type == "image_flux_schnell"
    assert inputs["prompt"] == "A lighthouse"
    assert inputs["shape"] == "square"
    assert "batches" not in inputs
    assert expected == 1
    assert app.text_area(key="gen-prompt").value.strip() == "A lighthouse"
    assert "Running now" in words_on(app)
    assert not app.error


def test_six_images_are_three_jobs(studio: Studio, open_page: Open) -> None:
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse")
    app.number_input(key="gen-image_flux_schnell-batches").set_value(6).run()
    assert app.button(key="generate-button").label == "Generate 6 images"
    assert "**3 credits**" in words_on(app)
    press(app)
    assert len({job_id for job_id, *_ in studio.submitted}) == 3
    assert {expected for *_, expected in studio.submitted} == {1}


def test_a_press_that_was_interrupted_is_finished_with_the_same_ids(studio: Studio, open_page: Open) -> None:
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    app.session_state["gen-press"] = Press()
    again = replace(app.session_state["gen-press"])
    app.run()
    first = [job_id for job_id, *_ in studio.submitted]
    app.session_state["gen-press"] = again  # as if the run had ended before it could note that it was done
    app.run()
    assert [job_id for job_id, *_ in studio.submitted] == first * 2
    assert len(studio.open) == 1
    assert "gen-press" not in app.session_state


def test_the_end_of_a_double_click_makes_no_second_job(studio: Studio, open_page: Open) -> None:
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    press(press(app))
    assert len(studio.submitted) == 1


def test_a_missing_prompt_is_said_and_nothing_is_sent(studio: Studio, open_page: Open) -> None:
    app = press(open_page())
    assert studio.submitted == []
    said = app.error[0].value.replace("\\", "")
    assert said.startswith("**Prompt is missing.** Nothing was sent and nothing was charged.")


def test_a_missing_first_frame_is_said(studio: Studio, open_page: Open) -> None:
    app = open_page()
    app.button_group(key="gen-media").set_value("video").run()
    app.text_area(key="gen-prompt").input("A slow pan").run()
    assert app.button(key="generate-button").label == "Generate video"
    assert "**16 credits**" in words_on(app)
    press(app)
    assert studio.submitted == []
    assert "First frame" in app.error[0].value


def test_a_refusal_is_shown_and_the_prompt_stays(studio: Studio, open_page: Open) -> None:
    studio.refuses = LimitReached("You have 5 jobs running. Nothing was charged. Wait until one is done.")
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    press(app)
    assert app.error[0].value.startswith("**You have 5 jobs running\\.**")
    assert app.text_area(key="gen-prompt").value == "A lighthouse"


def test_a_clear_no_of_fal_is_shown_in_its_words(studio: Studio, open_page: Open) -> None:
    studio.fails_with = "fal.ai refused this prompt. Nothing was charged."
    app = open_page()
    app.text_area(key="gen-prompt").input("Somebody real").run()
    press(app)
    assert app.error[0].value == r"**fal\.ai refused this prompt\.** Nothing was charged\."
    assert "Running now" not in words_on(app)


def test_a_job_that_fails_while_the_page_is_open_is_told_there_until_the_next_press(
    studio: Studio, open_page: Open
) -> None:
    app = open_page()
    app.text_area(key="gen-prompt").input("Somebody real").run()
    press(app)
    failed = replace(
        studio.open.pop(), status="failed", error_message="fal.ai refused this prompt. Nothing was charged."
    )
    studio.finished.insert(0, failed)
    app.run()
    [error] = app.error
    assert error.value == r"**fal\.ai refused this prompt\.** Nothing was charged\."
    app.run()
    assert len(app.error) == 1  # and stays, while the prompt is changed
    app.button(key=f"failed-{failed.id}").click().run()
    assert app.query_params["job"] == str(failed.id)
    del app.query_params["job"]
    app.session_state["gen-last-press"] = 0.0  # longer ago than a double click
    press(app.run())
    assert not app.error


def test_what_is_tried_again_by_itself_or_was_cancelled_is_no_failure(studio: Studio, open_page: Open) -> None:
    first, second = doubles.running(), doubles.running()
    studio.open = [first, second]
    app = open_page()
    studio.finished = [
        replace(first, status="failed", error_message="It broke. Nothing was charged."),
        replace(second, status="cancelled", error_message="This was cancelled. Nothing was charged."),
    ]
    studio.open = [doubles.running(retried_from=first.id)]
    app.run()
    assert not app.error


def test_too_few_credits_send_nothing_and_offer_the_packs_right_there(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=2)
    app = open_page()
    app.selectbox(key="gen-model-image").select("image_flux_dev").run()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    assert ":red[3 credits short]" in words_on(app)
    press(app)
    assert studio.submitted == []
    text = words_on(app)
    assert "This image costs **5 credits** and you have **2**." in text
    assert [f"leaves you {left}" in text for left in ("97", "497", "997")] == [True] * 3
    assert 'name="back" value="/"' in text
    assert app.text_area(key="gen-prompt").value == "A lighthouse"


def test_the_form_is_as_it_was_when_its_person_comes_back_from_the_pay_page(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=2)
    app = open_page()
    app.selectbox(key="gen-model-image").select("image_flux_dev").run()
    app.selectbox(key="gen-image_flux_dev-shape").select("tall").run()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    press(app)
    app.session_state["gen-short"] = None  # dismissed: whoever buys on the Credits page comes back to the form as well
    app.run()
    studio.person = doubles.person(available=102)
    bought = doubles.purchase(credits=100, amount_cents=1900)
    studio.purchases = [bought]
    back = open_page(checkout="granted", order=str(bought.id))
    assert "**100 credits added.** You have 102 now." in back.success[0].value
    assert back.text_area(key="gen-prompt").value == "A lighthouse"
    assert back.selectbox(key="gen-image_flux_dev-shape").value == "tall"
    assert "Not enough credits" not in words_on(back)
    assert open_page().text_area(key="gen-prompt").value != "A lighthouse"


def test_a_form_that_was_sent_after_all_does_not_come_back(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=0)
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    press(app)
    studio.person = doubles.person(available=100)
    press(app.run())
    assert len(studio.submitted) == 1
    studio.submitted.clear()
    assert open_page().text_area(key="gen-prompt").value != "A lighthouse"


def test_credits_that_went_elsewhere_meanwhile_lead_to_the_packs_too(studio: Studio, open_page: Open) -> None:
    studio.refuses = InsufficientCredits("This needs 1 credit and you have 0.")
    app = open_page()
    app.text_area(key="gen-prompt").input("A lighthouse").run()
    studio.person = doubles.person(available=0)
    app.session_state["low-credits"] = "seen"
    app.session_state["gen-press"] = Press(
        order=Order("image_flux_schnell", ({"prompt": "A lighthouse"},), 1, {}, what="This image")
    )
    app.run()
    assert "This image costs **1 credit** and you have **0**" in words_on(app)
    assert not app.error


def test_settings_are_remembered_per_type(open_page: Open) -> None:
    app = open_page()
    app.selectbox(key="gen-image_flux_schnell-shape").select("tall").run()
    app.selectbox(key="gen-model-image").select("image_flux_dev").run()
    assert app.selectbox(key="gen-image_flux_dev-shape").value == "square"
    app.selectbox(key="gen-model-image").select("image_flux_schnell").run()
    assert app.selectbox(key="gen-image_flux_schnell-shape").value == "tall"


def test_a_prompt_is_never_markup(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job(input_params={"prompt": ':red[x] <b onclick="y">'})]
    app = open_page()
    assert next(b.label for b in app.button if "red" in b.label) == '\\:\u2060red\\[x\\] \\<b onclick\\="y"\\>'
    assert not any("<b onclick" in html.value for html in app.html)


def test_use_again_puts_the_inputs_back(studio: Studio, open_page: Open) -> None:
    old = doubles.job(
        generation_type="image_flux_dev",
        input_params={"prompt": "Old words", "shape": "wide", "num_images": 3, "steps": 40, "seed": 7},
    )
    studio.finished = [old]
    app = open_page(job=str(old.id))
    next(button for button in app.button if button.label == "Use again").click().run()
    assert app.text_area(key="gen-prompt").value == "Old words"
    assert app.selectbox(key="gen-model-image").value == "image_flux_dev"
    assert app.selectbox(key="gen-image_flux_dev-shape").value == "wide"
    assert app.number_input(key="gen-image_flux_dev-num_images").value == 3
    assert app.number_input(key="gen-image_flux_dev-seed").value == 7
