"""How cost grows with the length of video: what is searched for, and how."""

import json

import numpy as np
import pytest

import eval.scaling
from eval.executors import EXECUTORS
from eval.fits import fit_duration
from eval.records import read_records
from eval.scaling import (
    DEFAULT_POLICIES,
    Search,
    main,
    parse_durations,
    scaling,
)
from eval.scaling_curves import curves, minimal_expands
from eval.scaling_report import write_scaling_report
from policies.rollout import Episode

LENGTHS = [60.0, 240.0, 960.0]
SMALL = ["--durations", "1m,4m,16m", "--policies", "bfs,oracle"]


@pytest.mark.parametrize("flag", [("--policies", ","), ("--needles", ","), ("--grid-sizes", ",")])
def test_the_command_goes_on_after_a_list_of_nothing_is_corrected(tmp_path, nothing_played, flag):
    out = tmp_path / "run"
    assert main([*SMALL, "--out", str(out), *flag]) == 2
    assert not out.exists()
    assert main([*SMALL, "--out", str(out)]) == 0


@pytest.fixture
def nothing_played(monkeypatch):
    """Let every search be left out, so that only what was to be searched is written."""
    monkeypatch.setattr(eval.scaling, "_play", nothing)
    monkeypatch.setattr(eval.scaling, "write_scaling_report", lambda path: "")


def nothing(item, *, config_hash):
    return []


@pytest.fixture
def nothing_drawn(monkeypatch):
    """Let searches find at once, without a picture; return what each environment was made with."""
    made = []

    def rollout(env, policy, *, seed, task):
        made.append(env.spec.kwargs | {"policy": policy.name, "seed": seed, "index": task})
        return Episode(score=1.0)

    monkeypatch.setattr(eval.scaling, "rollout", rollout)
    monkeypatch.setattr(eval.scaling, "write_scaling_report", lambda path: "")
    return made


def searched(tmp_path, *flags):
    """Run the command; return the searches of its configuration."""
    assert main([*SMALL, "--out", str(tmp_path), *flags]) == 0
    return json.loads((tmp_path / "config.json").read_text())["config"]["searches"]


def test_searches_are_of_each_length_kind_and_grid_in_worlds_of_their_own(tmp_path, nothing_played):
    searches = searched(tmp_path)
    groups = {}
    for search in searches:
        group = search["duration_seconds"], search["needle"], search["grid_size"]
        groups.setdefault(group, []).append(search)
    assert {group: len(found) for group, found in groups.items()} == {
        (length, kind, grid): 16
        for length in LENGTHS
        for kind in ("visible", "hidden")
        for grid in (2, 8)
    }
    assert all([s["index"] for s in found] == [*range(len(found))] for found in groups.values())
    assert len({search["number"] for search in searches}) == len(searches) == 192


def test_needles_lengths_are_even_in_their_logarithm_over_a_factor_of_k_squared(
    tmp_path, nothing_played
):
    flags = "--grid-sizes 4 --visible 4 --visible-seconds 2 --hidden 2 --hidden-seconds 2"
    searches = searched(tmp_path, *flags.split())
    lengths = {
        (kind, length): [
            search["needle_seconds"]
            for search in searches
            if (search["needle"], search["duration_seconds"]) == (kind, length)
        ]
        for kind in ("visible", "hidden")
        for length in LENGTHS
    }
    assert lengths["visible", 960] == [2.8, 5.7, 11.3, 22.6]
    assert lengths["hidden", 960] == [4, 16]
    assert lengths["visible", 60] == [2.8, 5.7, 11.3, 15]  # at most a quarter of the video


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["--needles", "hidden"], {"needle": {"hidden"}}),
        (["--needles", "visible"], {"needle": {"visible"}}),
        (["--grid-sizes", "16"], {"grid_size": {16}}),
        (["--needles", "hidden", "--grid-sizes", "3"], {"grid_size": {3}}),
        (["--needles", "visible", "--visible", "3"], {"index": {0, 1, 2}}),
        (["--needles", "hidden", "--hidden", "1"], {"index": {0}, "needle_seconds": {15, 16}}),
        (["--durations", "30s..2m:3"], {"duration_seconds": {30, 60, 120}}),
        (
            ["--visible-seconds", "0.3", "--visible", "1", "--needles", "visible"],
            {"needle_seconds": {0.6, 2.4}},
        ),
        (
            ["--hidden-seconds", "1", "--hidden", "1", "--needles", "hidden"],
            {"needle_seconds": {2, 8}},
        ),
    ],
)
def test_every_flag_changes_what_is_searched(tmp_path, nothing_played, flags, found):
    searches = searched(tmp_path, *flags)
    assert {name: {search[name] for search in searches} for name in found} == found


def test_other_seeds_give_other_worlds_and_equal_ones_the_same(tmp_path, nothing_played):
    first, second, again = (
        {search["number"] for search in searched(tmp_path / name, "--seed", seed)}
        for name, seed in (("first", "0"), ("second", "7"), ("again", "0"))
    )
    assert first == again and not first & second


def test_environments_are_made_as_the_search_and_the_configuration_say(tmp_path, nothing_drawn):
    searches = searched(tmp_path, "--visible", "1", "--hidden", "2")
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    assert config["tile_size"] == [64, 36] and config["policies"] == ["bfs", "oracle"]
    expected = [
        (policy, search["number"], search["grid_size"], search["needle_seconds"])
        for search in searches
        for policy in (("oracle",) if search["needle"] == "visible" else ("bfs", "oracle"))
    ]
    assert expected == [
        (made["policy"], made["seed"], made["grid_size"], made["min_expand_seconds"])
        for made in nothing_drawn
    ]
    own = [made for made in nothing_drawn if made["policy"] == "oracle"]
    for search, made in zip(searches, own, strict=True):
        assert made["tile_size"] == (64, 36) and made["max_steps"] >= 10**9
        (task,) = made["tasks"]
        world = task.source.world
        assert (world.number, world.needle_kinds) == (search["number"], (search["needle"],))
        assert world.needle_seconds == search["needle_seconds"]
        assert task.truth[0].duration_seconds == pytest.approx(search["needle_seconds"])


def test_a_policy_named_twice_searches_once_and_all_of_the_default_ones_do(tmp_path, nothing_drawn):
    for policies in (["bfs", "bfs", "oracle"], DEFAULT_POLICIES):
        nothing_drawn.clear()
        out = tmp_path / str(len(policies))
        scaling(out=out, durations=LENGTHS, policies=policies, num_visible=1, num_hidden=1)
        assert {made["policy"] for made in nothing_drawn} == set(policies)
        guided = set(policies) - {"bfs", "exhaustive"}
        assert len(nothing_drawn) == 3 * 2 * (len(set(policies)) + len(guided))


def test_who_goes_by_what_it_sees_looks_for_visible_needles_too(tmp_path, nothing_drawn):
    everyone = "random,uniform,hoarder,bfs,dfs,adaptive,best-first,beam:2,exhaustive,oracle"
    flags = ["--visible", "1", "--hidden", "1", "--grid-sizes", "2"]
    assert main([*SMALL, "--out", str(tmp_path), "--policies", everyone, *flags]) == 0
    by_kind = {"visible": set(), "hidden": set()}
    for made in nothing_drawn:
        by_kind[made["tasks"][0].family.removeprefix("needle_")].add(made["policy"])
    assert by_kind["hidden"] == set(everyone.split(","))
    assert by_kind["visible"] == {"dfs", "adaptive", "best-first", "beam:2", "oracle"}


def test_of_many_lengths_every_second_has_hidden_needles_and_the_longest(tmp_path, nothing_played):
    few = ["--visible", "1", "--hidden", "1", "--grid-sizes", "2"]
    for count, hidden in ((8, [*range(8)]), (9, [0, 2, 4, 6, 8]), (16, [*range(1, 16, 2)])):
        searches = searched(tmp_path / str(count), "--durations", f"1m..10h:{count}", *few)
        lengths = sorted({search["duration_seconds"] for search in searches})
        own = {s["duration_seconds"] for s in searches if s["needle"] == "hidden"}
        assert own == {lengths[index] for index in hidden} and len(lengths) == count


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_hidden_needle_is_in_each_equal_part_of_the_video(tmp_path, nothing_played, count):
    searches = searched(tmp_path, "--needles", "hidden", "--hidden", str(count))
    parts = {}
    for search in searches:
        world = Search(**search).world
        stretch = world.needles[0].stretch
        places = world.num_frames - len(stretch) + 1
        group = search["duration_seconds"], search["grid_size"]
        parts.setdefault(group, []).append(stretch.first * count // places)
    assert all(sorted(own) == list(range(count)) for own in parts.values())
    # No length of needle is always found in the same part.
    assert count == 1 or len({own[0] for own in parts.values()}) > 1


def test_lengths_that_differ_little_have_names_of_their_own(tmp_path, nothing_drawn):
    durations = [1000000.1, 1000000.2, 1000000.3]
    scaling(out=tmp_path, durations=durations, policies=["oracle"], num_visible=1, num_hidden=1)
    assert len(read_records(tmp_path)) == 3 * 2 * 2


@pytest.mark.parametrize(
    ("flags", "name", "workers"),
    [
        ([], "serial", None),
        (["--executor", "processes"], "processes", None),
        (["--executor", "processes", "--workers", "3"], "processes", 3),
    ],
)
def test_the_executor_is_the_one_that_was_asked_for(
    tmp_path, nothing_played, monkeypatch, flags, name, workers
):
    asked = []

    def chosen(*arguments):
        asked.append(arguments)
        return EXECUTORS["serial"](1)

    monkeypatch.setattr(eval.scaling, "chosen_executor", chosen)
    searched(tmp_path, *flags)
    assert asked == [(name, workers)]


def test_searches_are_measured_resumed_and_reported_from_records_alone(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--durations", "30s,40s,50s", "--grid-sizes", "2", "--visible", "1"]
    command = [*arguments, "--hidden", "1", "--policies", "best-first@picture,bfs"]
    command += ["--out", str(out)]
    assert main(command) == 0
    text = (out / "scaling.md").read_text()
    assert "| visible | 2 | best-first@picture | 3 of 3 | 3 of 3 |" in text
    assert (out / "scaling.png").read_bytes().startswith(b"\x89PNG")
    records = read_records(out)
    assert len(records) == 3 * (1 + 2)
    assert {record.family for record in records} == {"needle_visible", "needle_hidden"}
    lines = (out / "records.jsonl").read_text().splitlines(keepends=True)
    (out / "records.jsonl").write_text("".join(lines[:5]))
    (out / "scaling.md").unlink()
    assert main(command) == 0
    again = {json.dumps(record.lasting()) for record in read_records(out)}
    assert again == {json.dumps(record.lasting()) for record in records}
    assert write_scaling_report(out) == (out / "scaling.md").read_text()
    assert capsys.readouterr().out.count("Table, plot and records are in") == 2


@pytest.mark.parametrize("grid_size", [2, 8])
def test_the_fewest_views_grow_with_the_logarithm_of_the_length(
    tmp_path, nothing_played, grid_size
):
    # At K = 8 the first view of a minute shows all needles of a second: shorter ones are needed.
    flags = ["--durations", "1m..10h:16", "--needles", "visible"]
    views = {}
    for search in searched(tmp_path, *flags, "--grid-sizes", str(grid_size)):
        world = Search(**search).world
        truth = [world.span(world.needles[0].stretch)]
        least = minimal_expands(truth, search["duration_seconds"], grid_size) + 1
        views.setdefault(search["duration_seconds"], []).append(least)
    by_log, by_line = fit_duration(list(views), [np.mean(own) for own in views.values()])
    assert len(views) == 16 and by_log.r_squared > 0.95 > by_line.r_squared


@pytest.mark.slow
@pytest.mark.parametrize("grid_size", [2, 8])
def test_visible_needles_cost_the_fewest_views_at_every_length(tmp_path, grid_size):
    scaling(
        out=tmp_path,
        durations=parse_durations("1m..10h:16"),
        policies=["best-first@picture"],
        grid_sizes=[grid_size],
        needles=["visible"],
        num_visible=16,
    )
    (curve,) = curves(read_records(tmp_path))
    assert len(curve.seconds) == 16
    assert curve.num_found == curve.num_exact == curve.num_searches == 16 * 16
    assert curve.fits[0].r_squared > max(0.95, curve.fits[1].r_squared)


@pytest.mark.slow
def test_hidden_needles_cost_views_in_proportion_to_the_length(tmp_path):
    # Where a hidden needle lies decides what finding it takes: many make a mean, few do not.
    scaling(
        out=tmp_path,
        durations=parse_durations("1m..16m:5"),
        policies=["best-first@picture", "dfs@picture", "bfs", "exhaustive"],
        grid_sizes=[2],
        needles=["hidden"],
        num_hidden=16,
        hidden_seconds=2,
    )
    for curve in curves(read_records(tmp_path)):
        by_log, by_line = curve.fits
        assert curve.num_found == curve.num_searches == 5 * 16
        assert by_line.r_squared > max(0.95, by_log.r_squared), curve.policy
