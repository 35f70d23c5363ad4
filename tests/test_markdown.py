"""Text of others stays text in Markdown: it makes no headings, lists, tables, pictures or links."""

import re

import pytest
from reporting import config_of, made, write_run

from eval.markdown import code, escape, picture
from eval.report import write_report

CUT = "<!-- -->"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# OWNED", r"\# OWNED"),
        ("###### x", r"\###### x"),
        ("- x", r"\- x"),
        ("---", r"\---"),
        ("-", r"\-"),
        ("+ x", r"\+ x"),
        ("===", r"\==="),
        ("1. x", r"1\. x"),
        ("20) x", r"20\) x"),
        ("3.", r"3\."),
        ("> x", "&gt; x"),
        ("* x", r"\* x"),
        ("    code", "code"),
        ("-1.5", "-1.5"),
        ("+.5", "+.5"),
        ("1.5", "1.5"),
        ("a # b - c + d = 1. e", "a # b - c + d = 1. e"),
    ],
)
def test_no_line_begins_a_block(text, escaped):
    assert escape(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("see http://evil.example", f"see http{CUT}://evil.example"),
        ("HTTPS://evil.example", f"HTTPS{CUT}://evil.example"),
        ("ftp://evil.example", f"ftp{CUT}://evil.example"),
        ("www.evil.example", f"www{CUT}.evil.example"),
        ("WWW.evil.example", f"WWW{CUT}.evil.example"),
        ("me@evil.example", f"me{CUT}@evil.example"),
        ("mailto:me+x@evil.example.org", f"mailto:me+x{CUT}@evil.example.org"),
        ("1. visit www.evil.example", rf"1\. visit www{CUT}.evil.example"),
        ("best-first@picture", "best-first@picture"),
        ("00:01:02 to 3:4", "00:01:02 to 3:4"),
        (f"x{CUT}y \0", "x&lt;\\!-- --&gt;y"),
    ],
)
def test_no_address_becomes_a_link(text, escaped):
    assert escape(text) == escaped


def test_what_pictures_show_is_not_cut():
    assert picture("x.png", "# http://a.b") == "![# http://a.b](x.png)"


def test_names_that_are_no_text_can_be_written():
    name = b"run-\xff".decode(errors="surrogateescape")
    assert picture(f"{name}/x.png", name) == "![run-](run-%FF/x.png)"
    assert code(f"videoatlas report {name}") == r"    videoatlas report run-\udcff"
    assert code("") == "" and code("a\n\n# b") == "    a\n    \n    # b"


def test_policies_named_like_markup_are_only_names(tmp_path):
    names = ("# OWNED", "- x", "1. visit www.evil.example", "= me@evil.example")
    config = config_of(names=names, depths=[1])

    def records(config_hash):
        places = [(name, index) for name in names for index in range(2)]
        return [
            made(config_hash=config_hash, policy=n, task_index=i, sheet=f"{i}.jpg")
            for n, i in places
        ]

    run = write_run(tmp_path, config, records)
    (run / "0.jpg").write_bytes(b"x")
    (run / "1.jpg").write_bytes(b"x")
    lines = write_report([run]).splitlines()
    shown = [line for line in lines if not line.startswith("![")]
    assert [line for line in shown if line.startswith("# ")] == ["# 4 policies on story-1h"]
    assert not [line for line in shown if re.match(r"[-=+] |\d+\. ", line)]
    assert not [line for line in shown if "www." in line or "me@evil" in line]
    assert len([line for line in shown if "OWNED" in line]) > 5


def test_text_on_record_is_never_markup(tmp_path):
    evil = "<script>|`x`\n# ![a](http://b) $1$"

    def records(config_hash):
        place = {"config_hash": config_hash, "policy": evil, "task_set": evil}
        first = made(family=evil, looked=[1, 2] * 50, **place)
        return [first, made(task_index=1, **place)]

    config = config_of(names=(evil,), task_sets=[{"name": evil, "split": evil}], scorer=evil)
    text = write_report([write_run(tmp_path, config, records)])
    assert "<script" not in text and "\n# !" not in text and "![a](" not in text
    tables = [line for line in text.splitlines() if line.startswith("| &lt;")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "1.00, 9.0" in line}
    assert columns == {4}
