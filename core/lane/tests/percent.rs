//! Shares over a million users: their size, and that raising one moves nobody out (design §6.7).

use trilane_lane::hash::bucket;
use trilane_lane::rules::check;

const USERS: u32 = 1_000_000;

#[test]
fn shares_of_a_million_users_have_their_size() {
    for salt in ["", "autumn"] {
        let buckets: Vec<u16> = (0..USERS).map(|n| bucket(salt.as_bytes(), n.to_string().as_bytes())).collect();
        for (from, percent) in [(0u16, 1u16), (0, 10), (10, 25), (50, 50), (99, 1)] {
            let inside = buckets.iter().filter(|b| (from * 100..(from + percent) * 100).contains(b)).count();
            let found = inside as f64 / f64::from(USERS) * 100.0;
            assert!((found - f64::from(percent)).abs() < 0.2, "{percent} % from {from}, salt `{salt}`: {found}");
        }
    }
}

#[test]
fn a_share_that_grows_keeps_its_users() {
    let end = |text: &str, now: u64| {
        let rules = format!(
            "apiVersion: trilane/v1\nlanes: [{{tag: gray}}]\nentry: [{{service: s, rules: [{{lane: gray, key: {{header: u}}, {text}}}]}}]\n"
        );
        let rules = check("f", &rules).unwrap_or_else(|p| panic!("{}", p[0]));
        rules.entries[0].rules[0].share.as_ref().unwrap().end_at(now)
    };
    let ends: Vec<u16> = (0..=100).map(|percent| end(&format!("percent: {percent}"), 0)).collect();
    assert!(ends.is_sorted() && ends[0] == 0 && ends[100] == 10_000);
    // A warm-up of 100 s with curve 2: a quarter at half time, all at its end and for ever after.
    let warm = |now| end("percent: 40, from: 20, warmup: {start: 1000, seconds: 100, curve: 2}", now);
    assert_eq!((warm(0), warm(1_000), warm(1_050), warm(1_100), warm(u64::MAX)), (2_000, 2_000, 3_000, 6_000, 6_000));
    assert!((900..1_200).map(warm).collect::<Vec<_>>().is_sorted());
}
