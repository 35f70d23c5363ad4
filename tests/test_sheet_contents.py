"""What the picture of an episode says and shows, and where: texts as drawn, views by pixels."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from drawn import DrawnSource, make_env, one_task_of_each_kind, texture
from PIL import Image

from eval import sheets
from eval.sheets import COLUMNS, GAP_PX, MAX_BYTES, MAX_VIEWS, VIEW_PX, draw_sheet
from policies.base import Decision, Policy
from policies.rollout import rollout
from videoatlas_gym.actions import Action
from videoatlas_gym.render import letterbox
from videoatlas_gym.span import Span

LINE_PX = 20
"""Height of a headline, and of a caption."""
WIDTH_PX, HEIGHT_PX = VIEW_PX[0], round(VIEW_PX[0] * 9 / 16)
"""Of a view in the strip."""
EVERYWHERE = [
    action
    for cell in range(4)
    for action in (
        Action("EXPAND", cell),
        *[a for i in range(4) for a in (Action("ZOOM", i), Action("BACKTRACK"))],
        Action("BACKTRACK"),
    )
]
"""The way through 21 places: each cell of the first view, and each cell of it alone."""


class Witness(Policy):
    """Takes written actions, then ends; remembers what it saw before each."""

    name = "witness"

    def __init__(self, *actions):
        self.actions, self.seen = actions, []

    def act(self, observation, info):
        self.seen.append({name: value.copy() for name, value in observation.items()})
        taken = len(self.seen) - 1
        return Decision(self.actions[taken] if taken < len(self.actions) else Action("FINISHED"))


class Plain(DrawnSource):
    """Another colour every two seconds: what JPEG leaves nearly as it was."""

    def draw(self, index):
        colour = texture(0, int(index / self.frames_per_second / 2))[0, 0]
        return np.broadcast_to(colour, (72, 128, 3)).copy()

    def fingerprint(self):
        return "plain"


def task_of(kind="open_question", source=Plain):
    return one_task_of_each_kind(source(100.0), Span(10.0, 20.0))[kind]


def drawn(monkeypatch, task, *actions, **options):
    """Play actions; return the picture of the episode and what was given to its drawing."""
    env, policy, page, texts = make_env(task, **options), Witness(*actions), sheets.page, []

    def watched(view, beside, text):
        texts.append((text, view))
        return page(view, beside, text)

    episode = rollout(env, policy, seed=0)
    with monkeypatch.context() as patched:
        patched.setattr(sheets, "page", watched)
        content = draw_sheet(env, episode, "the title")
    return SimpleNamespace(
        seen=policy.seen,
        headlines=[text for text, view in texts if not view.size],
        captions=[text for text, view in texts if view.size],
        views=[view for _, view in texts if view.size],
        pixels=np.asarray(Image.open(io.BytesIO(content)), int),
    )


def large(picture):
    """Return a view as large as it is drawn."""
    return letterbox(picture, WIDTH_PX, HEIGHT_PX)


def place(pixels, index, num_headlines=2):
    """Cut a view of the strip out of a picture."""
    row, column = divmod(index, COLUMNS)
    top = num_headlines * LINE_PX + row * (LINE_PX + HEIGHT_PX + GAP_PX) + LINE_PX
    left = column * (WIDTH_PX + GAP_PX)
    return pixels[top : top + HEIGHT_PX, left : left + WIDTH_PX]


def distance(one, other):
    """Return how many levels two pictures differ on average, after JPEG has done its part."""
    return np.abs(one.astype(int) - other).mean()


def test_views_stand_in_the_order_in_which_they_were_first_seen_each_under_its_caption(monkeypatch):
    actions = [Action("EXPAND", 3), Action("BACKTRACK"), Action("EXPAND", 0), Action("ZOOM", 1)]
    actions += [Action("BACKTRACK"), Action("BACKTRACK"), Action("EXPAND", 2)]
    sheet = drawn(monkeypatch, task_of(), *actions)
    assert sheet.captions[:5] == [
        "0 first view | 00:00.0 - 01:40.0",
        "1 EXPAND 3 | 01:15.0 - 01:40.0",
        "3 EXPAND 0 | 00:00.0 - 00:25.0",
        "4 ZOOM 1 | at 00:09.4",
        "7 EXPAND 2 | 00:50.0 - 01:15.0",
    ]
    first_seen = [large(sheet.seen[step]["view"]) for step in (0, 1, 3, 4, 7)]
    for index, view in enumerate(first_seen):
        assert np.array_equal(sheet.views[index], view)
        found = place(sheet.pixels, index)
        assert distance(found, view) < 8
        others = [other for other in first_seen if other is not view]
        assert min(distance(found, other) for other in others) > 30


def test_the_views_of_a_long_episode_are_evenly_chosen_from_its_first_to_its_last(monkeypatch):
    sheet = drawn(monkeypatch, task_of(), *EVERYWHERE)
    first_seen = [0, *(10 * cell + step for cell in range(4) for step in (1, 2, 4, 6, 8))]
    steps = [int(caption.split()[0]) for caption in sheet.captions[:MAX_VIEWS]]
    chosen = [first_seen.index(step) for step in steps]
    assert (chosen[0], chosen[-1]) == (0, 20)
    assert set(np.diff(chosen)) == {1, 2} and len(chosen) == 12
    assert "| 12 of 21 places seen are shown" in sheet.headlines[0]
    assert distance(place(sheet.pixels, 11), large(sheet.seen[38]["view"])) < 8


def test_the_first_line_says_whose_episode_it_is_and_how_it_ended(monkeypatch):
    answered = drawn(monkeypatch, task_of("multiple_choice"), Action("ANSWER", answer=1))
    assert answered.headlines[0] == (
        "the title | score 1.00, answer 1, 1 steps, 4 frames | 1 of 1 places seen are shown"
    )
    stopped = drawn(monkeypatch, task_of(), *[Action("EXPAND", 0)] * 2, budget={"frames": 9})
    assert "score 0.00, 2 steps, 8 frames, out of frames |" in stopped.headlines[0]


def test_the_question_is_asked_and_its_right_option_is_marked(monkeypatch):
    choice = drawn(monkeypatch, task_of("multiple_choice"))
    assert choice.headlines[1:] == ["Which?", "0 a | 1 b (right) | 2 c"]
    assert drawn(monkeypatch, task_of()).headlines[1:] == ["What?"]


def test_headlines_are_written_above_the_strip(monkeypatch):
    sheet = drawn(monkeypatch, task_of("multiple_choice"))
    for number in range(3):
        line = sheet.pixels[number * LINE_PX : (number + 1) * LINE_PX]
        assert (line.min(axis=2) > 180).any(), "white on dark"
    assert distance(place(sheet.pixels, 0, num_headlines=3), large(sheet.seen[0]["view"])) < 8


def test_a_goal_picture_is_shown_beside_what_was_kept(monkeypatch):
    sheet = drawn(monkeypatch, task_of("frame_search"), Action("ADD_TO_SCRATCHPAD", 2))
    assert sheet.captions[1:] == ["1 kept", "goal"]
    goal, pad_px = sheet.seen[0]["goal"], 2 * WIDTH_PX + GAP_PX
    assert np.array_equal(sheet.views[2], large(goal))
    top = 2 * LINE_PX + HEIGHT_PX + LINE_PX + GAP_PX + LINE_PX
    found = sheet.pixels[top:, pad_px + GAP_PX : pad_px + GAP_PX + WIDTH_PX][:HEIGHT_PX]
    assert distance(found, large(goal)) < 8
    without = drawn(monkeypatch, task_of(), *[Action("ADD_TO_SCRATCHPAD", i) for i in range(3)])
    assert without.captions[1:] == ["3 kept"]


def test_a_picture_that_would_be_too_large_a_file_gets_narrower(monkeypatch):
    widths = [COLUMNS * (px + GAP_PX) - GAP_PX for px in VIEW_PX]
    assert widths == [1196, 972, 812] and MAX_BYTES == 60_000
    motley = task_of(source=DrawnSource)  # the first view alone takes 20 KB
    assert drawn(monkeypatch, motley, *EVERYWHERE).pixels.shape[1] == 812
    assert drawn(monkeypatch, motley).pixels.shape[1] == 1196


def test_a_picture_is_as_wide_as_the_largest_file_allows(monkeypatch):
    env, sizes = make_env(task_of()), {}
    episode = rollout(env, Witness(Action("EXPAND", 1)), seed=0)
    monkeypatch.setattr(sheets, "MAX_BYTES", 0)
    for px in VIEW_PX:
        monkeypatch.setattr(sheets, "VIEW_PX", (VIEW_PX[0], px))
        sizes[px] = len(draw_sheet(env, episode, "x"))
    monkeypatch.setattr(sheets, "VIEW_PX", VIEW_PX)
    assert sizes[296] > sizes[240] > sizes[200]
    for allowed, px in ((sizes[296], 296), (sizes[296] - 1, 240), (sizes[240] - 1, 200), (1, 200)):
        monkeypatch.setattr(sheets, "MAX_BYTES", allowed)
        assert len(draw_sheet(env, episode, "x")) == sizes[px]


@pytest.mark.parametrize("kept", [1, 4, 5, 16])
def test_only_rows_of_the_scratchpad_that_are_in_use_are_shown(monkeypatch, kept):
    adds = [Action("ADD_TO_SCRATCHPAD", i) for i in range(kept)]
    sheet = drawn(monkeypatch, task_of(), *adds, grid_size=4)
    assert sheet.captions[-1] == f"{kept} kept"
    rows = -(-kept // 4)
    shape = sheet.views[-1].shape
    assert shape[1] == 2 * WIDTH_PX + GAP_PX
    assert shape[0] == pytest.approx(rows * shape[1] * 36 / 64 / 4, abs=1)
