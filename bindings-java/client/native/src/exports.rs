//! The natives of `io.github.trilane.grpc.Native`, found by their names. `hub` is always a value that `hub()` gave.

use crate::client::{self, Asked};
use crate::hub::{Hub, Under};
use crate::jni::{Env, boundary};
use crate::server;
use bytes::Bytes;
use jni_sys::{JNIEnv, jboolean, jbyteArray, jclass, jint, jlong, jobject};
use trilane_net::Io;

/// What Java expects; it moves with every change of a native.
const ABI: jint = 2;

/// # Safety
/// `hub` was given by [`hub`](Java_io_github_trilane_grpc_Native_hub).
unsafe fn at(hub: jlong) -> &'static Hub {
    // SAFETY: a hub is never freed, and Java's package-private code keeps the number as it was given.
    unsafe { &*(hub as usize as *const Hub) }
}

/// `static native int abi()`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_trilane_grpc_Native_abi(_env: *mut JNIEnv, _class: jclass) -> jint {
    ABI
}

/// `static native long hub()`: a queue that lives as long as the process; throws `IllegalArgumentException`.
///
/// # Safety
/// Called by the VM.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_hub(env: *mut JNIEnv, _class: jclass) -> jlong {
    boundary(0, || match Hub::new() {
        Ok(hub) => std::ptr::from_ref(Box::leak(Box::new(hub))) as usize as jlong,
        Err(e) => {
            Env(env).throw(&format!("the transport's I/O cannot be set up: {e}"));
            0
        }
    })
}

/// `static native int poll(long hub, ByteBuffer buffer)`: waits for records, the bytes written; more than the buffer has
/// if the first record does not fit. Connections of the hub's channels live only while one thread comes back here.
///
/// # Safety
/// Called by the VM; `hub` is a hub, `buffer` a direct buffer; both are used by this thread only.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_poll(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    buffer: jobject,
) -> jint {
    boundary(0, || {
        let Some((address, capacity)) = Env(env).direct(buffer) else { return 0 };
        // SAFETY: as promised; `poll` gives at most `capacity` bytes.
        let used = unsafe {
            at(hub).poll(capacity.min(i32::MAX as usize), |bytes| {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), address, bytes.len());
            })
        };
        jint::try_from(used).unwrap_or(jint::MAX)
    })
}

/// `static native int alive(long hub, int what)`: channels (0), calls (1), servers (2).
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_alive(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    what: jint,
) -> jint {
    boundary(0, || {
        // SAFETY: as promised.
        let alive = unsafe { at(hub) }.alive();
        alive.get(what as usize).map_or(0, |n| *n as jint)
    })
}

/// `static native long channelOpen(long hub, byte[] options)`: throws `IllegalArgumentException`.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_channelOpen(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    options: jbyteArray,
) -> jlong {
    boundary(0, || {
        // SAFETY: as promised.
        let (env, hub) = (Env(env), unsafe { at(hub) });
        match client::open(&env.bytes(options), &hub.io) {
            Ok(channel) => hub.add_channel(channel).cast_signed(),
            Err(why) => {
                env.throw(&why);
                0
            }
        }
    })
}

/// `static native void channelFree(long hub, long channel)`
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_channelFree(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    channel: jlong,
) {
    // SAFETY: as promised.
    boundary((), || unsafe { at(hub) }.drop_channel(channel.cast_unsigned()));
}

/// `static native boolean callUnary(long hub, long channel, long id, int flags, long nanos, byte[] path,
/// byte[] metadata, byte[] lane, byte[] message)`: false if there is no such channel.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_callUnary(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    channel: jlong,
    id: jlong,
    flags: jint,
    nanos: jlong,
    path: jbyteArray,
    metadata: jbyteArray,
    lane: jbyteArray,
    message: jbyteArray,
) -> jboolean {
    boundary(false, || {
        let env = Env(env);
        // SAFETY: as promised.
        let hub = unsafe { at(hub) };
        let Some(channel) = hub.channel(channel.cast_unsigned()) else { return false };
        client::unary(
            hub,
            &channel,
            id.cast_unsigned(),
            asked(env, flags, nanos, [path, metadata, lane]),
            env.message(message),
        );
        true
    })
}

/// `static native boolean callStream(long hub, long channel, long id, int flags, long nanos, byte[] path,
/// byte[] metadata, byte[] lane)`: false if there is no such channel.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_callStream(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    channel: jlong,
    id: jlong,
    flags: jint,
    nanos: jlong,
    path: jbyteArray,
    metadata: jbyteArray,
    lane: jbyteArray,
) -> jboolean {
    boundary(false, || {
        // SAFETY: as promised.
        let hub = unsafe { at(hub) };
        let Some(channel) = hub.channel(channel.cast_unsigned()) else { return false };
        client::stream(hub, &channel, id.cast_unsigned(), asked(Env(env), flags, nanos, [path, metadata, lane]));
        true
    })
}

fn asked(env: Env, flags: jint, nanos: jlong, [path, metadata, lane]: [jbyteArray; 3]) -> Asked {
    let (path, timeout) = (env.message(path), u64::try_from(nanos).unwrap_or(0));
    Asked { path, metadata: env.bytes(metadata), timeout, flags, lane: env.bytes(lane) }
}

/// `static native boolean send(long hub, long call, byte[] message, boolean compress)`: whether there is room for
/// another one; a ROOM record comes if not.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_send(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
    message: jbyteArray,
    compress: jboolean,
) -> jboolean {
    boundary(false, || {
        // SAFETY: as promised.
        let Some(call) = unsafe { at(hub) }.call(call.cast_unsigned()) else { return true };
        let message: Bytes = Env(env).message(message);
        match call {
            Under::Stream(stream) => stream.send(message, compress),
            Under::Serving(exchange) => exchange.send(message, compress),
            Under::Unary(_) => true,
        }
    })
}

/// `static native void request(long hub, long call, int messages)`
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_request(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
    messages: jint,
) {
    let messages = u32::try_from(messages).unwrap_or(0);
    // SAFETY: as promised.
    boundary((), || match unsafe { at(hub) }.call(call.cast_unsigned()) {
        Some(Under::Stream(stream)) => stream.request(messages),
        Some(Under::Serving(exchange)) => exchange.request(messages),
        _ => {}
    });
}

/// `static native void halfClose(long hub, long call)`
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_halfClose(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
) {
    boundary((), || {
        // SAFETY: as promised.
        if let Some(Under::Stream(stream)) = unsafe { at(hub) }.call(call.cast_unsigned()) {
            stream.half_close();
        }
    });
}

/// `static native void cancel(long hub, long call)`: a client's call; its END record still comes.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_cancel(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
) {
    // SAFETY: as promised.
    boundary((), || match unsafe { at(hub) }.call(call.cast_unsigned()) {
        Some(Under::Unary(cancel)) => cancel.cancel(),
        Some(Under::Stream(stream)) => stream.cancel(),
        _ => {}
    });
}

/// `static native long serverStart(long hub, int number, byte[] options)`: throws `IllegalArgumentException`.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_serverStart(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    number: jint,
    options: jbyteArray,
) -> jlong {
    boundary(0, || {
        // SAFETY: as promised.
        let (env, hub) = (Env(env), unsafe { at(hub) });
        let io = Io::shared().map_err(|e| format!("the I/O threads cannot be started: {e}"));
        match io.and_then(|io| server::start(hub, number, &env.bytes(options), &io)) {
            Ok(server) => hub.add_server(server).cast_signed(),
            Err(why) => {
                env.throw(&why);
                0
            }
        }
    })
}

/// `static native int serverLook(long hub, long server, int what)`: its port (0), its connections (1); -1 if it is gone.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_serverLook(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    server: jlong,
    what: jint,
) -> jint {
    boundary(-1, || {
        let look = |server: &trilane_net::Server| match what {
            0 => jint::from(server.local_addr().port()),
            _ => server.stats().connections.load(std::sync::atomic::Ordering::Acquire) as jint,
        };
        // SAFETY: as promised.
        unsafe { at(hub) }.with_server(server.cast_unsigned(), look).unwrap_or(-1)
    })
}

/// `static native void serverStop(long hub, long server, boolean now)`: takes nothing new; or ends and frees it.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_serverStop(
    _env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    server: jlong,
    now: jboolean,
) {
    boundary((), || {
        // SAFETY: as promised.
        let (hub, server) = (unsafe { at(hub) }, server.cast_unsigned());
        if now {
            hub.drop_server(server);
        } else {
            hub.with_server(server, trilane_net::Server::begin_drain);
        }
    });
}

fn serving(hub: &Hub, call: jlong, act: impl FnOnce(&server::Exchange)) {
    if let Some(Under::Serving(exchange)) = hub.call(call.cast_unsigned()) {
        act(&exchange);
    }
}

/// `static native void sendHeaders(long hub, long call, byte[] metadata)`: of a served call.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_sendHeaders(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
    metadata: jbyteArray,
) {
    // SAFETY: as promised.
    boundary((), || serving(unsafe { at(hub) }, call, |e| e.headers(Env(env).bytes(metadata))));
}

/// `static native void close(long hub, long call, int code, byte[] text, byte[] trailers)`: of a served call.
///
/// # Safety
/// Called by the VM; `hub` is a hub.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_trilane_grpc_Native_close(
    env: *mut JNIEnv,
    _class: jclass,
    hub: jlong,
    call: jlong,
    code: jint,
    text: jbyteArray,
    trailers: jbyteArray,
) {
    boundary((), || {
        let env = Env(env);
        let close = |e: &server::Exchange| e.close(server::status(code, env.bytes(text)), env.bytes(trailers));
        // SAFETY: as promised.
        serving(unsafe { at(hub) }, call, close);
    });
}
