"""`videoatlas throughput`: what it measures, prints and writes, and which mistakes it names."""

import json
import os

import numpy as np
import pytest
from helpers import encode

from eval.throughput import WALK, _vector, _walk, main, throughput
from videoatlas_gym.actions import decode
from videoatlas_gym.arguments import num_cores
from videoatlas_gym.video import TileCache

SMALL = {"grid_size": 2, "tile_size": (32, 18), "seconds": 0.2}
FLAGS = ("--grid-size", "2", "--tile-size", "32x18", "--seconds", "0.1")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("throughput") / "a.mp4", count=120)


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_the_warm_walk_is_the_cold_one_again_without_a_cache_miss(video, vectorization):
    results = list(throughput([video], envs=(2,), vectorization=vectorization, **SMALL))
    names = [(result.vectorization, result.num_envs, result.tiles) for result in results]
    assert names == [
        *(("none", 1, "cold"), ("none", 1, "warm")),
        *((vectorization, 2, "cold"), (vectorization, 2, "warm")),
    ]
    for cold, warm in (results[:2], results[2:]):
        assert cold.misses > 0 and warm.misses == 0
        assert cold.seconds >= 0.2
        assert 0 < warm.steps <= cold.steps and cold.steps % cold.num_envs == 0
        assert 0 < warm.sheets < warm.steps
        assert warm.steps < cold.steps or warm.sheets == cold.sheets


def test_figures_follow_from_what_was_counted(video):
    for result in throughput([video], envs=(1,), **SMALL):
        data = result.to_json()
        assert result.steps_per_second == result.steps / result.seconds
        assert np.isclose(data["step_us"], 1e6 * result.seconds / result.steps, atol=0.1)
        assert np.isclose(data["beyond_sheet_us"], data["step_us"] - result.sheet_us, atol=0.1)
        assert data["sheets_per_second"] <= data["steps_per_second"]


def test_the_command_prints_a_table_and_writes_markdown_and_json(video, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert main([str(video), "--envs", "1,3", *FLAGS, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert [row.split(" | ")[:3] for row in rows[2:]] == [
        ["| sync", count, tiles] for count in "13" for tiles in ("cold", "warm")
    ]
    written = (out / "throughput.md").read_text()
    assert written.startswith("# Throughput\n") and all(row in written for row in rows)
    data = json.loads((out / "throughput.json").read_text())
    assert data["schema_version"] == 1 and data["cores"] >= 1 and "numpy" in data["versions"]
    assert data["arguments"]["envs"] == [1, 3] and data["arguments"]["videos"] == ["a.mp4"]
    assert [result["num_envs"] for result in data["results"]] == [1, 1, 1, 1, 3, 3]
    assert all(result["steps"] > 0 for result in data["results"])


def test_stories_need_no_file(capsys):
    assert main(["--story", "--envs", "1", *FLAGS]) == 0
    assert "| sync | 1 | warm |" in capsys.readouterr().out


def test_every_action_of_the_walk_is_taken(video):
    options = {"video": str(video), "grid_size": 2, "tile_size": (32, 18), "max_steps": 10**6}
    vector = _vector("VideoAtlas-v0", "sync", 2, options | {"cache": TileCache()})
    walk = []
    _walk(vector, walk, 0.5, 4, is_new=True)
    vector.close()
    verbs = {decode(int(code), 4).verb for actions in walk for code in actions}
    assert set(WALK) <= verbs


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give either videos or --story, and not both."),
        (("a.mp4", "--story"), "give either videos or --story, and not both."),
        (("nowhere.mp4",), "no video found at "),
        (("--story", "--envs", "0"), "envs must be a whole number from 1 to 256, got 0."),
        (("--story", "--envs", "two"), "--envs takes numbers of environments such as 1,2,8"),
        (("--story", "--envs", ""), "--envs takes numbers of environments such as 1,2,8"),
        (("--story", "--seconds", "0"), "seconds must be more than 0 and at most 3600, got 0.0."),
        (("--story", "--grid-size", "1"), "grid_size must be "),
        (("--story", "--tile-size", "9"), "a tile size is WIDTHxHEIGHT"),
        (("--story", "--vectorization", "asynch"), "Did you mean 'async'?"),
        (("--story", "--out", __file__), "it is a file. Name a folder."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(capsys, arguments, sentence):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert sentence in output.err and len(output.err.splitlines()) == 1 and not output.out


@pytest.mark.slow
def test_two_processes_make_more_steps_than_one(video):
    """Drawing dominates on a cold cache, and that is what processes share."""
    if os.getloadavg()[0] > 0.75 * num_cores():
        pytest.skip("the cores are busy: what two processes gain cannot be measured")
    rates = {}
    for result in throughput((), story=True, envs=(1, 2), seconds=8.0, vectorization="async"):
        rates[result.vectorization, result.num_envs, result.tiles] = result.steps_per_second
    assert rates["async", 2, "cold"] > 1.2 * rates["async", 1, "cold"]
