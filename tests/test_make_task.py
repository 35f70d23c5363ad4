"""Describing a task: the kind follows from what is given, and what is missing is said."""

import numpy as np
import pytest
from drawn import DrawnSource, write_film
from helpers import open_files

from videoatlas_gym.span import GridGeometry, Span
from videoatlas_gym.state import AtlasState
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.tasks import (
    FixedTasks,
    FrameSearch,
    MultipleChoice,
    OpenQuestion,
    TaskSet,
    TemporalGrounding,
    make_task,
    make_task_set,
)
from videoatlas_gym.video import ConcatSource, Frame, Part, VideoOpenError, VideoReader

VIDEO = DrawnSource(100.0)
NOTHING = AtlasState(GridGeometry(100.0))
GOAL = Frame(np.zeros((8, 8, 3), np.uint8), 0.0, 0)
SEARCH = FrameSearch(VIDEO, "Where?", truth=(Span(10, 12),), goal=GOAL)


def test_make_task_chooses_the_kind_by_what_is_given():
    assert isinstance(make_task(VIDEO, "?", ["a", "b"], 1), MultipleChoice)
    assert isinstance(make_task(VIDEO, "?", ["a", "b"], 1, [(1, 2)]), MultipleChoice)
    assert isinstance(make_task(VIDEO, "?", answer="yes"), OpenQuestion)
    assert isinstance(make_task(VIDEO, "?", spans=[(1, 2)]), TemporalGrounding)
    nothing_asked = make_task(VIDEO)
    assert (nothing_asked.kind, nothing_asked.query) == ("open_question", "Explore the video.")
    assert nothing_asked.score("anything", NOTHING) == 0.0


def test_make_task_takes_the_right_option_by_its_text():
    assert make_task(VIDEO, "?", ["5", "3", "8"], "3").answer == 1
    assert make_task(VIDEO, "?", ["5", "3", "8"], 0).answer == 0
    assert make_task(VIDEO, "?", answer=8).answer == "8"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"question": "?"}, "needs something to score it by"),
        ({"question": "?", "options": ["a", "b"]}, "options need an answer"),
        ({"question": "?", "options": ["a", "b"], "answer": "c"}, "'c' is none of the options"),
        ({"question": "?", "options": ["a", "b"], "answer": 2}, "index of an option, 0 to 1"),
        ({"question": "?", "options": [], "answer": 0}, "needs options"),
        ({"options": ["a", "b"]}, "belong to a question"),
        ({"answer": "a"}, "belong to a question"),
        ({"spans": [(1, 2)]}, "belong to a question"),
        ({"question": "?", "spans": [(1, 200)]}, "must lie in the video"),
        ({"question": "?", "spans": [(2, 1)]}, "must not end before it starts"),
    ],
)
def test_make_task_says_what_is_missing(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_task(VIDEO, **arguments)


def test_options_must_be_a_list_of_texts():
    sentence = "options must be a list of 2 to 8 texts, got the text 'ab'."
    with pytest.raises(ValueError, match=sentence):
        make_task(VIDEO, "Which?", options="ab", answer=0)
    for wrong in ("", "  ", 3, None):
        with pytest.raises(ValueError, match=f"a text that is not empty, got {wrong!r}"):
            make_task(VIDEO, "Which?", options=["a", wrong], answer=0)


def test_make_task_says_when_there_is_no_such_video(tmp_path):
    with pytest.raises(VideoOpenError, match=r"nowhere\.mp4"):
        make_task(str(tmp_path / "nowhere.mp4"), "?", answer="yes").source.duration_seconds  # noqa: B018


def test_make_task_keeps_the_subtitles_given_or_those_of_a_timeline():
    cues = Subtitles.from_json([{"start": 1.0, "end": 2.0, "text": "hello"}])
    assert make_task(VIDEO, "?", answer="x", subtitles=cues).subtitles.text(0, 3) == "hello"
    joined = ConcatSource([Part(VIDEO, subtitles=cues), Part(VIDEO, subtitles=cues)])
    for option in (None, "auto"):
        made = make_task(joined, "?", answer="x", subtitles=option)
        assert made.subtitles.text(101, 102) == "hello"
    assert not len(make_task(joined, "?", answer="x", subtitles=False).subtitles)
    assert not len(make_task(ConcatSource([Part(VIDEO)]), subtitles="auto").subtitles)


def test_make_task_leaves_no_file_open(tmp_path):
    path = write_film(tmp_path / "film.mp4")
    task = make_task(path, "When?", spans=[(1, 2)])
    assert not open_files(tmp_path), "the duration was asked for, which opens the file"
    assert task.source.frame_at(1.0).rgb.any() and open_files(tmp_path)
    with pytest.raises(ValueError, match="must lie in the video"):
        make_task(path, "When?", spans=[(1, 200)])
    task.source.close()
    mine = VideoReader(path)
    mine.frame_at(1.0)
    make_task(mine, "When?", spans=[(1, 2)])
    assert open_files(tmp_path), "a reader of the caller's stays as it is"


def test_a_task_set_comes_from_tasks_or_a_video_but_not_both():
    task = make_task(VIDEO, "?", answer="yes")
    made = make_task_set(tasks=task)
    assert (len(made), made[0], made.has_goal) == (1, task, False)
    fixed = FixedTasks(task, SEARCH)
    assert make_task_set(tasks=fixed) is fixed
    assert isinstance(fixed, TaskSet) and not fixed.has_goal
    assert FixedTasks(SEARCH).has_goal
    assert make_task_set(VIDEO, "?", answer="yes")[0].answer == "yes"
    with pytest.raises(ValueError, match="not both"):
        make_task_set(VIDEO, tasks=task)
    with pytest.raises(ValueError, match="give a video"):
        make_task_set(question="?")
    with pytest.raises(ValueError, match="at least one task"):
        FixedTasks()


def test_a_list_of_tasks_is_a_set_and_anything_else_is_refused(tmp_path):
    path = write_film(tmp_path / "film.mp4")
    tasks = [make_task(path, query, ["a", "b"], 0) for query in ("one?", "two?")]
    assert [task.query for task in make_task_set(tasks=tasks)] == ["one?", "two?"]
    for wrong in ("film.mp4", [1, 2], 3):
        with pytest.raises(TypeError, match="tasks must be a task, a list of tasks"):
            make_task_set(tasks=wrong)
