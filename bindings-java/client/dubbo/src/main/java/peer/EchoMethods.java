// SPDX-License-Identifier: Apache-2.0
package peer;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

/** What protoc-gen-grpc-java would make of echo.proto, as far as it is used. */
final class EchoMethods {
    static final MethodDescriptor<Text, Text> SAY = of(MethodType.UNARY, "Say");
    static final MethodDescriptor<Text, Text> MANY = of(MethodType.SERVER_STREAMING, "Many");
    static final MethodDescriptor<Text, Text> GATHER = of(MethodType.CLIENT_STREAMING, "Gather");
    static final MethodDescriptor<Text, Text> CHAT = of(MethodType.BIDI_STREAMING, "Chat");

    private EchoMethods() {}

    private static MethodDescriptor<Text, Text> of(MethodType type, String name) {
        return MethodDescriptor.<Text, Text>newBuilder()
                .setType(type)
                .setFullMethodName("peer.Echo/" + name)
                .setRequestMarshaller(ProtoUtils.marshaller(Text.getDefaultInstance()))
                .setResponseMarshaller(ProtoUtils.marshaller(Text.getDefaultInstance()))
                .build();
    }

    static Text text(String text) {
        return Text.newBuilder().setText(text).build();
    }
}
