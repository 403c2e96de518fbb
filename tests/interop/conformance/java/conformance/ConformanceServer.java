// SPDX-License-Identifier: Apache-2.0
package conformance;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import connectrpc.conformance.v1.ServerCompat.ServerCompatRequest;
import connectrpc.conformance.v1.ServerCompat.ServerCompatResponse;
import connectrpc.conformance.v1.Service.BidiStreamRequest;
import connectrpc.conformance.v1.Service.ConformancePayload;
import connectrpc.conformance.v1.Service.ConformancePayload.RequestInfo;
import connectrpc.conformance.v1.Service.Error;
import connectrpc.conformance.v1.Service.StreamResponseDefinition;
import connectrpc.conformance.v1.Service.UnaryRequest;
import connectrpc.conformance.v1.Service.UnaryResponse;
import connectrpc.conformance.v1.Service.UnaryResponseDefinition;
import io.github.trilane.grpc.TrilaneServerBuilder;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** One call of the service, answered as its first message asks. */
final class ConformanceServer extends ServerCall.Listener<byte[]> {
    private final String name;
    private final MethodType type;
    private final ServerCall<byte[], UnaryResponse> call;
    private final Metadata headers;
    private final List<Any> requests = new ArrayList<>();
    /** What the first message of a stream of answers asks for, and how far it got. */
    private StreamResponseDefinition stream = StreamResponseDefinition.getDefaultInstance();

    private boolean full;
    private int sent;
    private boolean ended;

    private ConformanceServer(String name, ServerCall<byte[], UnaryResponse> call, Metadata headers) {
        this.name = name;
        this.call = call;
        this.headers = headers;
        type = call.getMethodDescriptor().getType();
        call.request(1);
    }

    /** Hosts the service as stdin asks until the process is told to end. */
    static void run() throws Exception {
        ServerCompatRequest asked = ServerCompatRequest.parseFrom(Conformance.read());
        TrilaneServerBuilder builder =
                TrilaneServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        if (asked.getUseTls()) {
            builder.useTransportSecurity(
                    Conformance.file(asked.getServerCreds().getCert()), Conformance.file(asked.getServerCreds().getKey()));
        }
        if (!asked.getClientTlsCert().isEmpty()) {
            builder.clientCertificates(Conformance.file(asked.getClientTlsCert()));
        }
        if (asked.getMessageReceiveLimit() > 0) {
            builder.maxInboundMessageSize(asked.getMessageReceiveLimit());
        }
        ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(Conformance.SERVICE);
        for (String name : Conformance.METHODS.keySet()) {
            if (!name.equals("Unimplemented")) {
                service.addMethod(
                        Conformance.method(Conformance.SERVICE, name),
                        (call, headers) -> new ConformanceServer(name, call, headers));
            }
        }
        Server server = builder.addService(service.build()).build().start();
        Conformance.write(ServerCompatResponse.newBuilder()
                .setHost("127.0.0.1")
                .setPort(server.getPort())
                .setPemCert(asked.getServerCreds().getCert())
                .build());
        server.awaitTermination();
    }

    @Override
    public void onMessage(byte[] message) {
        if (ended) {
            return;
        }
        requests.add(Conformance.any(name + "Request", message));
        try {
            boolean first = requests.size() == 1 && sent == 0;
            if (first && !type.serverSendsOneMessage()) {
                begin(message);
            }
            if (full && sent < stream.getResponseDataCount()) {
                next(sent == 0 ? info() : RequestInfo.newBuilder().addAllRequests(requests).build());
                requests.clear();
            } else if (full) {
                rest();
                return;
            }
        } catch (InvalidProtocolBufferException e) {
            end(Status.INVALID_ARGUMENT.withCause(e), new Metadata());
        }
        call.request(1);
    }

    /** The messages of both streams of answers differ in one field that only one has. */
    private void begin(byte[] message) throws InvalidProtocolBufferException {
        BidiStreamRequest asked = BidiStreamRequest.parseFrom(message);
        full = type == MethodType.BIDI_STREAMING && asked.getFullDuplex();
        stream = asked.getResponseDefinition();
        call.sendHeaders(Conformance.metadata(stream.getResponseHeadersList()));
    }

    @Override
    public void onHalfClose() {
        if (ended) {
            return;
        }
        if (type.clientSendsOneMessage() && requests.size() != 1) {
            // What generated services make of it; the code is that of gRPC's list of statuses.
            end(Status.UNIMPLEMENTED.withDescription(requests.size() + " messages, one is expected"), new Metadata());
            return;
        }
        try {
            if (type.serverSendsOneMessage()) {
                single();
            } else {
                rest();
            }
        } catch (InvalidProtocolBufferException e) {
            end(Status.INVALID_ARGUMENT.withCause(e), new Metadata());
        }
    }

    private void single() throws InvalidProtocolBufferException {
        UnaryResponseDefinition asked = requests.isEmpty()
                ? UnaryResponseDefinition.getDefaultInstance()
                : UnaryRequest.parseFrom(requests.get(0).getValue()).getResponseDefinition();
        pause(asked.getResponseDelayMs());
        call.sendHeaders(Conformance.metadata(asked.getResponseHeadersList()));
        Metadata trailers = Conformance.metadata(asked.getResponseTrailersList());
        if (asked.hasError()) {
            fail(asked.getError(), info(), trailers);
            return;
        }
        payload(asked.getResponseData(), info());
        end(Status.OK, trailers);
    }

    private void rest() {
        while (sent < stream.getResponseDataCount()) {
            next(sent == 0 ? info() : null);
        }
        Metadata trailers = Conformance.metadata(stream.getResponseTrailersList());
        if (stream.hasError()) {
            fail(stream.getError(), sent == 0 ? info() : null, trailers);
            return;
        }
        if (sent == 0 && requests.isEmpty()) {
            call.sendHeaders(new Metadata());
        }
        end(Status.OK, trailers);
    }

    private void next(RequestInfo info) {
        pause(stream.getResponseDelayMs());
        payload(stream.getResponseData(sent++), info);
    }

    private void payload(ByteString data, RequestInfo info) {
        ConformancePayload.Builder payload = ConformancePayload.newBuilder().setData(data);
        if (info != null) {
            payload.setRequestInfo(info);
        }
        call.sendMessage(UnaryResponse.newBuilder().setPayload(payload).build());
    }

    /** The asked error; what was seen goes with it where no answer has told it. */
    private void fail(Error error, RequestInfo info, Metadata trailers) {
        Error.Builder whole = error.toBuilder();
        if (info != null) {
            whole.addDetails(Conformance.any("ConformancePayload.RequestInfo", info.toByteArray()));
        }
        Conformance.putDetails(trailers, whole.build());
        end(Status.fromCodeValue(error.getCodeValue()).withDescription(error.getMessage()), trailers);
    }

    private RequestInfo info() {
        RequestInfo.Builder info =
                RequestInfo.newBuilder().addAllRequestHeaders(Conformance.headers(headers)).addAllRequests(requests);
        Deadline deadline = Context.current().getDeadline();
        if (deadline != null) {
            info.setTimeoutMs(Math.max(0, deadline.timeRemaining(TimeUnit.MILLISECONDS)));
        }
        return info.build();
    }

    private void end(Status status, Metadata trailers) {
        ended = true;
        call.close(status, trailers);
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
