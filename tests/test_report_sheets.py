"""Which pictures of episodes a report shows, and in which order."""

import re
from urllib.parse import unquote

import pytest
from comparing import no_plots
from reporting import config_of, made, write_run

from eval.report import write_report


def shown(folder, *episodes, **changes):
    """Report on episodes (depth, budget, task) that all have a picture; return what is shown."""

    def records(config_hash):
        for depth, budget, task in episodes:
            name = f"sheets/{depth}-{budget}-{task}.jpg"
            place = {"depth": depth, "budget": budget, "task_index": task}
            yield made(config_hash=config_hash, sheet=name, **place)

    config = config_of(names=("random",), limits=("none", "steps=9"), **changes)
    run = write_run(folder, config, records)
    (run / "sheets").mkdir()
    for depth, budget, task in episodes:
        (run / "sheets" / f"{depth}-{budget}-{task}.jpg").write_bytes(b"x")
    with no_plots:
        text = write_report([run])
    return re.findall(r"\(sheets/(.+)\.jpg\)", unquote(text)), text


@pytest.mark.parametrize("depths", [[0, 1], [1, 0, "auto"]])
def test_pictures_of_the_deepest_depth_and_the_first_budget_come_first(tmp_path, depths):
    deepest = "auto" if "auto" in depths else 1
    limits = ("steps=9", "none")
    played = [(d, limit, task) for d in depths for limit in limits for task in range(2)]
    found, text = shown(tmp_path, *played, depths=depths, episodes=2)
    assert found[:2] == [f"{deepest}-none-0", f"{deepest}-none-1"]
    others = [f"{d}-{b}-{t}" for d, b, t in played if (d, b) != (deepest, "none")]
    assert found[2:] == others[:10], "the others in the order in which they were played"
    assert text.index(f"task 1, depth {deepest}, budget none: score 1.00") < text.index(
        "budget steps=9: score"
    )


@pytest.mark.parametrize("count", [12, 13, 20])
def test_of_many_pictures_twelve_are_shown_and_the_rest_are_counted(tmp_path, count):
    played = [(0, "none", task) for task in range(count - 1)] + [(1, "none", 0)]
    found, text = shown(tmp_path, *played, episodes=count)
    assert found == ["1-none-0", *(f"0-none-{task}" for task in range(11))]
    assert (f"\n{count - 12} more pictures lie beside these." in text) == (count > 12)
    assert ("more pictures" in text) == (count > 12)
