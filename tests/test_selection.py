"""Task sets of comparisons are made once, travel between processes, and know what made them."""

import os
import pickle

import numpy as np
import pytest

from eval.selection import FirstTasks, frame_search, story
from videoatlas_gym.tasks import FixedTasks
from videoatlas_gym.video import VideoReader
from videoatlas_gym.video.synthesis import numbered_frames, write_video

SHORT = {"duration_seconds": 60.0, "worlds": 2, "per_world": 2, "count": 4, "seed": 0}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder with thirty videos of three seconds."""
    folder = tmp_path_factory.mktemp("videos")
    for index in range(30):
        frames = numbered_frames(30, 96, 64, first_index=1000 * index)
        write_video(folder / f"{index:02}.mp4", frames, frames_per_second=10)
    return folder


class Counting(FixedTasks):
    """A set that remembers which tasks it was asked for."""

    def __init__(self, *tasks):
        super().__init__(*tasks)
        self.asked = []

    def __getitem__(self, index):
        self.asked.append(index)
        return super().__getitem__(index)


def test_building_tasks_leaves_few_files_open(videos):
    tasks = frame_search(videos=[videos], count=40, seed=0, max_truth_share=0.5).tasks
    before = open_count()
    tasks.build(range(40))
    assert len({tasks[index].source.path for index in range(40)}) > 15
    assert open_count() - before <= 3


def open_count():
    """Return how many files this process holds open."""
    return len(os.listdir("/proc/self/fd"))


def test_each_task_is_made_once_and_only_those_that_are_asked_for():
    whole = Counting(*(story(**SHORT).tasks[index] for index in range(4)))
    tasks = FirstTasks("four", whole, 4)
    tasks.build([2, 3])
    tasks.build([3, 2])
    assert whole.asked == [2, 3]
    assert tasks[0] is tasks[0] and whole.asked == [2, 3, 0]
    assert (tasks.name, len(tasks), tasks.has_goal) == ("four", 4, False)


def test_a_set_travels_with_the_tasks_that_are_made(videos):
    tasks = frame_search(videos=[videos], count=3, seed=1, max_truth_share=0.5).tasks
    tasks.build([0, 1])
    copy = pickle.loads(pickle.dumps(tasks))
    for index in range(3):
        one, other = tasks[index], copy[index]
        assert (one.task_id, one.truth, one.group) == (other.task_id, other.truth, other.group)
        assert np.array_equal(one.goal.rgb, other.goal.rgb)
        assert one.source.path == other.source.path


def test_a_story_set_is_the_first_questions_about_the_stories():
    selection = story(**SHORT | {"count": 3})
    tasks = [selection.tasks[index] for index in range(3)]
    assert len(selection.tasks) == 3 and selection.tasks.name == "story"
    assert [task.group for task in tasks] == ["test-0", "test-0", "test-1"]
    assert all(task.family in selection.config["families"] for task in tasks)
    copy = pickle.loads(pickle.dumps(selection.tasks))
    assert [copy[i].query for i in range(3)] == [task.query for task in tasks]


def test_what_a_story_is_made_of_is_told_and_matters():
    names = {"families": ("where",), "split": "train", "difficulty": "hard"}
    selection = story(**SHORT, **names)
    assert selection.config == {
        "name": "story",
        "duration_seconds": 60.0,
        "worlds": 2,
        "per_world": 2,
        "families": ["where"],
        "split": "train",
        "difficulty": "hard",
        "is_rendered": False,
    }
    assert {selection.tasks[index].family for index in range(2)} == {"where"}
    other = story(**SHORT | {"seed": 5}, **names)
    assert selection.tasks[0].source.fingerprint() != other.tasks[0].source.fingerprint()


def test_needles_are_tasks_with_a_goal():
    assert story(**SHORT, families=("needle_visible",)).tasks.has_goal
    assert not story(**SHORT).tasks.has_goal


def test_rendered_stories_are_files_and_keep_their_groups(tmp_path):
    short = SHORT | {"duration_seconds": 30.0, "worlds": 1, "count": 2}
    selection = story(**short, render_to=tmp_path)
    task = selection.tasks[0]
    assert isinstance(task.source, VideoReader) and task.source.path.parent == tmp_path
    assert task.group == "test-0"
    assert selection.config["is_rendered"]
    assert selection.notes == {"rendered": str(tmp_path)}
