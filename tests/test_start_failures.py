"""What a run says at its end of the jobs that failed."""

import os

from hlf.start.failures import sentences

LINE = "2026-01-02 03:04:05,678 {} {}\n"


def test_each_sentence_is_said_once_and_a_defect_with_its_last_line(tmp_path):
    logs = {
        "done": LINE.format("INFO", "done in 1.0 s"),
        "one": LINE.format("WARNING", "slow") + LINE.format("ERROR", "table2: no row; make it again"),
        "same": LINE.format("ERROR", "table2: no row; make it again"),
        "second": LINE.format("ERROR", "degrade: first cause") + LINE.format("ERROR", "degrade: disk full; free some"),
        "defect": LINE.format("ERROR", "table3 failed:\nTraceback (most recent call last):\n  x\nKeyError: 'n'"),
    }
    for name, text in logs.items():
        (tmp_path / name).write_text(text)
    found = sentences([tmp_path / name for name in (*logs, "gone")], 0.0)
    told = ["table2: no row; make it again", "degrade: disk full; free some", "table3 failed: KeyError: 'n'"]
    assert found == told


def test_logs_of_earlier_runs_say_nothing(tmp_path):
    path = tmp_path / "old.log"
    path.write_text(LINE.format("ERROR", "table2: no row"))
    os.utime(path, (1000, 1000))
    assert sentences([path], 1001.0) == [] and sentences([path], 999.0) == ["table2: no row"]
