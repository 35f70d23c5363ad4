"""Who uses previews: privileged policies claim no more than was shown; sheets and runs say so."""

import json

import numpy as np
import pytest
from comparing import SMALL, SMALL_FLAGS, no_plots, write_videos
from helpers import encode
from worlds import TILE, KeyedSource, choice, small_env

from eval.compare import compare, main
from eval.records import read_config
from policies.baselines import Oracle
from policies.reading import ScoreReader, TruthReader
from policies.rollout import LOOKED_BINS, rollout
from policies.traversal import BreadthFirst, Exhaustive
from videoatlas_gym.cli import main as videoatlas
from videoatlas_gym.sheet import sheet
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import MultipleChoice
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.video import VideoReader
from videoatlas_gym.video.preview import shown_for

SECONDS = 256.0
MIDDLE, KEY = Span(31.0, 33.0), Span(29.0, 31.0)
"""Truths that only the middle of the first root cell shows, or only its key frame at 30 s."""
PRIVILEGED = {
    "oracle": Oracle,
    "truth reader": lambda: BreadthFirst(reader=TruthReader()),
    "exhaustive truth reader": lambda: Exhaustive(reader=TruthReader()),
}


def played(policy, truth, **options):
    """Play a question that needs a moment of a span of 256 s with key frames each 10 s."""
    source = KeyedSource(SECONDS)
    task = MultipleChoice(
        source, "?", options=("a", "b", "c"), answer=1, truth=(truth,), needs=(truth,)
    )
    env = small_env(task, max_steps=2000, dead_zones="never", **options)
    return rollout(env, policy, seed=0)


@pytest.mark.parametrize("name", PRIVILEGED)
def test_who_knows_the_truth_keeps_only_moments_that_were_shown(name):
    options = {"representative": "keyframe"}
    at_root = played(PRIVILEGED[name](), KEY, max_depth=0, **options)
    assert at_root.score == 1.0
    assert [item["seconds"] for item in at_root.evidence] == [30.0]
    deep = played(PRIVILEGED[name](), MIDDLE, max_depth=3, **options)
    assert deep.score == 1.0 and deep.deepest > 0
    assert all(item["seconds"] in MIDDLE for item in deep.evidence)
    assert [item["seconds"] for item in played(PRIVILEGED[name](), MIDDLE).evidence] == [32.0]


@pytest.mark.parametrize("name", PRIVILEGED)
def test_the_truth_is_not_known_from_a_cell_whose_key_frame_does_not_show_it(name):
    shown = played(PRIVILEGED[name](), MIDDLE, max_depth=0, representative="keyframe")
    assert shown.evidence == []


def test_the_score_reader_keeps_the_frames_that_were_shown():
    def favourite(observation, info):
        return np.array([0.1, 0.2, 0.9, 0.3])

    policy = BreadthFirst(favourite, ScoreReader())
    episode = played(policy, KEY, max_depth=0, representative="keyframe")
    assert {item["seconds"] for item in episode.evidence} <= {30.0, 100.0, 160.0, 220.0}
    for item in episode.evidence:
        assert item["seconds"] == item["frame_seconds"]


def test_what_was_looked_at_is_told_by_the_moments_that_were_shown():
    episode = played(BreadthFirst(), KEY, max_depth=0, representative="keyframe")
    bins = [int(seconds * LOOKED_BINS / SECONDS) for seconds in (30.0, 100.0, 160.0, 220.0)]
    assert [i for i, count in enumerate(episode.looked) if count] == bins
    assert episode.trajectory.representative == "keyframe"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """4.8 s, a key frame each 0.96 s."""
    return encode(tmp_path_factory.mktemp("film") / "a.mp4", group_of_pictures=24)


def drawn(path, target, *flags):
    return videoatlas(["sheet", str(path), "--grid-size", "2", *flags, "-o", str(target)])


def test_a_sheet_of_key_frames_shows_them_and_says_so(film, tmp_path, capsys):
    size = {"grid_size": 2, "tile_size": TILE, "labels": False}
    picture = sheet(film, representative="keyframe", **size)
    with VideoReader(film) as reader:
        tiles = reader.tiles_at([0.96, 1.92, 2.88, 3.84], *TILE)
    rows = picture.reshape(2, TILE[1], 2, TILE[0], 3).swapaxes(1, 2).reshape(tiles.shape)
    assert np.array_equal(rows, tiles)
    assert not np.array_equal(picture, sheet(film, **size))
    assert drawn(film, tmp_path / "a.png", "--representative", "keyframe") == 0
    said = capsys.readouterr().out
    assert "A preview: 4 of 4 cells show a key frame" in said
    assert drawn(film, tmp_path / "b.png") == 0
    assert "preview" not in capsys.readouterr().out


def test_times_on_a_sheet_of_key_frames_are_the_frames_own(film, monkeypatch):
    from videoatlas_gym import render

    burnt = []
    real = render.scratchpad_sheet

    def note(tiles, captions, **options):
        burnt.append([heading for heading, _ in captions])
        return real(tiles, captions, **options)

    monkeypatch.setattr(render, "scratchpad_sheet", note)
    for representative in ("keyframe", "midpoint"):
        sheet(film, grid_size=2, times=True, representative=representative)
    assert burnt[0] == ["0 at 00:01.0", "1 at 00:01.9", "2 at 00:02.9", "3 at 00:03.8"]
    assert burnt[1] == ["0 at 00:00.6", "1 at 00:01.8", "2 at 00:03.0", "3 at 00:04.2"]


def test_an_unknown_kind_of_frame_is_a_sentence_everywhere(film, tmp_path, capsys):
    sentence = "unknown representative 'keyframes'. Did you mean 'keyframe'?"
    with pytest.raises(ValueError, match="Did you mean 'keyframe'"):
        sheet(film, representative="keyframes")
    with VideoReader(film) as reader, pytest.raises(ValueError, match="Did you mean 'keyframe'"):
        shown_for(reader, [1.0], [Span(0.0, 2.0)], representative="keyframes")
    assert drawn(film, tmp_path / "a.png", "--representative", "keyframes") == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "a.png").exists()
    flags = ["--videos", str(film), "--representative", "keyframes", "--out", str(tmp_path / "r")]
    assert main(flags) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_a_comparison_on_previews_is_another_one_and_says_so(tmp_path):
    videos = write_videos(tmp_path, count=1)
    for name, flags in (("plain", []), ("preview", ["--representative", "keyframe"])):
        arguments = ["--videos", str(videos / "match 0.mp4"), "--policies", "uniform"]
        arguments += ["--depths", "0", "--episodes", "1", *SMALL_FLAGS, *flags]
        with no_plots:
            assert main([*arguments, "--out", str(tmp_path / name)]) == 0
    plain, preview = (read_config(tmp_path / name) for name in ("plain", "preview"))
    assert preview["config"] == plain["config"] | {"representative": "keyframe"}
    assert preview["config_hash"] != plain["config_hash"]
    assert "| representative | keyframe |" in (tmp_path / "preview" / "report.md").read_text()
    assert "representative" not in (tmp_path / "plain" / "report.md").read_text()
    (path,) = (tmp_path / "preview" / "trajectories").iterdir()
    assert Trajectory.load(path).representative == "keyframe"
    record = json.loads((tmp_path / "preview" / "records.jsonl").read_text())
    assert record["sheet"] and (tmp_path / "preview" / record["sheet"]).is_file()


def test_a_run_of_one_mode_is_not_resumed_in_the_other(tmp_path):
    videos = [write_videos(tmp_path, count=1) / "match 0.mp4"]
    options = {"policies": ["uniform"], "depths": [0], "episodes": 1, "videos": videos, **SMALL}
    with no_plots:
        compare(out=tmp_path / "run", **options)
        with pytest.raises(ValueError, match="representative"):
            compare(out=tmp_path / "run", representative="keyframe", **options)


def test_a_question_about_a_preview_has_the_same_answer_in_an_equal_environment():
    env = small_env(choice(KeyedSource()), representative="keyframe")
    first, second = (rollout(env, Oracle(), seed=3) for _ in range(2))
    assert first.trajectory == second.trajectory and first.evidence == second.evidence
