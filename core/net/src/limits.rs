//! What a peer may make us hold, with the worst case in numbers.

use std::fmt;
use std::time::Duration;

/// Limits of one side of a connection. [`fmt::Display`] prints the values in force, one `name=value` each.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one received message, before and after it is inflated. A longer one ends the call with
    /// RESOURCE_EXHAUSTED.
    pub max_message_size: u32,
    /// Bytes of one received header list, counted as RFC 9113 6.5.2 does; also announced to the peer.
    pub max_header_list_size: u32,
    /// Streams the peer may have open on one connection (server).
    pub max_concurrent_streams: u32,
    /// Flow-control window of one stream, bytes.
    pub stream_window: u32,
    /// Flow-control window of the connection, bytes: what the peer may send that nobody has read.
    pub connection_window: u32,
    /// Bytes of unary requests that may be gathered on one connection at a time; a call above it ends with
    /// RESOURCE_EXHAUSTED.
    pub max_gathered: usize,
    /// Bytes that one stream may hold in the send queue before a sender has to wait.
    pub send_buffer: usize,
    /// Streams that the peer opened and reset before they were looked at (rapid reset); more end the connection.
    pub max_pending_resets: usize,
    /// Streams that the peer's errors made us reset over the connection's life; more end the connection.
    pub max_error_resets: usize,
    /// How much overhead of small DATA frames may be unread at a time, bytes; each of n < 256 bytes costs 256 - n.
    pub small_frame_budget: usize,
    /// Connections at a time (server); others are closed at once.
    pub max_connections: usize,
    /// Time for TLS and the HTTP/2 preface.
    pub handshake_timeout: Duration,
    /// A PING is sent this often.
    pub keepalive_time: Duration,
    /// A PING that is not answered within this time ends the connection.
    pub keepalive_timeout: Duration,
    /// After this time a server connection is drained; zero means never.
    pub max_connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_size: 8 << 20,
            max_header_list_size: 16 << 10,
            max_concurrent_streams: 1024,
            stream_window: 1 << 20,
            connection_window: 8 << 20,
            max_gathered: 64 << 20,
            send_buffer: 1 << 20,
            max_pending_resets: 100,
            max_error_resets: 1024,
            small_frame_budget: 8 << 20,
            max_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            keepalive_time: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            max_connection_age: Duration::ZERO,
        }
    }
}

impl Limits {
    /// The most that one server connection's peer can make us hold, in bytes, without what handlers keep and answer:
    /// unread data and its small frames, gathered requests, and the header lists of all streams.
    pub fn worst_case_connection(&self) -> usize {
        self.connection_window as usize
            + self.small_frame_budget
            + self.max_gathered
            + (self.max_concurrent_streams as usize + self.max_pending_resets) * self.max_header_list_size as usize
    }

    /// The most that one stream's peer can make us hold, in bytes: its unread data, one message that is being
    /// gathered and its inflated form, its header list.
    pub fn worst_case_stream(&self) -> usize {
        self.stream_window as usize + 2 * self.max_message_size as usize + self.max_header_list_size as usize
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "max_message_size={} max_header_list_size={} max_concurrent_streams={} stream_window={} \
             connection_window={} max_gathered={} send_buffer={} max_pending_resets={} max_error_resets={} \
             small_frame_budget={} max_connections={} handshake_timeout={:?} keepalive_time={:?} \
             keepalive_timeout={:?} max_connection_age={:?} worst_case_connection={} worst_case_stream={}",
            self.max_message_size,
            self.max_header_list_size,
            self.max_concurrent_streams,
            self.stream_window,
            self.connection_window,
            self.max_gathered,
            self.send_buffer,
            self.max_pending_resets,
            self.max_error_resets,
            self.small_frame_budget,
            self.max_connections,
            self.handshake_timeout,
            self.keepalive_time,
            self.keepalive_timeout,
            self.max_connection_age,
            self.worst_case_connection(),
            self.worst_case_stream(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_printed() {
        let (printed, debug) = (Limits::default().to_string(), format!("{:#?}", Limits::default()));
        let fields = debug.lines().filter_map(|l| l.trim().split_once(": ")).map(|(name, _)| name);
        let missing: Vec<_> = fields.filter(|name| !printed.contains(&format!("{name}="))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_page_names_every_limit_and_the_worst_cases() {
        let page = include_str!("../../../docs/triple.md");
        let debug = format!("{:#?}", Limits::default());
        let fields = debug.lines().filter_map(|l| l.trim().split_once(": ")).map(|(name, _)| name);
        let missing: Vec<_> = fields.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/triple.md does not name {missing:?}");
        assert_eq!(Limits::default().worst_case_connection(), 102_301_696);
        assert_eq!(Limits::default().worst_case_stream(), 17_842_176);
        assert!(page.contains("102,301,696 and 17,842,176 bytes"));
    }
}
