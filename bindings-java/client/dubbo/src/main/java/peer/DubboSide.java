// SPDX-License-Identifier: Apache-2.0
package peer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.StatusRpcException;
import org.apache.dubbo.rpc.TriRpcStatus;

/** dubbo-java in IDL mode: `serve PORT`, or `call HOST:PORT` for calling a server of ours. */
public final class DubboSide {
    private DubboSide() {}

    public static void main(String[] args) throws Exception {
        ApplicationConfig application = new ApplicationConfig("peer");
        application.setQosEnable(false);
        DubboBootstrap bootstrap = DubboBootstrap.getInstance();
        bootstrap.application(application).registry(new RegistryConfig("N/A"));
        if (args[0].equals("serve")) {
            ServiceConfig<Echo> service = new ServiceConfig<>();
            service.setInterface(Echo.class);
            service.setRef(new Service());
            bootstrap.protocol(new ProtocolConfig("tri", Integer.parseInt(args[1]))).service(service).start();
            System.out.println("READY " + args[1]);
            bootstrap.await();
        } else {
            call(bootstrap, "tri://" + args[1]);
        }
    }

    private static Text text(String text) {
        return Text.newBuilder().setText(text).build();
    }

    private static final class Service extends DubboEchoTriple.EchoImplBase {
        @Override
        public Text say(Text request) {
            String lane = RpcContext.getServerAttachment().getAttachment("x-lane");
            RpcContext.getServerResponseContext().setAttachment("x-answer", "from-" + lane);
            switch (request.getText()) {
                case "lane":
                    return text(lane);
                case "fail":
                    throw TriRpcStatus.NOT_FOUND.withDescription("no 1+1 here").asException();
                case "newline":
                    throw new IllegalStateException("line1\nline2");
                case "sleep":
                    try {
                        TimeUnit.SECONDS.sleep(3);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    return request;
                default:
                    return request;
            }
        }

        @Override
        public void many(Text request, StreamObserver<Text> observer) {
            for (int i = 0; i < 3; i++) {
                observer.onNext(text(request.getText() + i));
            }
            observer.onCompleted();
        }

        @Override
        public StreamObserver<Text> gather(StreamObserver<Text> observer) {
            return each(observer, true);
        }

        @Override
        public StreamObserver<Text> chat(StreamObserver<Text> observer) {
            return each(observer, false);
        }
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
                    observer.onNext(text(all.toString()));
                }
                observer.onCompleted();
            }
        };
    }

    private static Echo refer(String url, String version, int timeout) {
        ReferenceConfig<Echo> reference = new ReferenceConfig<>();
        reference.setInterface(Echo.class);
        reference.setUrl(url);
        reference.setProxy("nativestub");
        reference.setTimeout(timeout);
        reference.setVersion(version);
        return reference.get();
    }

    private static void call(DubboBootstrap bootstrap, String url) {
        bootstrap.start();
        Echo echo = refer(url, null, 20_000);
        Cases cases = new Cases("dubbo-java " + OurSide.DUBBO + " -> ours");
        cases.check("unary", "hello", () -> echo.say(text("hello")).getText());
        cases.check("server stream", "[a0, a1, a2]", () -> {
            Collected replies = new Collected();
            echo.many(text("a"), replies);
            return replies.end.get(20, TimeUnit.SECONDS).toString();
        });
        cases.check("client stream", "[abc]", () -> stream(echo, true).toString());
        cases.check("bidirectional stream", "[a, b, c]", () -> stream(echo, false).toString());
        cases.check("attachments both ways", "gray from-gray", () -> {
            RpcContext.getClientAttachment().setAttachment("x-lane", "gray");
            String seen = echo.say(text("lane")).getText();
            return seen + " " + RpcContext.getClientResponseContext().getAttachment("x-answer");
        });
        cases.check("error", "NOT_FOUND : no 1+1 here\nsecond line", () -> {
            try {
                return echo.say(text("fail")).getText();
            } catch (RpcException e) {
                String said = e.getMessage();
                String status = StatusRpcException.class.getSimpleName() + ": ";
                return said.substring(said.indexOf(status) + status.length());
            }
        });
        cases.check("after the error with a newline", "hello", () -> echo.say(text("hello")).getText());
        cases.check("version 1.0.0 asked of a service without", "hello",
                () -> refer(url, "1.0.0", 20_000).say(text("hello")).getText());
        cases.check("deadline", "true", () -> {
            try {
                return refer(url, null, 500).say(text("sleep")).getText();
            } catch (RpcException e) {
                // Our reset (CANCEL) and Dubbo's own timer race; Dubbo does not compare a reset with its clock.
                String said = String.valueOf(e.getMessage());
                boolean late = e.isTimeout() || said.contains("DEADLINE_EXCEEDED") || said.contains("errorCode=8");
                return late ? "true" : e.toString();
            }
        });
        cases.end();
    }

    private static final class Collected implements StreamObserver<Text> {
        private final List<String> got = new ArrayList<>();
        final CompletableFuture<List<String>> end = new CompletableFuture<>();

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
    }

    private static List<String> stream(Echo echo, boolean gather) throws Exception {
        Collected replies = new Collected();
        StreamObserver<Text> send = gather ? echo.gather(replies) : echo.chat(replies);
        for (String one : new String[] {"a", "b", "c"}) {
            send.onNext(text(one));
        }
        send.onCompleted();
        return replies.end.get(20, TimeUnit.SECONDS);
    }
}
