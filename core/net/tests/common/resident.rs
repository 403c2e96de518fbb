//! Attacks with their cost in memory.

use super::common::{block, io, serve, services};
use bytes::Bytes;
use std::sync::Mutex;
use trilane_net::{Channel, Limits, Request, Server};

/// Memory is measured for the whole process, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Resident kB of this process: now (VmRSS), or the most since [`forget_peak`] (VmHWM).
fn resident(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Lets the kernel count the peak from now on; where that is refused, the peak since the start is too high at most.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Runs an attack against a server with these limits; another connection must be served before, after, and the
/// memory must not have grown by more than `grown` kB meanwhile.
pub fn attacked(limits: Limits, grown: usize, attack: impl FnOnce(&Server)) {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let io = io();
    let server = serve(services().limits(limits), &io);
    let friend = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    let call = || block(friend.unary(Request::new("/t.Echo/Unary"), Bytes::from("hello"))).into_result();
    assert_eq!(call().unwrap(), "hello");
    forget_peak();
    let before = resident("VmRSS:");
    attack(&server);
    assert_eq!(call().unwrap(), "hello", "another connection goes on");
    let peak = resident("VmHWM:");
    println!("resident: {before} kB before, {peak} kB at most");
    assert!(peak < before + grown, "resident: {before} kB before, {peak} kB at most");
}
