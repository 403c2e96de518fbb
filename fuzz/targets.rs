//! What the fuzz targets check. `core/wire/tests/corpus.rs` runs the same on the kept corpus, without a fuzzer.
#![allow(dead_code, reason = "each target uses one")]

use bytes::Bytes;
use trilane_wire::frame::{FrameError, Reader};
use trilane_wire::{Encoding, Headers, Status, content_type, metadata, path, percent, proto, timeout, triple};

fn messages(pieces: impl Iterator<Item = Bytes>) -> (Vec<(bool, Bytes)>, Result<(), FrameError>) {
    let mut reader = Reader::new(1 << 16);
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(message)) => all.push((message.compressed, message.data)),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
        assert!(reader.held() <= (1 << 16) + 5, "a reader holds one message at most");
    }
    (all, reader.end())
}

/// Any cut of the bytes gives the same messages and the same end.
pub fn frames(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let whole = messages(std::iter::once(Bytes::copy_from_slice(data)));
    let cut = messages(data.chunks(usize::from(*size).max(1)).map(Bytes::copy_from_slice));
    assert_eq!(whole, cut);
}

/// Lines `name value` as headers.
fn headers(data: &[u8]) -> Headers {
    let line = |l: &[u8]| l.iter().position(|b| *b == b' ').map(|at| (l[..at].to_vec(), l[at + 1..].to_vec()));
    data.split(|b| *b == b'\n').filter_map(line).collect()
}

/// Reading never panics; attachments that were read can be written and come back.
pub fn metadata(data: &[u8]) {
    let headers = headers(data);
    for (name, value) in headers.iter() {
        if let Some(value) = metadata::value(name, value) {
            let mut out = Headers::new();
            if let Ok(name) = std::str::from_utf8(name)
                && metadata::push(&mut out, name, &value).is_ok()
            {
                let back = out.get(name.as_bytes()).and_then(|v| metadata::value(name.as_bytes(), v));
                assert_eq!(back.as_deref(), Some(&*value));
            }
        }
        let _ = (content_type::kind(Some(value)), content_type::codec(value), Encoding::read(Some(value)));
        let _ = std::str::from_utf8(value).map(|p| (path::split(p), path::other_case(p)));
    }
    let read = triple::read_attachments(&headers);
    let mut out = Headers::new();
    let refused = triple::write_attachments(&mut out, &read);
    assert!(out.iter().all(|(n, _)| metadata::key_problem(n).is_none()));
    assert!(refused.len() <= read.len());
}

/// A status that was read can be written, and comes back the same.
pub fn status(data: &[u8]) {
    let text = percent::decode(data);
    assert_eq!(percent::decode(percent::encode(&text).as_bytes()), text);
    let _ = proto::fields(data).count();
    if let Some(status) = Status::read(&headers(data)) {
        let mut out = Headers::new();
        status.write(&mut out);
        assert_eq!(Status::read(&out).expect("it has a status"), status);
    }
}

/// What is printed for a timeout is never shorter.
pub fn timeouts(data: &[u8]) {
    if let Some(timeout) = timeout::parse(data) {
        let printed = timeout::print(timeout);
        assert!(printed.len() <= 9);
        let longest = std::time::Duration::from_secs(99_999_999 * 3600);
        assert!(timeout::parse(printed.as_bytes()).expect("it is one") >= timeout.min(longest));
    }
}
