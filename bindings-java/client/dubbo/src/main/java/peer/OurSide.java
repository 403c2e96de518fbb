// SPDX-License-Identifier: Apache-2.0
package peer;

import io.github.trilane.grpc.TrilaneChannelBuilder;
import io.github.trilane.grpc.TrilaneServerBuilder;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Our transport: `serve PORT`, or `call HOST:PORT` for calling a dubbo-java provider. */
public final class OurSide implements ServerInterceptor {
    /** The version of the dubbo-java on the class path. */
    static final String DUBBO = org.apache.dubbo.common.Version.getVersion();

    private static final Metadata.Key<String> LANE = Metadata.Key.of("x-lane", Metadata.ASCII_STRING_MARSHALLER);
    private static final Metadata.Key<String> ANSWER = Metadata.Key.of("x-answer", Metadata.ASCII_STRING_MARSHALLER);
    private static final Context.Key<String> SEEN = Context.key("lane");

    public static void main(String[] args) throws Exception {
        if (args[0].equals("serve")) {
            new OurSide().serve(Integer.parseInt(args[1]));
        } else {
            call(args[1]);
        }
    }

    private void serve(int port) throws Exception {
        ServerServiceDefinition service = ServerServiceDefinition.builder("peer.Echo")
                .addMethod(EchoMethods.SAY, ServerCalls.asyncUnaryCall(OurSide::say))
                .addMethod(EchoMethods.MANY, ServerCalls.asyncServerStreamingCall(OurSide::many))
                .addMethod(EchoMethods.GATHER, ServerCalls.asyncClientStreamingCall(o -> each(o, true)))
                .addMethod(EchoMethods.CHAT, ServerCalls.asyncBidiStreamingCall(o -> each(o, false)))
                .build();
        Server server = TrilaneServerBuilder.forPort(port).addService(service).intercept(this).build().start();
        System.out.println("READY " + server.getPort());
        server.awaitTermination();
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        String lane = headers.get(LANE);
        ServerCall<Q, P> answering = new SimpleForwardingServerCall<Q, P>(call) {
            @Override
            public void close(Status status, Metadata trailers) {
                trailers.put(ANSWER, "from-" + lane);
                super.close(status, trailers);
            }
        };
        return Contexts.interceptCall(Context.current().withValue(SEEN, lane), answering, headers, next);
    }

    private static void say(Text request, StreamObserver<Text> observer) {
        if (request.getText().equals("fail")) {
            observer.onError(Status.NOT_FOUND.withDescription("no 1+1 here\nsecond line").asException());
        } else if (request.getText().equals("sleep")) {
            // Never answered: the caller's deadline ends it.
        } else {
            String seen = SEEN.get();
            observer.onNext(EchoMethods.text(request.getText().equals("lane") ? seen : request.getText()));
            observer.onCompleted();
        }
    }

    private static void many(Text request, StreamObserver<Text> observer) {
        for (int i = 0; i < 3; i++) {
            observer.onNext(EchoMethods.text(request.getText() + i));
        }
        observer.onCompleted();
    }

    private static StreamObserver<Text> each(StreamObserver<Text> observer, boolean gather) {
        StringBuilder all = new StringBuilder();
        return new StreamObserver<Text>() {
            @Override
            public void onNext(Text message) {
                all.append(message.getText());
                if (!gather) {
                    observer.onNext(message);
                }
            }

            @Override
            public void onError(Throwable error) {}

            @Override
            public void onCompleted() {
                if (gather) {
                    observer.onNext(EchoMethods.text(all.toString()));
                }
                observer.onCompleted();
            }
        };
    }

    private static Text say(Channel channel, String text, long millis) {
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(millis, TimeUnit.MILLISECONDS);
        return ClientCalls.blockingUnaryCall(channel, EchoMethods.SAY, options, EchoMethods.text(text));
    }

    private static String status(Channel channel, String text, long millis) {
        try {
            say(channel, text, millis);
            return "OK";
        } catch (StatusRuntimeException e) {
            return e.getStatus().getCode().name();
        }
    }

    private static void call(String target) {
        Channel channel = TrilaneChannelBuilder.forTarget(target).usePlaintext().build();
        Cases cases = new Cases("ours -> dubbo-java " + DUBBO);
        cases.check("unary", "hello", () -> say(channel, "hello", 20_000).getText());
        cases.check("server stream", "a0a1a2", () -> {
            StringBuilder all = new StringBuilder();
            Iterator<Text> replies = ClientCalls.blockingServerStreamingCall(
                    channel, EchoMethods.MANY, CallOptions.DEFAULT, EchoMethods.text("a"));
            replies.forEachRemaining(r -> all.append(r.getText()));
            return all.toString();
        });
        cases.check("client stream", "[abc]", () -> stream(channel, true).toString());
        cases.check("bidirectional stream", "[a, b, c]", () -> stream(channel, false).toString());
        cases.check("attachments both ways", "gray from-gray", () -> {
            Metadata sent = new Metadata();
            sent.put(LANE, "gray");
            AtomicReference<Metadata> headers = new AtomicReference<>();
            AtomicReference<Metadata> trailers = new AtomicReference<>();
            Channel with = ClientInterceptors.intercept(channel,
                    MetadataUtils.newAttachHeadersInterceptor(sent),
                    MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
            return say(with, "lane", 20_000).getText() + " " + trailers.get().get(ANSWER);
        });
        cases.check("error", "NOT_FOUND", () -> status(channel, "fail", 20_000));
        cases.check("deadline", "DEADLINE_EXCEEDED", () -> status(channel, "sleep", 500));
        // dubbo-java 3.3.6 throws a NullPointerException of its own there and answers UNKNOWN.
        cases.check("a method that is not there", DUBBO.startsWith("3.3") ? "UNKNOWN" : "UNIMPLEMENTED", () -> {
            try {
                return ClientCalls.blockingUnaryCall(channel,
                        EchoMethods.SAY.toBuilder().setFullMethodName("peer.Echo/Nothing").build(),
                        CallOptions.DEFAULT, EchoMethods.text("")).toString();
            } catch (StatusRuntimeException e) {
                return e.getStatus().getCode().name();
            }
        });
        // Trap 1: dubbo-java puts the newline on the wire, which h2 must take for a broken connection.
        cases.check("trap 1: a newline in an error message fails that call, the next one has a new connection",
                "true hello", () -> {
                    String first = status(channel, "newline", 20_000);
                    return !first.equals("OK") + " " + say(channel, "hello", 20_000).getText();
                });
        cases.end();
    }

    private static List<String> stream(Channel channel, boolean gather) throws Exception {
        List<String> got = new ArrayList<>();
        CompletableFuture<List<String>> end = new CompletableFuture<>();
        StreamObserver<Text> observer = new StreamObserver<Text>() {
            @Override
            public void onNext(Text message) {
                got.add(message.getText());
            }

            @Override
            public void onError(Throwable error) {
                end.completeExceptionally(error);
            }

            @Override
            public void onCompleted() {
                end.complete(got);
            }
        };
        StreamObserver<Text> send = gather
                ? ClientCalls.asyncClientStreamingCall(channel.newCall(EchoMethods.GATHER, CallOptions.DEFAULT), observer)
                : ClientCalls.asyncBidiStreamingCall(channel.newCall(EchoMethods.CHAT, CallOptions.DEFAULT), observer);
        for (String one : new String[] {"a", "b", "c"}) {
            send.onNext(EchoMethods.text(one));
        }
        send.onCompleted();
        return end.get(20, TimeUnit.SECONDS);
    }
}
