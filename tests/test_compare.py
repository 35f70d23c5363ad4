"""Comparisons are fair: the same tasks, seeds and limits for all, and nothing lost or invented."""

import itertools

import pytest
from comparing import SMALL, Watcher, files_of, no_plots, play, write_videos

from eval.compare import compare
from eval.episodes import MAX_BATCH, batches, file_stem, rollout_seed
from eval.records import RunDirectoryError, read_config
from policies.baselines import Random
from policies.table import make_policy
from videoatlas_gym.tasks import FrameSearchTasks
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.video import ConcatSource, FrameDecodeError, VideoOpenError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three videos of eight seconds."""
    return write_videos(tmp_path_factory.mktemp("videos"))


def test_all_that_is_about_one_task_is_played_before_the_next(folder, tmp_path):
    one, other = Watcher("one"), Watcher("other")
    ways = {"budgets": ["none", "frames=8"], "seed": 3}
    _, records = play(tmp_path, one, other, videos=[folder], **ways)
    assert [r.key for r in records] == [
        ("frame-search", name, depth, budget, index)
        for index in range(4)
        for name in ("one", "other")
        for depth in (0, 1)
        for budget in ("none", "frames=8")
    ]


def test_every_policy_gets_the_same_tasks_and_seeds_everywhere(folder, tmp_path):
    one, other = Watcher("one"), Watcher("other")
    _, records = play(tmp_path, one, other, videos=[folder], seed=3)
    assert {(r.task_index, r.seed) for r in records} == {
        (i, rollout_seed(3, "frame-search", i)) for i in range(4)
    }
    assert [seen[1] for seen in one.seen] == [seen[1] for seen in other.seen]
    assert len({r.seed for r in records}) == len({tuple(map(tuple, r.truth)) for r in records}) == 4
    assert all(seen[3] is None for seen in one.seen), "nobody but the privileged sees the task"


def test_rollout_seeds_depend_on_seed_task_set_and_task():
    ways = itertools.product(range(10), ("story", "frame-search"), range(20))
    assert len({rollout_seed(*way) for way in ways}) == 400
    assert rollout_seed(0, "story", 0) == rollout_seed(0, "story", 0) < 2**32


def test_batches_are_about_one_task_and_bounded():
    keys = [("a", "p", depth, "none", index) for index in range(3) for depth in range(20)]
    assert [len(batch) for batch in batches(keys)] == [MAX_BATCH, 20 - MAX_BATCH] * 3
    assert list(itertools.chain(*batches(keys))) == keys
    assert all(len({key[-1] for key in batch}) == 1 for batch in batches(keys))


def test_tasks_are_built_once_and_not_for_a_finished_run(folder, tmp_path, monkeypatch):
    built, build = [], FrameSearchTasks.__getitem__
    monkeypatch.setattr(
        FrameSearchTasks, "__getitem__", lambda self, i: built.append(i) or build(self, i)
    )
    first, _ = play(tmp_path, videos=[folder])
    assert built == [0, 1, 2, 3]
    assert play(tmp_path, videos=[folder])[0] == first
    assert built == [0, 1, 2, 3]


def test_options_reach_the_environment(folder, tmp_path):
    policy = Watcher(env_options={"traversal": "bfs", "min_expand_seconds": 0.1})
    sizes = {"grid_size": 3, "tile_size": (24, 16)}
    _, records = play(tmp_path, policy, videos=[folder], depths=["auto"], **sizes)
    state = policy.seen[0][0]
    assert (state.rules.traversal, state.rules.min_expand_seconds) == ("bfs", 0.1)
    assert (state.num_cells, policy.sheets[0]) == (9, (3 * 16, 3 * 24, 3))
    assert (state.rules.max_depth, records[0].depth) == (1, "auto")


def test_policies_with_other_options_have_environments_of_their_own(folder, tmp_path):
    fine, coarse = (Watcher(f"p{s}", {"min_expand_seconds": s}) for s in (0.1, 5.0))
    play(tmp_path, fine, coarse, videos=[folder])
    assert {seen[0].rules.min_expand_seconds for seen in fine.seen} == {0.1}
    assert {seen[0].rules.min_expand_seconds for seen in coarse.seen} == {5.0}


def test_budgets_bound_each_episode_and_max_steps_bounds_all(folder, tmp_path):
    options = {"videos": [folder], "depths": [1]}
    budgets = ["none", "frames=6", "steps=2"]
    _, records = play(tmp_path / "a", make_policy("bfs"), **options, budgets=budgets)
    spent = {r.budget: (r.usage["frames"], r.usage["steps"]) for r in records}
    assert not any(r.budget_exceeded for r in records)  # a search stops before
    assert spent["frames=6"][0] <= 6 < spent["none"][0]
    _, wild = play(tmp_path / "c", Random(), **options, budgets=["frames=6"])
    assert "frames" in {r.budget_exceeded for r in wild}
    assert spent["steps=2"][1] == 2 < spent["none"][1]
    assert all(r.score is not None for r in records)
    _, records = play(tmp_path / "b", Random(), **options, max_steps=1, budgets=["none", "steps=9"])
    assert {r.usage["steps"] for r in records} == {1}
    assert "max_steps" in {r.budget_exceeded for r in records}


def test_specs_become_policies_with_their_scorer_and_reader(folder, tmp_path):
    specs = ("beam:2@picture", "best-first")
    options = {"videos": [folder], "episodes": 1, "depths": [0]}
    _, records = play(tmp_path / "a", *specs, **options, reader="truth")
    assert [r.policy for r in records] == list(specs)
    assert all(r.reads_truth and not r.is_privileged for r in records)
    _, records = play(tmp_path / "b", "best-first", "oracle", **options)
    assert [(r.reads_truth, r.is_privileged) for r in records] == [(False, False), (False, True)]
    config = read_config(tmp_path / "a")["config"]
    assert (config["reader"], config["scorer"]) == ("truth", "combined")


def test_trajectories_lie_beside_the_records_under_names_that_any_system_takes(folder, tmp_path):
    _, records = play(tmp_path, "beam:2@picture", "random", videos=[folder], budgets=["frames=8"])
    for record in records:
        assert record.trajectory == f"trajectories/{file_stem(record.key)}.jsonl"
        trajectory = Trajectory.load(tmp_path / record.trajectory)
        assert (trajectory.task_index, trajectory.seed) == (record.task_index, record.seed)
        assert len(trajectory.actions) == sum(record.actions.values())
    assert len(files_of(tmp_path)) == len(records)
    name = "frame-search_beam-2-picture_depth-0_frames=8_task-00000.jsonl"
    assert name in files_of(tmp_path)


def test_files_are_groups_unless_patterns_join_them(folder, tmp_path):
    options = {"videos": [folder], "depths": [0], "episodes": 12}
    _, records = play(tmp_path / "a", Watcher(), **options)
    assert {r.group for r in records} == {f"match {i}.mp4" for i in range(3)}
    _, records = play(tmp_path / "b", Watcher(), **options, groups=["*[01].mp4"])
    assert {r.group for r in records} == {"*[01].mp4", "match 2.mp4"}


def test_joined_videos_are_one_timeline_that_keeps_groups(folder, tmp_path):
    class Knowing(Watcher):
        is_privileged = True

    policy, options = Knowing(), {"depths": [0], "episodes": 12, "groups": ["*[01].mp4"]}
    _, records = play(tmp_path, policy, videos=[folder], **options, join_seconds=60.0)
    source = policy.seen[0][3].source
    assert isinstance(source, ConcatSource) and source.duration_seconds >= 60
    assert all(seen[3].source is source for seen in policy.seen)
    assert {r.group for r in records} == {"*[01].mp4", "match 2.mp4"}


def test_results_do_not_depend_on_where_files_lie(folder, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in folder.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    first, records = play(tmp_path / "run", videos=[folder], depths=[0])
    assert play(tmp_path / "run", videos=[moved], depths=[0]) == (first, records)
    (moved / "match 1.mp4").unlink()
    with pytest.raises(RunDirectoryError, match="different: task_sets"):
        play(tmp_path / "run", videos=[moved], depths=[0])


def test_a_policy_that_raises_loses_its_episode_and_the_run_goes_on(folder, tmp_path, capsys):
    failing = Watcher("failing", fails_with={2: KeyError("x"), 3: FrameDecodeError("no frame")})
    options = {"videos": [folder], "depths": [0], "sheets": 4}
    text, records = play(tmp_path, failing, Watcher("fine"), **options)
    assert [(r.score is None, r.error, r.infra_error) for r in records[::2]] == [
        (False, "", ""),
        (True, "KeyError: 'x'", ""),
        (True, "", "FrameDecodeError: no frame"),
        (False, "", ""),
    ]
    assert all(r.score is not None and not r.error for r in records[1::2])
    assert [bool(r.trajectory) for r in records[::2]] == [True, False, True, True]
    assert [bool(r.sheet) for r in records[::2]] == [True, False, False, True]
    assert records[2].usage["frames"] == 4
    said = "failing, depth 0, frame-search task 1 raised KeyError: 'x'"
    assert said in capsys.readouterr().err


def test_an_interrupted_run_resumes_to_the_same_records(folder, tmp_path):
    options = {"videos": [folder]}
    text, whole = play(tmp_path / "whole", Watcher("a"), Watcher("b"), **options)
    interrupted = Watcher("a", fails_with={3: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path / "run", interrupted, Watcher("b"), **options)
    assert (tmp_path / "run" / "records.jsonl").read_bytes().count(b"\n") == 4
    assert not (tmp_path / "run" / "report.md").exists()
    resumed_text, resumed = play(tmp_path / "run", Watcher("a"), Watcher("b"), **options)
    assert [r.lasting() for r in resumed] == [r.lasting() for r in whole]
    assert (tmp_path / "run" / "report.md").read_text() == resumed_text
    assert text.splitlines()[0] == resumed_text.splitlines()[0]


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(VideoOpenError, match="a.mp4"):
        play(tmp_path / "run", Watcher(), videos=[tmp_path])
    assert not (tmp_path / "run").exists()


def test_policies_whose_names_or_files_are_the_same_are_refused(folder, tmp_path):
    for names in (("a", "a"), ("beam:2", "beam-2"), ("../up",), ("a b",)):
        with pytest.raises(ValueError, match="policy names must differ and be made of"):
            play(tmp_path / "run", *map(Watcher, names), videos=[folder])


def test_files_of_one_name_are_told_apart_and_a_file_given_twice_is_one(folder, tmp_path):
    twin = tmp_path / "match 0.mp4"
    twin.write_bytes((folder / "match 1.mp4").read_bytes())
    videos = [folder / "match 0.mp4", folder, twin]
    with no_plots:
        compare(policies=[Watcher()], videos=videos, out=tmp_path / "run", episodes=1, **SMALL)
    (task_set,) = read_config(tmp_path / "run")["config"]["task_sets"]
    names = [video["name"] for video in task_set["videos"]]
    assert names == ["match 0.mp4", "match 1.mp4", "match 2.mp4", "match 0.mp4#2"]
