// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.CallCredentials;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * A call. A unary one crosses once with its message, at half-close, and comes back once with everything; others cross
 * for each message. Whoever comes first ends it: the answer, a cancellation, a failure here.
 */
final class TrilaneClientCall<ReqT, RespT> extends ClientCall<ReqT, RespT>
        implements Hub.Sink, Context.CancellationListener {
    private static final int WAIT_FOR_READY = 1;
    private static final int GZIP = 4;

    @SuppressWarnings("rawtypes")
    private static final AtomicIntegerFieldUpdater<TrilaneClientCall> CLOSED =
            AtomicIntegerFieldUpdater.newUpdater(TrilaneClientCall.class, "closed");

    final TrilaneChannel channel;
    private final MethodDescriptor<ReqT, RespT> method;
    private final CallOptions options;
    private final Context context = Context.current();
    private final String lane = Lane.of(context);
    private final boolean unary;
    private final CallQueue queue;
    private final Executor executor;

    private volatile Listener<RespT> listener;
    private Metadata headers;
    private Deadline deadline;
    private Tracers tracers = Tracers.NONE;
    /** What was left of it when the call left. */
    private long given;
    private boolean gzip;
    private boolean compress = true;
    /** What was asked before credentials were there; null if nothing has to wait. */
    private ArrayDeque<Runnable> before;

    private volatile boolean begun;
    private volatile long id;
    @SuppressWarnings("unused")
    private volatile int closed;
    /** Set with the first failure on the executor; its status is what the listener sees. */
    private Status failure;

    private byte[] message;
    private boolean halfClosed;
    private final AtomicInteger requested;
    /** A unary answer that nobody has asked for yet. */
    private volatile Runnable answer;
    /** ROOM records, and how many had come when the stream was last full. */
    private volatile int rooms;
    private volatile int fullAt = -1;

    TrilaneClientCall(TrilaneChannel channel, MethodDescriptor<ReqT, RespT> method, CallOptions options) {
        this.channel = channel;
        this.method = method;
        this.options = options;
        unary = method.getType() == MethodDescriptor.MethodType.UNARY;
        requested = unary ? new AtomicInteger() : null;
        executor = options.getExecutor() != null ? options.getExecutor() : channel.executor();
        queue = new CallQueue(executor, context, lane);
    }

    @Override
    public void start(Listener<RespT> listener, Metadata headers) {
        if (this.listener != null) {
            throw new IllegalStateException("the call was started already");
        }
        this.listener = listener;
        this.headers = headers;
        channel.started();
        if (context.isCancelled()) {
            finish(Contexts.statusFromCancelled(context));
            return;
        }
        Status refused = refusal();
        if (refused != null) {
            finish(refused);
            return;
        }
        context.addListener(this, Runnable::run);
        CallCredentials credentials = options.getCredentials();
        if (credentials == null) {
            begin();
        } else {
            before = new ArrayDeque<>();
            new CredentialsStep(credentials, method, options, channel.authority(), executor, headers,
                    this::beginLate, this::finish).run();
        }
    }

    /** Why the call cannot be made; null if it can. */
    private Status refusal() {
        if (channel.isShutdown()) {
            return Status.UNAVAILABLE.withDescription("the channel was shut down");
        }
        deadline = earlier(options.getDeadline(), context.getDeadline());
        if (deadline != null && deadline.isExpired()) {
            return Status.DEADLINE_EXCEEDED.withDescription("ClientCall started after CallOptions deadline was exceeded: "
                    + method.getFullMethodName());
        }
        if (options.getAuthority() != null && !options.getAuthority().equals(channel.authority())) {
            return Status.UNIMPLEMENTED.withDescription("an authority for one call is not supported; set it on the"
                    + " channel: TrilaneChannelBuilder.overrideAuthority");
        }
        String compressor = options.getCompressor();
        if (compressor != null && !compressor.equals("identity")) {
            if (!compressor.equals("gzip")) {
                return Status.INTERNAL.withDescription("Unable to find compressor by name " + compressor);
            }
            gzip = true;
        }
        return null;
    }

    private static Deadline earlier(Deadline a, Deadline b) {
        return a == null ? b : b == null ? a : a.minimum(b);
    }

    private void begin() {
        if (!unary) {
            open();
        }
        begun = true;
    }

    /** Credentials are there: what was asked meanwhile happens now. */
    private void beginLate() {
        synchronized (this) {
            if (!unary && closed == 0) {
                open();
            }
            for (Runnable next = before.poll(); next != null; next = before.poll()) {
                next.run();
            }
            begun = true;
        }
    }

    private void op(Runnable op) {
        if (!begun && before != null) {
            synchronized (this) {
                if (!begun) {
                    before.add(op);
                    return;
                }
            }
        }
        op.run();
    }

    /** Nanoseconds until the deadline; 0 for none. A deadline that has passed is the shortest there is. */
    private long left() {
        given = deadline == null ? 0 : Math.max(deadline.timeRemaining(TimeUnit.NANOSECONDS), 1);
        return given;
    }

    private int flags(boolean compressed) {
        return (options.isWaitForReady() ? WAIT_FOR_READY : 0) | (compressed ? GZIP : 0);
    }

    private void open() {
        tracers = Tracers.of(options, headers);
        long number = channel.enter(this);
        id = number;
        byte[] metadata = Wire.flatten(headers);
        byte[] path = Paths.of(method);
        byte[] lane = Lane.bytes(this.lane);
        if (!Native.callStream(channel.hub(), channel.id(), number, flags(gzip), left(), path, metadata, lane)) {
            channel.leave(number);
            finish(Status.UNAVAILABLE.withDescription("the channel was shut down"));
            return;
        }
        if (closed != 0) {
            Native.cancel(channel.hub(), number);
        }
        if (!method.getType().clientSendsOneMessage()) {
            queue.add(this::tellReady);
        }
    }

    private void submit() {
        if (message == null || closed != 0) {
            // Half-closed without a message: an answer is not possible.
            finish(Status.INTERNAL.withDescription("a unary call was half-closed without a message"));
            return;
        }
        tracers = Tracers.of(options, headers);
        tracers.sent(message.length);
        long number = channel.enter(this);
        id = number;
        byte[] bytes = message;
        message = null;
        byte[] path = Paths.of(method);
        byte[] metadata = Wire.flatten(headers);
        int flags = flags(gzip && compress);
        byte[] lane = Lane.bytes(this.lane);
        if (!Native.callUnary(channel.hub(), channel.id(), number, flags, left(), path, metadata, lane, bytes)) {
            channel.leave(number);
            finish(Status.UNAVAILABLE.withDescription("the channel was shut down"));
        } else if (closed != 0) {
            Native.cancel(channel.hub(), number);
        }
    }

    @Override
    public void sendMessage(ReqT value) {
        if (listener == null || halfClosed) {
            throw new IllegalStateException(listener == null ? "the call was not started" : "the call was half-closed");
        }
        byte[] bytes;
        try {
            bytes = Wire.message(method.streamRequest(value));
            Integer most = options.getMaxOutboundMessageSize();
            if (most != null && bytes.length > most) {
                throw Status.RESOURCE_EXHAUSTED
                        .withDescription("message too large " + bytes.length + " , max: " + most)
                        .asRuntimeException();
            }
        } catch (Exception e) {
            cancel("Failed to stream message", e);
            return;
        }
        if (unary) {
            message = bytes;
        } else {
            boolean compressed = gzip && compress;
            op(() -> send(bytes, compressed));
        }
    }

    private void send(byte[] bytes, boolean compressed) {
        if (closed != 0) {
            return;
        }
        tracers.sent(bytes.length);
        int seen = rooms;
        if (!Native.send(channel.hub(), id, bytes, compressed)) {
            fullAt = seen;
        }
    }

    @Override
    public void halfClose() {
        if (listener == null || halfClosed) {
            throw new IllegalStateException(listener == null ? "the call was not started" : "the call was half-closed");
        }
        halfClosed = true;
        if (closed != 0) {
            return;
        }
        if (unary) {
            op(this::submit);
        } else {
            op(() -> Native.halfClose(channel.hub(), id));
        }
    }

    @Override
    public void request(int messages) {
        if (messages < 0) {
            throw new IllegalArgumentException("a negative number of messages was requested: " + messages);
        }
        if (!unary) {
            op(() -> Native.request(channel.hub(), id, messages));
        } else if (messages > 0) {
            requested.set(1);
            Runnable waiting = answer;
            if (waiting != null) {
                queue.add(this::deliver);
            }
        }
    }

    @Override
    public boolean isReady() {
        return begun && closed == 0 && !halfClosed && (unary ? message == null : rooms > fullAt);
    }

    @Override
    public void setMessageCompression(boolean enabled) {
        compress = enabled;
    }

    @Override
    public void cancel(String why, Throwable cause) {
        if (listener == null) {
            return;
        }
        Status status = Status.CANCELLED.withCause(cause);
        finish(status.withDescription(why != null ? why : cause != null ? null : "Call cancelled without message"));
    }

    @Override
    public void cancelled(Context context) {
        finish(Contexts.statusFromCancelled(context));
    }

    void channelGone() {
        finish(Status.UNAVAILABLE.withDescription("Channel shutdownNow invoked"));
    }

    /** Ends the call from this side, unless it has ended. */
    private void finish(Status status) {
        if (!CLOSED.compareAndSet(this, 0, 1)) {
            return;
        }
        long number = id;
        if (number != 0) {
            Native.cancel(channel.hub(), number);
        }
        queue.add(() -> close(status, new Metadata()));
    }

    @Override
    public boolean on(Record record) {
        switch (record.kind) {
            case Record.END:
                if (CLOSED.compareAndSet(this, 0, 2)) {
                    ended(record);
                }
                return false;
            case Record.HEADERS: {
                Metadata received = record.headers();
                queue.add(() -> tellHeaders(received));
                return true;
            }
            case Record.MESSAGE: {
                byte[] bytes = record.data();
                queue.add(() -> tellMessage(bytes));
                return true;
            }
            case Record.ROOM:
                rooms++;
                queue.add(this::tellReady);
                return true;
            default:
                return true;
        }
    }

    private Status status(Record record) {
        Status status = Wire.status(record.code, record.text());
        boolean late = status.getCode() == Status.Code.DEADLINE_EXCEEDED && deadline != null && deadline.isExpired();
        if (!late) {
            return status;
        }
        // The words of grpc-java, which logs are searched for.
        return status.withDescription(String.format("deadline exceeded after %.9fs. [%s]", given / 1e9, record.text()));
    }

    private void ended(Record record) {
        Status status = status(record);
        Metadata trailers = record.trailers();
        if (!unary) {
            queue.add(() -> close(status, trailers));
            return;
        }
        Metadata received = record.hasHeaders() ? record.headers() : null;
        byte[] bytes = status.isOk() ? record.data() : null;
        answer = () -> {
            if (received != null) {
                tellHeaders(received);
            }
            if (bytes != null) {
                tellMessage(bytes);
            }
            close(status, trailers);
        };
        // Otherwise request() delivers: it sets `requested` before it looks at `answer`.
        if (bytes == null || requested.get() > 0) {
            queue.add(this::deliver);
        }
    }

    private void deliver() {
        Runnable waiting = answer;
        answer = null;
        if (waiting != null) {
            waiting.run();
        }
    }

    // The rest runs on the call's executor, one after the other.

    private boolean over() {
        return closed == 1 || failure != null;
    }

    private void tellReady() {
        if (!over()) {
            try {
                listener.onReady();
            } catch (Throwable e) {
                failed("Failed to call onReady.", e);
            }
        }
    }

    private void tellHeaders(Metadata received) {
        if (!over()) {
            try {
                tracers.headers();
                listener.onHeaders(received);
            } catch (Throwable e) {
                failed("Failed to read headers", e);
            }
        }
    }

    private void tellMessage(byte[] bytes) {
        if (over()) {
            return;
        }
        try {
            tracers.received(bytes.length);
            Integer most = options.getMaxInboundMessageSize();
            if (most != null && bytes.length > most) {
                failure = Status.RESOURCE_EXHAUSTED.withDescription(
                        "gRPC message exceeds maximum size " + most + ": " + bytes.length);
                finish(failure);
                return;
            }
            listener.onMessage(method.parseResponse(new Wire.Received(bytes)));
        } catch (Throwable e) {
            failed("Failed to read message.", e);
        }
    }

    private void failed(String what, Throwable e) {
        failure = Status.CANCELLED.withCause(e).withDescription(what);
        finish(failure);
    }

    private void close(Status status, Metadata trailers) {
        context.removeListener(this);
        channel.ended();
        boolean failedHere = failure != null && failure != status;
        Status last = failedHere ? failure : status;
        try {
            tracers.closed(last, closed == 2 ? trailers : null);
        } finally {
            listener.onClose(last, failedHere ? new Metadata() : trailers);
        }
    }
}
