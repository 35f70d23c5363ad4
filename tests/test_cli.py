"""The console command finds its subcommands, and mistakes become sentences with an exit code."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import videoatlas_gym
from videoatlas_gym.cli import COMMANDS, Parser, main, parse_duration, parse_tile_size, run_command
from videoatlas_gym.subtitles import SubtitleError
from videoatlas_gym.video import VideoOpenError

ROOT = Path(__file__).parent.parent


def fail_with(error):
    """Return a function that raises `error`."""

    def function():
        raise error

    return function


def shell(command):
    """Run a shell command from the checkout; `videoatlas` stands for the console command."""
    command = command.replace("videoatlas ", f"{sys.executable} -m videoatlas_gym.cli ", 1)
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_command_with_an_example(capsys, flag):
    assert main([flag]) == 0
    output = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert command.help in output
        assert f"videoatlas {name} " in output


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"videoatlas-gym {videoatlas_gym.__version__}\n"


def test_an_unknown_command_gets_a_suggestion(capsys):
    assert main(["shet"]) == 2
    assert "unknown command 'shet'. Did you mean 'sheet'?" in capsys.readouterr().err


def test_without_a_command_the_help_goes_to_stderr(capsys):
    assert main([]) == 2
    output = capsys.readouterr()
    assert "no command was given" in output.err and "usage: videoatlas" in output.err
    assert not output.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_leads_to_a_main_that_explains_itself(capsys, name):
    assert callable(importlib.import_module(COMMANDS[name].module).main)
    assert main([name, "--help"]) == 0
    output = capsys.readouterr().out
    assert f"usage: videoatlas {name}" in output and "example" in output


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ValueError("grid_size must be at least 2, got 1."),
            "grid_size must be at least 2, got 1.",
        ),
        (VideoOpenError("cannot read 'x.mp4'."), "cannot read 'x.mp4'."),
        (SubtitleError("no\n  text."), "no text."),
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory: 'x'."),
        (
            ImportError("this needs torch: pip install torch."),
            "this needs torch: pip install torch.",
        ),
        (ValueError(), "ValueError"),
    ],
)
def test_a_mistake_of_the_user_is_one_sentence_and_exit_code_2(capsys, error, sentence):
    assert run_command("sheet", fail_with(error)) == 2
    assert capsys.readouterr().err == f"videoatlas sheet: {sentence}\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError):
        run_command("sheet", fail_with(KeyError("oops")))


def test_ctrl_c_ends_with_130_and_no_traceback(capsys):
    assert run_command("doctor", fail_with(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "videoatlas doctor: interrupted.\n"


@pytest.mark.parametrize(("stopped", "code"), [(0, 0), (2, 2), (None, 0), ("text", 1)])
def test_what_argparse_exits_with_is_the_exit_code(stopped, code):
    assert run_command("sheet", fail_with(SystemExit(stopped))) == code


def test_a_wrong_argument_gives_one_sentence_without_the_usage(capsys):
    parser = Parser("sheet", "Draws.", "  videoatlas sheet a.mp4")
    assert run_command("sheet", lambda: parser.parse_args(["--wrong"])) == 2
    sentence = "videoatlas sheet: unrecognized arguments: --wrong. See videoatlas sheet --help.\n"
    assert capsys.readouterr().err == sentence


def test_a_tile_size_is_read():
    assert parse_tile_size("320x180") == (320, 180)


@pytest.mark.parametrize("text", ["", "320", "320x", "axb", "-1x2", "1x2x3", "9" * 20 + "x1"])
def test_another_tile_size_is_refused(text):
    with pytest.raises(ValueError, match="a tile size is WIDTHxHEIGHT in pixels"):
        parse_tile_size(text)


def test_the_command_itself_imports_no_decoder():
    code = """
import importlib.machinery, sys, types
package = types.ModuleType("videoatlas_gym")
package.__path__ = ["videoatlas_gym"]
sys.modules["videoatlas_gym"] = package
import videoatlas_gym.cli
assert videoatlas_gym.cli.main(["--help"]) == 0
print(sorted({"numpy", "av", "PIL", "gymnasium"} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_a_real_process_exits_with_the_code_and_no_traceback(tmp_path):
    run = shell(f"videoatlas sheet {tmp_path}/none.mp4 -o {tmp_path}/out.png")
    assert run.returncode == 2
    assert run.stderr.startswith("videoatlas sheet: no video found at ")
    assert len(run.stderr.splitlines()) == 1 and not run.stdout


def test_nobody_reading_the_output_is_no_error():
    run = shell("videoatlas --help | true")
    assert run.returncode in (0, 141)  # 0 where the help was written before the reader left
    assert not run.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600),
        ("90m", 5400),
        ("3600", 3600),
        ("10h", 36000),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("2h5s", 7205),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0h", "-1h", "h", "1d", "1m1h", "nan", "1e3", "1h 2m", "1h45", "9" * 400]
)
def test_other_durations_are_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)
