//! Servers.

use super::TrilaneNet;
use super::call::pairs;
use super::served::{self, Desk, Served};
use crate::boundary;
use crate::error::{TrilaneError, TrilaneStatus, refuse};
use crate::text::TrilaneStr;
use bytes::Bytes;
use std::net::ToSocketAddrs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use trilane_net::server::Handler;
use trilane_net::{Code, Identity, Io, Server, ServerBuilder, ServerTls, Status};

/// The method's calls have one message each way: it comes in the record that begins the call.
pub const TRILANE_METHOD_UNARY: u32 = 1;

/// A server. Freed by `trilane_server_free`.
pub struct TrilaneServer {
    building: Mutex<Option<ServerBuilder>>,
    running: OnceLock<Server>,
    desk: Arc<Desk>,
    io: Arc<Io>,
}

impl TrilaneServer {
    fn building(&self) -> MutexGuard<'_, Option<ServerBuilder>> {
        self.building.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// What a server hosts under one path.
#[repr(C)]
pub struct TrilaneMethod {
    /// `sizeof(trilane_method)`.
    pub struct_size: usize,
    /// `/service/method`.
    pub path: TrilaneStr,
    /// Group of Dubbo (`tri-service-group`); absent: none.
    pub group: TrilaneStr,
    /// Version of Dubbo (`tri-service-version`); absent: none. Without group and version the method takes every call
    /// of its path that no other one takes.
    pub version: TrilaneStr,
    /// Comes back in the record that begins a call, in the place of the status code.
    pub number: u32,
    /// `TRILANE_METHOD_…`.
    pub flags: u32,
}

/// Where a server listens, and its TLS.
#[repr(C)]
pub struct TrilaneListen {
    /// `sizeof(trilane_listen)`.
    pub struct_size: usize,
    /// `host:port`; port 0 lets the kernel choose.
    pub address: TrilaneStr,
    /// A PEM file with the server's certificate chain, leaf first; absent: plaintext. Files are read again when they
    /// change.
    pub certificates: TrilaneStr,
    /// The PEM file of its private key.
    pub key: TrilaneStr,
    /// A PEM file of the certificates that clients must be signed by; absent: clients need none.
    pub client_roots: TrilaneStr,
}

/// What ends a call, or goes before it.
#[repr(C)]
pub struct TrilaneAnswer {
    /// `sizeof(trilane_answer)`.
    pub struct_size: usize,
    /// gRPC's status code; 0 is OK.
    pub code: u32,
    /// The status in words.
    pub message: TrilaneStr,
    /// Bytes of `google.rpc.Status` (`grpc-status-details-bin`); absent: none.
    pub details: TrilaneStr,
    /// Response headers, pairs as in `trilane_request`; too late once the first message was sent.
    pub headers: TrilaneStr,
    /// Trailers, pairs.
    pub trailers: TrilaneStr,
    /// A last message (of a unary call: the reply) if `has_data` is not 0.
    pub data: TrilaneStr,
    /// Whether `data` is a message; it may be empty.
    pub has_data: u32,
}

pub(super) fn sized(given: usize, ours: usize, name: &str) -> Result<(), (TrilaneStatus, String)> {
    if given == ours {
        return Ok(());
    }
    let why = format!("struct_size is {given}, this library knows {ours}: set it to sizeof({name})");
    Err((TrilaneStatus::BadStruct, why))
}

/// An empty server.
///
/// # Safety
/// `server_out` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_server_new(
    net: Option<&TrilaneNet>,
    server_out: Option<&mut *mut TrilaneServer>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(net), Some(out)) = (net, server_out) else { return TrilaneStatus::NullArgument };
        let building = Mutex::new(Some(Server::builder()));
        let (desk, io) = (net.desk.clone(), net.threads.clone());
        *out = Box::into_raw(Box::new(TrilaneServer { building, running: OnceLock::new(), desk, io }));
        TrilaneStatus::Ok
    })
}

/// Hosts a method, before `trilane_server_listen`. Each call begins with a SERVED record of `trilane_net_poll`, in
/// which the status code is the method's number, the status message the caller's address, the status details eight
/// bytes (little-endian nanoseconds until the caller gives up; 0: never) and behind them the call's tag (none: the
/// baseline, or no engine was started), headers the metadata, and data the message of a unary method. Its tag is the
/// call's id: for `trilane_served_…` on the same net.
///
/// # Safety
/// `method` and its texts are NULL or valid; `error_out` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_server_method(
    server: Option<&TrilaneServer>,
    method: Option<&TrilaneMethod>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(server), Some(method)) = (server, method) else { return TrilaneStatus::NullArgument };
        if let Err((status, why)) = sized(method.struct_size, size_of::<TrilaneMethod>(), "trilane_method") {
            return refuse(error_out, status, why);
        }
        // SAFETY: the caller's promise.
        let texts = unsafe { [method.path.text(), method.group.text(), method.version.text()] };
        let [Some(path), Some(group), Some(version)] = texts else { return TrilaneStatus::NotUtf8 };
        if !path.starts_with('/') || path[1..].find('/').is_none_or(|at| at == 0) {
            return refuse(error_out, TrilaneStatus::Internal, format!("{path:?} is not /service/method"));
        }
        let (desk, number) = (server.desk.clone(), method.number);
        let unary = method.flags & TRILANE_METHOD_UNARY != 0;
        let handler =
            Handler::Stream(Box::new(move |stream| Box::pin(served::run(stream, desk.clone(), number, unary))));
        let mut building = server.building();
        let Some(builder) = building.take() else {
            return refuse(error_out, TrilaneStatus::Internal, "the server listens already".into());
        };
        *building = Some(match group.is_empty() && version.is_empty() {
            true => builder.handler(path, handler),
            false => builder.handler_for(group, version, path, handler),
        });
        TrilaneStatus::Ok
    })
}

/// Starts to listen; `port_out` gets the port. Once only.
///
/// # Safety
/// `listen` and its texts are NULL or valid; `port_out` and `error_out` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_server_listen(
    server: Option<&TrilaneServer>,
    listen: Option<&TrilaneListen>,
    port_out: Option<&mut u16>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(server), Some(listen)) = (server, listen) else { return TrilaneStatus::NullArgument };
        if let Err((status, why)) = sized(listen.struct_size, size_of::<TrilaneListen>(), "trilane_listen") {
            return refuse(error_out, status, why);
        }
        // SAFETY: the caller's promise.
        let texts = unsafe { [listen.address.text(), listen.certificates.text(), listen.key.text()] };
        let ([Some(address), Some(certificates), Some(key)], Some(roots)) =
            // SAFETY: the caller's promise.
            (texts, unsafe { listen.client_roots.text() })
        else {
            return TrilaneStatus::NotUtf8;
        };
        let failed = |why: String| (TrilaneStatus::Internal, format!("cannot listen on {address}: {why}"));
        let started = (|| {
            let found = address.to_socket_addrs().map_err(|e| failed(e.to_string()))?.next();
            let socket = found.ok_or_else(|| failed("the name has no address".into()))?;
            let builder = server.building().take().ok_or_else(|| failed("the server listens already".into()))?;
            let builder = match certificates {
                "" => builder,
                _ => builder.tls(ServerTls {
                    identity: Identity { certificates: certificates.into(), key: key.into() },
                    clients: (!roots.is_empty()).then(|| roots.into()),
                }),
            };
            builder.listen(socket, &server.io).map_err(|e| failed(e.to_string()))
        })();
        match started {
            Ok(running) => {
                if let Some(out) = port_out {
                    *out = running.local_addr().port();
                }
                let _ = server.running.set(running);
                TrilaneStatus::Ok
            }
            Err((status, why)) => refuse(error_out, status, why),
        }
    })
}

/// Takes no new connections and calls from now on; running calls go on to their end.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_server_drain(server: Option<&TrilaneServer>) {
    boundary((), || {
        if let Some(running) = server.and_then(|s| s.running.get()) {
            running.begin_drain();
        }
    });
}

/// How many connections there are; after `trilane_server_drain`, 0 says that all calls have ended.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_server_connections(server: Option<&TrilaneServer>) -> usize {
    boundary(0, || server.and_then(|s| s.running.get()).map_or(0, |r| r.stats().connections.load(Ordering::Acquire)))
}

/// Ends a server at once, with its connections and calls: a SERVED_GONE record comes of each. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_server_free(server: Option<Box<TrilaneServer>>) {
    boundary((), || drop(server));
}

fn on_served(net: Option<&TrilaneNet>, id: u64, act: impl FnOnce(&Served) -> Option<TrilaneStatus>) -> TrilaneStatus {
    match net {
        None => TrilaneStatus::NullArgument,
        Some(net) => net.desk.find(id).and_then(|served| act(&served)).unwrap_or(TrilaneStatus::Gone),
    }
}

/// Asks for one message of a call: a SERVED_MESSAGE record comes, or SERVED_LAST when the caller has sent its last one.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_served_receive(net: Option<&TrilaneNet>, id: u64) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_served(net, id, |served| {
            served.change(|w| w.receive())?;
            Some(TrilaneStatus::Ok)
        })
    })
}

/// Sends a message, which is copied. `FULL`: it was not taken; a SERVED_ROOM record comes when messages are taken
/// again. `GONE`: the call has ended.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_served_send(net: Option<&TrilaneNet>, id: u64, message: TrilaneStr) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_served(net, id, |served| {
            // SAFETY: the caller's promise.
            let message = unsafe { message.bytes().unwrap_or_default() };
            let taken = served.change(|w| w.send(message))?;
            Some(if taken { TrilaneStatus::Ok } else { TrilaneStatus::Full })
        })
    })
}

/// Sends the response headers now, with this metadata (pairs as in `trilane_request`). `NOT_UTF8`: it is malformed, and
/// nothing was sent.
///
/// # Safety
/// `metadata` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_served_headers(
    net: Option<&TrilaneNet>,
    id: u64,
    metadata: TrilaneStr,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_served(net, id, |served| {
            // SAFETY: the caller's promise.
            let Some(headers) = pairs(unsafe { metadata.bytes() }) else { return Some(TrilaneStatus::NotUtf8) };
            served.change(|w| w.headers(headers, true))?;
            Some(TrilaneStatus::Ok)
        })
    })
}

/// Ends a call. What was sent before goes out first. `GONE`: it has ended already. `NOT_UTF8`: headers or trailers are
/// malformed, and the call was ended with INTERNAL.
///
/// # Safety
/// `answer` and its texts are NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_served_end(
    net: Option<&TrilaneNet>,
    id: u64,
    answer: Option<&TrilaneAnswer>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(answer) = answer else { return TrilaneStatus::NullArgument };
        if answer.struct_size != size_of::<TrilaneAnswer>() {
            return TrilaneStatus::BadStruct;
        }
        on_served(net, id, |served| {
            // SAFETY: the caller's promise.
            let (message, details) = unsafe { (answer.message.bytes(), answer.details.bytes()) };
            let mut status = match answer.code {
                0 => Status::ok(),
                n => Status::new(Code::from_number(n).unwrap_or(Code::Unknown), text(message)),
            };
            if let Some(details) = details.filter(|d| !d.is_empty()) {
                status = status.with_details(Bytes::copy_from_slice(details));
            }
            // SAFETY: the caller's promise.
            let (headers, trailers) = unsafe { (pairs(answer.headers.bytes()), pairs(answer.trailers.bytes())) };
            let (Some(headers), Some(trailers)) = (headers, trailers) else {
                let why = "the server's headers or trailers are no pairs of a name in UTF-8 and a value";
                served.change(|w| w.end(Status::new(Code::Internal, why), Vec::new()))?;
                return Some(TrilaneStatus::NotUtf8);
            };
            served.change(|w| {
                w.headers(headers, false);
                if answer.has_data != 0 {
                    // SAFETY: the caller's promise.
                    w.queue(unsafe { answer.data.bytes().unwrap_or_default() });
                }
                w.end(status, trailers);
            })?;
            Some(TrilaneStatus::Ok)
        })
    })
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}
