"""Tables show what was asked for, in that order, with what keeps a reader from wrong rankings."""

import pytest
from reporting import config_of, item, made, row

from eval.details import costs, differences, evidence, families
from eval.markdown import code, escape, grid, picture
from eval.metrics import cells_of, summaries
from eval.statistics import bootstrap_interval
from eval.tables import Axes, counts, scores, title
from videoatlas_gym.usage import Usage


def render(records, names=("random",), depths=(1,), episodes=2, **changes):
    """Return title, scores and counts of some records."""
    asked = {"names": names, "depths": list(depths), "episodes": episodes}
    config = config_of(**asked, **changes)
    axes, cells = Axes.of(config), summaries(records)
    return "\n\n".join([f"# {title(config)}", *scores(cells, axes), counts(cells, axes)]) + "\n"


def test_policies_are_rows_and_depths_are_columns():
    scores, more = (1.0, 0.0) * 6, (1.0, 1.0, 0.0) * 4
    records = [
        *row(scores, policy="bfs", depth=0),
        *row(more, policy="bfs", depth="auto"),
        *row(scores, depth=0),
        *row(scores, depth="auto"),
    ]
    text = render(records, ("random", "bfs"), (0, "auto"), episodes=12)
    lines = text.splitlines()
    assert lines[0] == "# 2 policies on story-1h"
    assert lines[2] == "| policy | depth 0 | depth auto |"
    interval = "[{:.2f}, {:.2f}]".format(*bootstrap_interval(more, list("abcdefghijkl")))
    assert lines[4].startswith("| random | 0.50 [0.25, 0.75], 9.0 frames |")
    assert lines[5].endswith(f"| 0.67 {interval}, 9.0 frames |")
    assert "n = 12 scored of 12 episodes per entry, in 12 clusters" in text
    assert (
        "Incomplete" not in text and "Without a budget" not in text and "Not averaged" not in text
    )


def test_each_task_set_and_budget_has_a_table_of_its_own():
    records = [
        *row([1.0], budget="none", task_set="a"),
        *row([0.0], budget="frames=64", task_set="a", steps=7),
        *row([0.5], budget="none", task_set="b"),
    ]
    sets = [{"name": "a"}, {"name": "b"}]
    text = render(records, task_sets=sets, limits=("none", "frames=64"), episodes=1)
    blocks = text.split("\n\n")
    assert blocks[1:8:2] == [
        "**a, no budget**",
        "**a, budget frames=64**",
        "**b, no budget**",
        "**b, budget frames=64**",
    ]
    assert "| a | frames=64 | random | 1 | 1 | 1 | 0 | 0 | 0 | 1 | 9.0 | 7.0 | 4.0 |" in text
    entries = ["1.00, 9.0 frames", "0.00, 9.0 frames", "0.50, 9.0 frames", "-"]
    assert [b.splitlines()[-1] for b in blocks[2:9:2]] == [f"| random | {e} |" for e in entries]


def test_failures_are_counted_and_said():
    lost = [made(task_index=2, infra_error="x"), made(task_index=3, error="KeyError: 'x'")]
    text = render(row([1.0, 1.0]) + lost, episodes=4)
    assert "| random | 1.00, 9.0 frames |" in text
    assert "Not averaged in: 1 episodes in which infrastructure failed and 1 in which" in text
    assert "| story-1h | none | random | 1 | 4 | 2 | 0 | 1 | 1 | 2 | 9.0 | 3.0 | 4.0 |" in text
    assert "| random | - |" in render([made(infra_error="x")], episodes=1)


def test_the_table_does_not_depend_on_order_time_or_decoder_work():
    def records(seconds):
        timing = {"timing": {"seconds": seconds}}
        return row([0.1, 0.2, 0.7], policy="bfs", **timing) + row([0.3, 0.3, 0.1], **timing)

    asked = {"names": ("bfs", "random"), "episodes": 3}
    assert render(records(1.0), **asked) == render(records(9.0)[::-1], **asked)


def test_policies_that_know_of_the_truth_are_marked_and_told_apart():
    text = render(row([1.0], policy="oracle", is_privileged=True), ("oracle",))
    assert "| oracle \\* |" in text and "\\* Shown the truth (privileged)" in text
    text = render(row([1.0], reads_truth=True))
    assert "| random † |" in text and "† Found its way without the truth" in text
    assert "ruth" not in render(row([1.0]))


def test_an_incomplete_run_says_so():
    text = render(row([1.0, 0.0]), ("random", "bfs"), (1, 2))
    assert "**Incomplete: 2 of 8 episodes.**" in text
    assert "| bfs | - | - |" in text
    assert "**Incomplete: 0 of 2 episodes.**" in render([])


def test_the_head_of_a_depth_says_how_fine_its_cells_are():
    records = row([1.0], depth=0, resolution_seconds=56.25) + row([1.0], resolution_seconds=4.0)
    records += row([1.0], policy="bfs", resolution_seconds=0.8789)
    text = render(records, ("random", "bfs"), (0, 1), episodes=1)
    assert "| policy | depth 0 (56 s) | depth 1 (0.88 s) |" in text


def test_who_ran_out_of_steps_is_named():
    records = row([1.0, 1.0], steps=32) + row([1.0, 1.0], policy="bfs", steps=31)
    text = render(records, ("random", "bfs"))
    assert "at most 16 steps for each level of its depth, the first view included." in text
    assert "Used up in 10% of the episodes or more: random at depth 1 (100%)." in text
    text = render(records, ("random", "bfs"), max_steps=31)
    assert "Every episode had at most 31 steps. Used up in 10% of the episodes or more: " in text
    assert "random at depth 1 (100%); bfs at depth 1 (100%)." in text
    assert "Used up" not in render(records, ("random", "bfs"), max_steps=33)


def test_unequal_spending_without_a_limit_is_pointed_out():
    records = row([1.0], policy="bfs", frames=40) + row([1.0]) + row([1.0], policy="bfs", depth=0)
    text = render(records, ("bfs", "random"), (0, 1))
    assert "differs between policies (depth 1: 9 to 40 frames, 3 steps)" in text
    assert "Compare under equal limits" in text
    limited = [
        made(policy=p, budget="steps=9", usage=u) for p, u in used(("bfs", 4), ("random", 5))
    ]
    asked = {"names": ("bfs", "random"), "limits": ("none", "steps=9")}
    assert "Without a budget" not in render(limited, **asked)
    assert "Under steps=9 all had the same limit" in render(records + limited, **asked)


def used(*pairs):
    """Return names with the usage of so many frames."""
    return [(name, Usage(steps=3, frames=frames, views=1).to_json()) for name, frames in pairs]


def test_intervals_are_explained_as_far_as_they_occur():
    few = render(row([1.0, 0.0]))
    assert "No interval is given for fewer than 10 clusters" in few and "Brackets" not in few
    many = render(row((1.0, 0.0) * 5), episodes=10)
    assert "Brackets: 95 %" in many and "No interval" not in many and "‡" not in many
    equal = render(row((0.0,) * 10), episodes=10)
    assert "| random | 0.00 [0.00, 0.31]‡, 9.0 frames |" in equal
    nearly = render(row([1.0] * 9 + [0.99]), episodes=10)
    assert "| random | 1.00 [0.997, 1.000], 9.0 frames |" in nearly
    assert "‡: all scores were 0 or all were 1" in equal and "Brackets" not in equal


def test_chance_is_said_with_the_tasks_it_is_about():
    assert "Chance (a guess drawn at random): 0.25." in render(row([1.0, 0.0], chance=0.25))
    some = render(row([1.0], chance=0.25) + [made(task_index=1)])
    assert "0.25, over the tasks that have one." in some
    assert "Chance" not in render(row([1.0]))


def detailed(make, records, **changes):
    """Return the blocks of a further table."""
    config = config_of(**changes)
    axes, cells = Axes.of(config), summaries(records)
    takes_records = make in (families, differences)
    return make(*([cells_of(records)] if takes_records else []), cells, axes)


def test_families_have_rows_of_their_own():
    records = row([1.0, 0.0], family="needle-hidden") + [
        made(task_index=2, score=1.0, family="needle-visible", chance=0.25)
    ]
    lines = detailed(families, records)[1].splitlines()
    assert lines[0] == "| family | policy | chance | n | clusters | depth 0 | depth 1 |"
    assert lines[2:] == [
        "| needle-hidden | random | - | 2 | 2 | - | 0.50 |",
        "| needle-visible | random | 0.25 | 1 | 1 | - | 1.00 |",
    ]
    assert detailed(families, row([1.0, 0.0], family="one")) == []


def test_evidence_shows_only_what_some_entry_defines():
    head, line = detailed(evidence, row([1.0, 0.0]))[1].splitlines()[::2]
    assert head == "| policy | depth | accuracy | success | explored | dead |"
    assert line == "| random | 1 | 0.50 | 0.50 | 0.000 | 0.000 |"
    found = made(
        kind="temporal_grounding",
        score=0.6,
        truth=[[0.0, 10.0]],
        evidence=[item(1, (0, 6), step=8), item(50, (49, 51), 0.5, step=1)],
    )
    head, line = detailed(evidence, [found])[1].splitlines()[::2]
    assert (
        "| success | tIoU | R@1 0.3 | R@1 0.5 | R@1 0.7 | recall | precision | first step" in head
    )
    assert "| 1.00 | 0.50 | 1.00 | 1.00 | 0.00 | 1.00 | 0.50 | 8.0 |" in line


def test_costs_mark_telemetry_and_show_models_only_where_one_was_called():
    head, line = detailed(costs, row([1.0]))[1].splitlines()[::2]
    assert head == (
        "| policy | depth | steps | frames | views | decoded (telemetry) | seconds (telemetry) |"
    )
    assert line == "| random | 1 | 3.0 | 9.0 | 4.0 | 9.0 | 1.00 |"
    usage = Usage(steps=1, model_calls=2, input_tokens=30, output_tokens=4).to_json()
    head, line = detailed(costs, [made(usage=usage)])[1].splitlines()[::2]
    assert "| model calls | tokens |" in head and "| 2.0 | 34.0 |" in line


def test_differences_are_to_the_first_policy_that_is_not_shown_the_truth():
    records = [
        *row([1.0] * 12, policy="oracle", is_privileged=True),
        *row([0.0] * 12, policy="random"),
        *row([0.0, 1.0] * 6, policy="bfs"),
    ]
    blocks = detailed(differences, records, names=("oracle", "random", "bfs"), depths=[1])
    assert blocks[1].splitlines()[2:] == [
        "| oracle \\* | +1.00 (n = 12) |",
        "| bfs | +0.50 [+0.25, +0.75] (n = 12) |",
    ]
    assert "less that of random (the first" in blocks[2]
    assert detailed(differences, records, names=("oracle",)) == []


def test_a_configuration_without_its_arguments_is_named():
    with pytest.raises(ValueError, match="KeyError: 'budgets'"):
        Axes.of({"task_sets": [], "policies": [], "depths": []})


def test_text_of_others_is_never_markup():
    assert escape("a|b\n`c` <img> & *d* [e](f) \\ _g_ h_i") == (
        "a\\|b \\`c\\` &lt;img&gt; &amp; \\*d\\* \\[e\\](f) \\\\ \\_g\\_ h_i"
    )
    assert grid(["a"], [["b"]]) == "| a |\n| --- |\n| b |"
    assert picture("a b/)(.png", "x]") == "![x\\]](a%20b/%29%28.png)"
    assert code("a\n```\nb") == "    a\n    ```\n    b"
