"""python3 -m unittest tests/bench/test_figures.py: the ranks are those of printed tables for the median."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from suites import figures  # noqa: E402


class Interval(unittest.TestCase):
    def test_ranks(self):
        for n, low, high in ((6, 1, 6), (8, 1, 8), (9, 2, 8), (15, 4, 12), (20, 6, 15), (31, 10, 22), (41, 14, 28)):
            values = list(range(n, 0, -1))  # the value is its rank
            self.assertEqual(figures.interval(values)[1:], (low, high), n)

    def test_few_values_give_their_range(self):
        self.assertEqual(figures.interval([3, 1, 2]), (2, 1, 3))
        self.assertEqual(figures.interval([7]), (7, 7, 7))

    def test_median_of_an_even_number(self):
        self.assertEqual(figures.interval([4, 1, 2, 3])[0], 2.5)


class Verdict(unittest.TestCase):
    def test_words(self):
        self.assertEqual(figures.verdict(3, 1, 3, 100), "holds")
        self.assertEqual(figures.verdict(3, 3.1, 5, 100), "missed")
        self.assertEqual(figures.verdict(3, 2, 6, 100), "not resolved ± 2.0 %")
        self.assertEqual(figures.verdict(None, 2, 6, 100), "shown")
        self.assertEqual(figures.verdict(0, 0, 0, 0), "holds")


if __name__ == "__main__":
    unittest.main()
