//! `grpc-timeout`: at most eight digits and a unit.

use std::time::Duration;

/// Reads a value. `None` for what is no timeout: it then counts as absent, as dubbo-java and grpc-java do it.
/// dubbo-java up to 3.3.6 sends more than eight digits, so twelve are taken.
pub fn parse(value: &[u8]) -> Option<Duration> {
    let (&unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 12 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = digits.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(n * 3600),
        b'M' => Duration::from_secs(n * 60),
        b'S' => Duration::from_secs(n),
        b'm' => Duration::from_millis(n),
        b'u' => Duration::from_micros(n),
        b'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

/// Prints a timeout in the finest unit that eight digits can say, rounded up: who waits must not give up early.
pub fn print(timeout: Duration) -> String {
    let nanos = timeout.as_nanos();
    for (unit, size) in [('n', 1u128), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000)] {
        let n = nanos.div_ceil(size);
        if n < 100_000_000 {
            return format!("{n}{unit}");
        }
    }
    format!("{}H", nanos.div_ceil(3_600_000_000_000).min(99_999_999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit() {
        let all = [("1H", 3_600_000), ("2M", 120_000), ("3S", 3000), ("4m", 4), ("5000u", 5), ("6000000n", 6)];
        for (text, millis) in all {
            assert_eq!(parse(text.as_bytes()), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in ["", "m", "1", "1x", "-1S", "+1S", "1.5S", " 1S", "1 S", "nullm", "1234567890123S", "1s"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dubbo_java_sends_more_than_eight_digits() {
        assert_eq!(parse(b"123456789012m"), Some(Duration::from_millis(123_456_789_012)));
    }

    #[test]
    fn printing_never_shortens_and_stays_within_eight_digits() {
        let mut nanos = 1u64;
        while nanos < u64::MAX / 7 {
            let (asked, text) = (Duration::from_nanos(nanos), print(Duration::from_nanos(nanos)));
            let read = parse(text.as_bytes()).unwrap();
            assert!(text.len() <= 9 && read >= asked, "{asked:?} {text}");
            assert!(read.as_secs_f64() <= asked.as_secs_f64() * 1.001 + 1e-9, "{asked:?} {text}");
            nanos = nanos * 7 + 3;
        }
        assert_eq!(print(Duration::ZERO), "0n");
        assert_eq!(print(Duration::from_secs(1)), "1000000u");
        assert!(parse(print(Duration::MAX).as_bytes()).is_some());
    }
}
