//! The hash behind stable percentages (design §6.7). Published as vectors; never to change.

use xxhash_rust::xxh3::Xxh3;

/// How many buckets share all users: one is 0.01 %.
pub const BUCKETS: u64 = 10_000;

/// The bucket of a user: `xxh3_64(salt ‖ 0x00 ‖ key)` with seed 0, modulo 10,000.
///
/// Allocates nothing: short inputs are joined on the stack, long ones streamed (both give the same hash).
#[inline]
pub fn bucket(salt: &[u8], key: &[u8]) -> u16 {
    let total = salt.len() + 1 + key.len();
    let mut joined = [0u8; 240];
    let hash = if total <= joined.len() {
        joined[..salt.len()].copy_from_slice(salt);
        joined[salt.len() + 1..total].copy_from_slice(key);
        xxhash_rust::xxh3::xxh3_64(&joined[..total])
    } else {
        let mut state = Xxh3::new();
        state.update(salt);
        state.update(&[0]);
        state.update(key);
        state.digest()
    };
    (hash % BUCKETS) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_and_streamed_agree_at_the_border() {
        for len in 236..244 {
            let key = vec![b'k'; len];
            let mut whole = b"s\0".to_vec();
            whole.extend_from_slice(&key);
            assert_eq!(u64::from(bucket(b"s", &key)), xxhash_rust::xxh3::xxh3_64(&whole) % BUCKETS);
        }
    }
}
