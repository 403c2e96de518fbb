"""The judge must see what it is there for: run by `python3 -m unittest discover -s tests/demo`."""

import unittest

from driver import fleet, judge, lanes
from driver.load import ANSWER, Record


def record(user, order, stock, begin=0.0):
    return Record(user, begin, begin + 1, ("base", "base", order, stock), "")


def verdict(records, **expected):
    return judge.judge(records, lambda _: judge.Expected({"g"}, **expected))


class Fleet(unittest.TestCase):
    def test_every_service_serves_with_less_than_256_megabytes_of_heap(self):
        heap = [int(flag[4:-1]) for flag in fleet.JAVA_FLAGS if flag.startswith("-Xmx") and flag.endswith("m")]
        self.assertTrue(len(heap) == 1 and heap[0] <= 256, fleet.JAVA_FLAGS)


class Judge(unittest.TestCase):
    def test_lane_kept(self):
        seen = verdict([record("g", "gray", "gray"), record("b", "base", "base")])
        self.assertEqual((seen.leaks, seen.kept, seen.gray_requests, seen.requests), (0, 1, 1, 2))
        self.assertEqual(dict(seen.fallbacks), {"pricing noinstances": 1})

    def test_both_directions_are_leaks(self):
        for user, order, stock in (
            ("b", "gray", "base"),
            ("b", "base", "gray"),
            ("g", "base", "gray"),
            ("g", "gray", "base"),
        ):
            seen = verdict([record(user, order, stock)])
            self.assertEqual(seen.leaks, 1, (user, order, stock))
            self.assertTrue(seen.wrong)

    def test_fallback_only_where_stock_is_away(self):
        seen = verdict([record("g", "gray", "base")], stock=judge.NO)
        self.assertEqual((seen.leaks, seen.fallbacks["stock noinstances"], seen.kept), (0, 1, 1))
        self.assertEqual(verdict([record("b", "base", "gray")], stock=judge.NO).leaks, 1)

    def test_who_may_be_gray_while_rules_change(self):
        self.assertEqual(verdict([record("m", "gray", "gray"), record("m", "base", "base")], maybe={"m"}).leaks, 0)
        self.assertEqual(verdict([record("m", "base", "gray")], maybe={"m"}).leaks, 1)

    def test_failures_count_unless_allowed(self):
        failed = Record("b", 0.0, 1.0, None, "500")
        self.assertTrue(verdict([failed]).wrong)
        allowed = verdict([failed], may_fail=True)
        self.assertEqual((allowed.failed, allowed.wrong), (1, []))

    def test_one_lost_request_is_not_rounded_away(self):
        records = [record("g", "gray", "gray")] * 9999 + [record("g", "base", "base")]
        self.assertEqual(verdict(records).kept_percent(), 99.9)

    def test_flips_follow_time_not_order_of_arrival(self):
        moved_in = [record("u", "gray", "gray", 5.0), record("u", "base", "base", 1.0)]
        moved_out = [record("u", "base", "base", 9.0), record("u", "gray", "gray", 5.0)]
        self.assertEqual((judge.flips(moved_in), judge.flips(moved_out)), (0, 1))

    def test_answer_must_be_whole(self):
        self.assertTrue(ANSWER.match("shop(base)>pricing(base)>order(gray)>stock(base) user-1.7"))
        self.assertFalse(ANSWER.match("shop(base)>pricing(base)>order(gray)>"))


class Words(unittest.TestCase):
    def test_a_value_in_a_line_is_found(self):
        users = [lanes.user_name(n) for n in range(20)]
        good = ["trilane: info TRL-001 about=\"start\" tag=gray", "shop failed: item-0003.1", "trilane: user-00030"]
        self.assertEqual(judge.told(good, users), [])
        bad = ["trilane: warn TRL-301 key=user-0003 found nothing", "user-0003.17 failed", "TRL-403 item-0003.1"]
        self.assertEqual(judge.told(good + bad, users), bad)


class Shares(unittest.TestCase):
    def test_hash_against_published_vectors(self):
        # Printed by the xxhash package of PyPI, 4.1.0.
        for text, expected in VECTORS:
            self.assertEqual(lanes.xxh3_64(text), expected, text)

    def test_a_larger_share_moves_nobody_out(self):
        users = [lanes.user_name(n) for n in range(2000)]
        shares = [lanes.gray_users(users, percent) for percent in (0, 10, 50, 100)]
        self.assertEqual((len(shares[0]), len(shares[3])), (0, 2000))
        self.assertTrue(shares[0] < shares[1] < shares[2] < shares[3])


VECTORS = (
    (b"autumn\x00ab", 0x29844FA27E17308F),
    (b"autumn\x00user-0001", 0x758B33371415200E),
    (b"autumn\x00user-10001", 0x396D481DA6A0F494),
    (b"autumn\x00somebody.else@ex", 0x4FA0DFB8BEB0F8E4),
)

if __name__ == "__main__":
    unittest.main()
