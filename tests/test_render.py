"""Pictures by their properties: what is black, grey, framed, burnt in, and what stays untouched."""

import numpy as np
import pytest
from worlds import DrawnSource, act, choice, small_env, spoken

from videoatlas_gym import render
from videoatlas_gym.actions import Action
from videoatlas_gym.state import DEAD, EVIDENCE, QUEUED, VISITED
from videoatlas_gym.video.source import LETTERBOX_RGB

WIDTH, HEIGHT = 80, 60


def tiles(count=4, seed=0):
    """Noise without the plain colours that mean something."""
    return np.random.default_rng(seed).integers(30, 90, (count, HEIGHT, WIDTH, 3), np.uint8)


def cell(sheet, index, columns=2, width=WIDTH, height=HEIGHT):
    row, column = divmod(index, columns)
    return sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]


def status(*bits):
    return np.array(bits, np.int8)


def changed(before, after):
    """Where two pictures differ: rows and columns of the box around it, or None."""
    rows, columns = np.nonzero((before != after).any(axis=-1))
    return (rows.min(), rows.max(), columns.min(), columns.max()) if len(rows) else None


def test_cells_stand_row_by_row_and_nothing_is_lost():
    given = tiles(6)
    sheet = render.contact_sheet(given, columns=3)
    assert sheet.shape == (2 * HEIGHT, 3 * WIDTH, 3) and sheet.dtype == np.uint8
    assert all(np.array_equal(cell(sheet, i, 3), given[i]) for i in range(6))


def test_missing_cells_at_the_end_are_empty():
    sheet = render.contact_sheet(tiles(3), columns=2)
    assert (cell(sheet, 3) == render.EMPTY_RGB).all()


def test_dead_cells_are_black_and_hidden_ones_grey_to_the_last_pixel():
    given = tiles()
    everything = VISITED | QUEUED | EVIDENCE | DEAD
    hidden = np.array([False, True, False, False])
    sheet = render.contact_sheet(
        given, columns=2, status=status(everything, 0, 0, 0), hidden=hidden
    )
    assert (cell(sheet, 0) == render.DEAD_RGB).all()
    assert (cell(sheet, 1) == render.HIDDEN_RGB).all()
    assert np.array_equal(cell(sheet, 2), given[2])
    assert given.min() >= 30  # the input is left alone


def test_nothing_else_is_plain_black_or_grey():
    plain = (render.DEAD_RGB, render.HIDDEN_RGB)
    assert LETTERBOX_RGB not in plain and render.EMPTY_RGB not in plain
    assert not {colour for _, colour in render.MARKS} & set(plain)


@pytest.mark.parametrize("bit, colour", render.MARKS)
def test_each_mark_has_its_colour_and_place(bit, colour):
    given = tiles()
    sheet = render.contact_sheet(given, columns=2, status=status(0, bit, 0, 0))
    marked, before = cell(sheet, 1), given[1]
    assert (marked == colour).all(axis=-1).any() and not (before == colour).all(axis=-1).any()
    assert all(np.array_equal(cell(sheet, i), given[i]) for i in (0, 2, 3))
    if bit == EVIDENCE:
        border = np.ones((HEIGHT, WIDTH), bool)
        border[2:-2, 2:-2] = False
        assert (marked[border] == colour).all()
        assert np.array_equal(marked[6:-2, 2:-2], before[6:-2, 2:-2])
    else:
        top, bottom, left, right = changed(before, marked)
        assert bottom < HEIGHT // 8 and left > WIDTH // 2


def test_all_marks_can_be_told_apart_on_one_cell():
    sheet = render.contact_sheet(
        tiles(), columns=2, status=status(VISITED | QUEUED | EVIDENCE, 0, 0, 0)
    )
    for _, colour in render.MARKS:
        assert (cell(sheet, 0) == colour).all(axis=-1).sum() >= 9


def test_labels_change_pixels_in_the_top_left_corners_only():
    given = tiles()
    plain = render.contact_sheet(given, columns=2)
    sheet = render.contact_sheet(given, columns=2, labels=["0", "", "12", "63"])
    for index in (0, 2, 3):
        top, bottom, left, right = changed(cell(plain, index), cell(sheet, index))
        assert (top, left) == (0, 0) and bottom < HEIGHT // 4 and right < WIDTH // 2
        assert (cell(sheet, index)[: HEIGHT // 4] > 200).any()
    assert changed(cell(plain, 1), cell(sheet, 1)) is None
    assert changed(cell(sheet, 0), cell(sheet, 3))[:1] == (0,)


@pytest.mark.parametrize("size", [(8, 8), (48, 36), (160, 90), (640, 360)])
def test_labels_of_a_full_grid_stay_inside_their_cells(size):
    width, height = size
    given = np.full((64, height, width, 3), 50, np.uint8)
    labels = [""] * 64
    labels[9] = "63"
    sheet = render.contact_sheet(given, columns=8, labels=labels)
    for index in range(64):
        touched = changed(given[index], cell(sheet, index, 8, width, height)) is not None
        assert touched == (index == 9)


@pytest.mark.parametrize(
    "picture, box",
    [
        *[((40, 30), (160, 90)), ((30, 40), (160, 90))],
        *[((640, 90), (100, 100)), ((3, 500), (64, 64))],
    ],
)
def test_letterboxing_keeps_the_aspect_and_centres_the_picture(picture, box):
    width, height = box
    result = render.letterbox(np.full((*picture[::-1], 3), 200, np.uint8), width, height)
    assert result.shape == (height, width, 3)
    inside = (result == 200).all(axis=-1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert inside[np.ix_(rows, columns)].all()
    assert (result[~inside] == LETTERBOX_RGB).all()
    scale = min(width / picture[0], height / picture[1])
    assert abs(len(columns) - max(1.0, picture[0] * scale)) <= 0.5
    assert abs(len(rows) - max(1.0, picture[1] * scale)) <= 0.5
    assert len(columns) == width or len(rows) == height
    assert abs(rows[0] - (height - 1 - rows[-1])) <= 1
    assert abs(columns[0] - (width - 1 - columns[-1])) <= 1


def test_letterboxing_shrinks_by_averaging_and_leaves_a_fitting_picture_alone():
    board = (np.indices((60, 80)).sum(axis=0) % 2 * 200).astype(np.uint8)
    board = np.repeat(board[..., None], 3, axis=2)
    assert np.array_equal(render.letterbox(board, 80, 60), board)
    assert (render.letterbox(board, 40, 30) == 100).all()


def pad(captions, count=2):
    return render.scratchpad_sheet(
        tiles(count), captions, columns=2, rows=2, tile_size=(WIDTH, HEIGHT)
    )


def test_captions_change_with_the_text_and_leave_the_middle_alone():
    blank = pad([("", ""), ("", "")])
    one = pad([("0 00:01.0", "hello"), ("", "")])
    other = pad([("0 00:01.0", "world"), ("", "")])
    assert changed(cell(blank, 1), cell(one, 1)) is None
    heading, subtitle = (cell(one, 0)[:14], cell(other, 0)[-14:])
    assert changed(cell(one, 0), cell(other, 0))[0] >= HEIGHT - 14
    assert changed(cell(blank, 0)[:14], heading) and changed(cell(blank, 0)[-14:], subtitle)
    assert np.array_equal(cell(one, 0)[16:-16], cell(blank, 0)[16:-16])
    assert changed(cell(one, 0), cell(pad([("1 00:01.0", "hello"), ("", "")]), 0))


def test_long_captions_stay_in_their_slot_and_their_beginning_is_told():
    blank, long = pad([("", "")] * 2), pad([("", "x" * 500), ("", "")])
    assert np.array_equal(cell(blank, 1), cell(long, 1))
    assert np.array_equal(cell(blank, 2), cell(long, 2))
    assert changed(cell(pad([("", "a" + "x" * 99), ("", "")]), 0), cell(long, 0))


@pytest.mark.parametrize("size", [(8, 8), (16, 12), (48, 27)])
def test_captions_of_tiny_slots_stay_in_them(size):
    given = np.full((2, *size[::-1], 3), 50, np.uint8)
    blank, full = (
        render.scratchpad_sheet(given, captions, columns=2, rows=2, tile_size=size)
        for captions in ([("", "")] * 2, [("0 00:01.0", "hello"), ("", "")])
    )
    assert changed(cell(blank, 0, 2, *size), cell(full, 0, 2, *size))
    assert all(np.array_equal(cell(blank, i, 2, *size), cell(full, i, 2, *size)) for i in (1, 2))


def test_a_scratchpad_has_one_size_however_full():
    shapes = {pad([("", "")] * count, count).shape for count in range(5)}
    assert shapes == {(2 * HEIGHT, 2 * WIDTH, 3)}
    assert (cell(pad([("", "")] * 2), 2) == render.EMPTY_RGB).all()


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.0, "00:00.0"),
        (59.96, "01:00.0"),
        (61.25, "01:01.2"),
        (3599.96, "1:00:00.0"),
        (36_000.0, "10:00:00.0"),
    ],
)
def test_clocks(seconds, text):
    assert render.clock(seconds) == text


def test_a_page_shows_the_view_whole_with_the_scratchpad_beside_it():
    view, scratchpad = tiles(1)[0].repeat(8, 0).repeat(8, 1), tiles(1, seed=1)[0].repeat(4, 0)
    page = render.page(view, scratchpad, "grid root")
    bar = page.shape[0] - view.shape[0]
    assert page.shape == (bar + 480, 640 + 80, 3) and 20 <= bar <= 40
    assert np.array_equal(page[bar:, :640], view)
    assert np.array_equal(page[bar : bar + 240, 640:], scratchpad)
    assert (page[bar + 240 :, 640:] == render.EMPTY_RGB).all()
    assert changed(page, render.page(view, scratchpad, "scan 3"))[1] < bar
    narrow = render.page(view, scratchpad, "x" * 1000)
    assert narrow.shape == page.shape


def test_drawing_twice_gives_the_same_bytes():
    given = tiles()
    sheets = [
        render.contact_sheet(given, columns=2, status=status(1, 2, 4, 8), labels=list("0123"))
        for _ in range(2)
    ]
    assert np.array_equal(*sheets)


@pytest.mark.parametrize("content", [None, b"no font"], ids=["missing", "no font"])
def test_a_font_that_cannot_be_read_is_named(content, tmp_path, monkeypatch):
    path = tmp_path / "face.ttf"
    if content:
        path.write_bytes(content)
    monkeypatch.setenv("VIDEOATLAS_FONT", str(path))
    env = small_env(labels=True)
    with pytest.raises(ValueError, match=r"VIDEOATLAS_FONT names .*face\.ttf.*unset it"):
        env.reset()


def test_rendering_for_people_changes_nothing_for_the_agent():
    task = choice(DrawnSource(), subtitles=spoken(256.0))
    env = small_env(task, render_mode="rgb_array", tile_size=(WIDTH, HEIGHT), max_steps=50)
    env.reset()
    observation, info = act(env, Action("ADD_TO_SCRATCHPAD", 1), Action("EXPAND", 2))
    spent, state = env.ledger.usage, env.state
    page = env.render()
    assert (env.ledger.usage, env.state) == (spent, state)
    again, _ = env.observe()
    assert np.array_equal(again["view"], observation["view"])
    assert page.shape[1] == observation["view"].shape[1] + observation["scratchpad"].shape[1]
    shown = page[-max(observation["scratchpad"].shape[0], observation["view"].shape[0]) :]
    view = shown[: 2 * HEIGHT, : 2 * WIDTH]
    assert changed(cell(view, 0), cell(observation["view"], 0))[1] < HEIGHT // 4  # its label


def test_the_text_mode_says_where_the_agent_is():
    env = small_env(render_mode="ansi")
    env.reset()
    act(env, Action("ADD_TO_SCRATCHPAD", 1, confidence=0.8), Action("EXPAND", 2))
    text = env.render()
    for part in ("grid of cell 2 at depth 1 of", "02:08.0 to 03:12.0", "01:36.0 (0.80)"):
        assert part in text
    assert "2 steps, 8 frames" in text and "EXPAND 0-3" in text and "0% of the video" in text
