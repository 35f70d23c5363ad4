"""Sets of stories: families take turns, splits share no world, and mistakes become sentences."""

import pickle
import sys
import time
from collections import Counter
from itertools import product

import av
import numpy as np
import pytest

from videoatlas_gym.story import (
    DIFFICULTIES,
    PICTURE_FAMILIES,
    QUESTION_FAMILIES,
    SPLITS,
    StorySource,
    StoryTasks,
)
from videoatlas_gym.tasks import FrameSearch, MultipleChoice, TaskSet, TemporalGrounding
from videoatlas_gym.video import VideoReader


def facts(task):
    return (task.task_id, task.query, task.options, task.answer, task.truth, task.subtitles)


def test_tasks_are_named_by_world_family_and_place():
    tasks = StoryTasks(3600, 2, 16, split="test")
    assert isinstance(tasks, TaskSet) and not tasks.has_goal and len(tasks) == 32
    assert [task.group for task in map(tasks.__getitem__, (0, 15, 16, 31))] == [
        *("test-0", "test-0"),
        *("test-1", "test-1"),
    ]
    task = tasks[16]
    assert (task.task_id, task.family) == ("test-1/detail-00", "detail")
    assert len({tasks[i].task_id for i in range(32)}) == 32
    kinds = {tasks[i].family: type(tasks[i]) for i in range(8)}
    assert kinds.pop("grounding") is TemporalGrounding
    assert set(kinds.values()) == {MultipleChoice}


def test_families_take_turns_so_that_worlds_have_them_in_equal_shares():
    for per_world in (20, 3):
        tasks = StoryTasks(3600, 8, per_world)
        counts = Counter(tasks[i].family for i in range(8 * per_world))
        assert set(counts) == set(QUESTION_FAMILIES)
        # Where a world has too few different numbers to count, the next family takes the turn.
        assert counts["count"] <= counts["duration"]
        both = counts.pop("count") + counts.pop("duration")
        assert abs(both / 2 - np.mean(list(counts.values()))) <= 1
        assert max(counts.values()) - min(counts.values()) <= 1 + per_world // 20


def test_what_a_world_lacks_is_replaced_by_the_next_family():
    tasks = StoryTasks(30, 3, 8)
    families = [tasks[i].family for i in range(24)]
    assert "summary" not in families and families[6] == "grounding"
    with pytest.raises(ValueError, match=r"train-0 has nothing to ask about for summary. Make it"):
        StoryTasks(30, families=("summary",))[0]


@pytest.mark.parametrize("duration", [600, 3600, 36000])
def test_no_question_is_asked_twice_about_a_world(duration):
    tasks = StoryTasks(duration, 3, 20)
    assert len({(tasks[i].group, tasks[i].query) for i in range(60)}) == 60


def test_the_same_set_gives_the_same_tasks_in_any_order():
    one, other = StoryTasks(1800, 3, 10, seed=4), StoryTasks(1800, 3, 10, seed=4)
    backwards = {i: facts(other[i]) for i in reversed(range(30))}
    assert all(facts(one[i]) == backwards[i] for i in range(30))
    assert facts(StoryTasks(1800, None, 10, seed=4)[17]) == facts(one[17])


def test_splits_and_seeds_share_no_world():
    sets = [StoryTasks(600, split=split, seed=seed) for split, seed in product(SPLITS, range(3))]
    last = [0, 1, 999, sys.maxsize - 1]
    numbers = [tasks.world(index).number for tasks in sets for index in last]
    assert len(set(numbers)) == len(numbers) == 36
    for tasks in sets:
        assert {tasks.world(i).number % 3 for i in last} == {SPLITS.index(tasks.split)}
    prints = {StorySource(tasks.world(i)).fingerprint() for tasks in sets for i in range(4)}
    assert len(prints) == 36
    assert len({tasks[0].group for tasks in sets}) == len({tasks.name for tasks in sets}) == 9
    plans = {tuple(event.stretch for event in tasks.world(0).events) for tasks in sets}
    assert len(plans) == 9


def test_an_endless_set_has_a_last_task_too():
    tasks = StoryTasks(60, None, 5)
    assert len(tasks) == sys.maxsize
    assert tasks[sys.maxsize - 1].truth
    needles = StoryTasks(60, None, families=PICTURE_FAMILIES)
    assert needles[sys.maxsize - 1].family in PICTURE_FAMILIES
    with pytest.raises(IndexError, match="not in the set"):
        tasks[-1]
    with pytest.raises(IndexError, match="it has 50 tasks"):
        StoryTasks(60, 10, 5)[50]


def test_tasks_of_a_world_share_its_source_and_many_worlds_keep_little():
    tasks = StoryTasks(60, 40, 2)
    assert tasks[0].source is tasks[1].source and tasks[0].subtitles is tasks[1].subtitles
    assert tasks[2].source is not tasks[0].source
    first = tasks[0].source
    for index in range(80):
        tasks[index]
    assert tasks[0].source is not first
    assert tasks[0].source.fingerprint() == first.fingerprint()


def test_a_set_pickles_by_what_made_it():
    tasks = StoryTasks(36000, 2, 10, difficulty={"told": 0.1})
    before = facts(tasks[13])
    text = pickle.dumps(tasks)
    assert len(text) < 2000
    assert facts(pickle.loads(text)[13]) == before
    assert len(pickle.dumps(tasks[13].source)) < 1000


def test_a_world_costs_milliseconds():
    tasks = StoryTasks(3600, 10, 20)
    began = time.process_time()
    for index in range(0, 200, 20):
        tasks[index]
    assert (time.process_time() - began) / 10 < 0.1
    assert tasks[0].source.frames_decoded == 0


def test_needles_have_a_world_of_their_own_and_a_goal():
    tasks = StoryTasks(600, 3, 4, PICTURE_FAMILIES, needle_seconds=1.5)
    assert tasks.has_goal and len(tasks) == 12
    for index in range(12):
        task = tasks[index]
        assert isinstance(task, FrameSearch) and task.group == f"train-{index}"
        assert task.family == PICTURE_FAMILIES[index % 2]
        [needle] = task.source.world.needles
        assert needle.kind == task.family.removeprefix("needle_")
        [span] = task.truth
        assert span.duration_seconds == pytest.approx(1.5)
        assert np.array_equal(task.source.frame_at(span.midpoint_seconds).rgb, task.goal.rgb)
    assert len({tasks[index].source.fingerprint() for index in range(12)}) == 12


def test_difficulty_and_rate_reach_the_worlds():
    for name, level in DIFFICULTIES.items():
        assert StoryTasks(600, difficulty=name).world(0).difficulty == level
    tasks = StoryTasks(600, difficulty={"told": 0.0}, frames_per_second=4)
    world = tasks.world(0)
    assert world.frames_per_second == 4 and not any(event.told for event in world.events)
    names = {StoryTasks(600, difficulty={"told": told}).name for told in (0.0, 0.1, 0.5)}
    assert len(names) == 3 and StoryTasks(600).name in names


def test_a_rendered_world_is_encoded_once_and_played_from_its_file(tmp_path, capsys):
    folder = tmp_path / "made" / "here"
    arguments = {"worlds": 2, "per_world": 4, "frames_per_second": 2, "render_to": folder}
    tasks = StoryTasks(30, **arguments)
    task, drawn = tasks[0], StoryTasks(30, **(arguments | {"render_to": None}))[0]
    assert facts(task) == facts(drawn)
    assert isinstance(task.source, VideoReader)
    [path] = folder.iterdir()
    assert path.name == f"story-{drawn.source.fingerprint()}.mp4"
    assert "encoding train-0" in capsys.readouterr().err
    made = path.stat().st_mtime_ns
    again = StoryTasks(30, **arguments)
    assert again[3].source.duration_seconds == 30 and path.stat().st_mtime_ns == made
    assert capsys.readouterr().err == ""
    moments = np.arange(0.25, 30, 2.5).tolist()
    for ours, file in zip(
        drawn.source.frames_at(moments), task.source.frames_at(moments), strict=True
    ):
        assert ours.seconds == file.seconds
        assert np.abs(ours.rgb.astype(int) - file.rgb).mean() < 8
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 60
    again[4]
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"families": ("detial",)}, "unknown family 'detial'. Did you mean 'detail'"),
        ({"families": ()}, "families must not be empty"),
        ({"families": ("detail", "needle_hidden")}, "one set cannot hold both"),
        ({"split": "tset"}, "unknown split 'tset'. Did you mean 'test'"),
        ({"worlds": 0}, "worlds must be a whole number from 1 to \\d+, got 0"),
        ({"worlds": 1.5}, "worlds must be a whole number"),
        ({"per_world": 0}, "per_world must be a whole number from 1 to"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"worlds": 1 << 62, "per_world": 20}, "worlds must be a whole number from 1 to"),
        ({"families": None}, "families must be names of detail, order"),
        ({"duration_seconds": "1h"}, "duration_seconds must be a finite number, got '1h'"),
        ({"render_to": __file__}, "render_to must be a folder, got the file"),
        ({"difficulty": "heard"}, "unknown difficulty 'heard'"),
        ({"difficulty": {"event_seconds": (0.0, 1.0)}}, "event_seconds must ascend"),
        ({"difficulty": {"told": 2}}, "told is a share"),
        ({"duration_seconds": 5}, "a story lasts 30 s"),
        ({"frames_per_second": 0}, "frames_per_second must be a whole number"),
        ({"families": "needle_hidden", "needle_seconds": 3600}, "no room for a hidden needle"),
        ({"families": PICTURE_FAMILIES, "needle_seconds": -1}, "needle_seconds must be positive"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_at_once(arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        StoryTasks(**arguments)
    assert len(str(raised.value)) < 300


def test_sets_that_differ_have_different_names():
    sizes = ({}, {"frames_per_second": 5}, {"seed": 1}, {"difficulty": "hard"})
    needles = ({"families": "needle_hidden", "needle_seconds": s} for s in (1, 2))
    names = [StoryTasks(600, 2, **size).name for size in (*sizes, *needles)]
    assert len(set(names)) == len(names)
