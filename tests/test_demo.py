"""The demonstration compares all strategies on drawn stories and shows what came out."""

import pytest

from eval.demo import STRATEGIES, main
from eval.records import read_records
from policies.table import POLICIES


def test_the_demonstration_shows_every_strategy():
    assert {spec.split("@")[0].split(":")[0] for spec in STRATEGIES} == set(POLICIES)


def test_the_demonstration_prints_its_table_and_names_its_report(tmp_path, capsys):
    flags = ["--duration", "40s", "--worlds", "1", "--per-world", "1", "--out", str(tmp_path)]
    assert main(flags) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# ") and "| oracle" in printed
    report = tmp_path / "comparison" / "report.md"
    assert str(report) in printed and report.read_text().count("| best-first@colour |") >= 1
    assert len(read_records(report.parent)) == len(STRATEGIES) * 4


@pytest.mark.parametrize("flag", ["--worlds", "--per-world"])
def test_a_wrong_number_is_refused(flag, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([flag, "none", "--out", str(tmp_path)])
    assert stopped.value.code == 2 and not list(tmp_path.iterdir())
