"""What 10,000 readers would need follows from the measured processor times."""

from __future__ import annotations

import pytest

from bench.readers_on_paper import on_paper


def test_the_table_adds_up_what_was_measured() -> None:
    """300 µs at 333 requests a second are a tenth of a processor; listeners cost what each adds, and a fixed part."""
    ways = {"one process": {"cpu_us": 300.0}, "nginx": {"cpu_us": 36.0, "api_us": 6.0}}
    paths = ("/prever/{coin}", "/prever", "/historico, 1,000 rows")
    pages = [
        {"listeners": 200, "cpu_us": 3_000.0, "with_mb": 100.0},
        {"listeners": 1_000, "cpu_us": 1_000.0, "with_mb": 180.0},
    ]
    lines = on_paper({"requests": dict.fromkeys(paths, ways), "light_page": pages}).splitlines()
    numbers = [[cell.strip() for cell in line.split("|")[2:-1]] for line in lines[2:]]
    assert numbers[:3] == [["333", "0.10", "0.01", "0.002", "as with one"]] * 3
    fixed_us, each_us = 500_000, 500
    assert float(numbers[3][1]) == pytest.approx((fixed_us + 10_000 * each_us) / 1e6 / 30, abs=0.006)
    assert numbers[3][-1] == "1.1 GB"
