// SPDX-License-Identifier: Apache-2.0
package conformance;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import connectrpc.conformance.v1.Service;
import connectrpc.conformance.v1.Service.UnaryResponse;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Our Java face as the client and the server that connectconformance asks for: {@code client} takes requests from stdin,
 * {@code server} one; messages have their length before them.
 *
 * <p>Requests cross as bytes; replies of all methods are read as UnaryResponse, from which they differ by name only.
 */
final class Conformance {
    static final String SERVICE = "connectrpc.conformance.v1.ConformanceService";
    static final Map<String, MethodType> METHODS = Map.of(
            "Unary", MethodType.UNARY,
            "ServerStream", MethodType.SERVER_STREAMING,
            "ClientStream", MethodType.CLIENT_STREAMING,
            "BidiStream", MethodType.BIDI_STREAMING,
            "Unimplemented", MethodType.UNARY);

    /** google.rpc.Status, whose fields are those of the suite's own error. */
    private static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    /** Messages as they are on the wire. */
    private static final MethodDescriptor.Marshaller<byte[]> REQUEST = new MethodDescriptor.Marshaller<byte[]>() {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    private static final MethodDescriptor.Marshaller<UnaryResponse> REPLY = new MethodDescriptor.Marshaller<UnaryResponse>() {
        @Override
        public InputStream stream(UnaryResponse value) {
            return value.toByteString().newInput();
        }

        @Override
        public UnaryResponse parse(InputStream stream) {
            try {
                return UnaryResponse.parseFrom(stream);
            } catch (IOException e) {
                throw Status.INTERNAL.withDescription("a reply that is none: " + e.getMessage()).asRuntimeException();
            }
        }
    };

    private static final DataInputStream IN = new DataInputStream(System.in);

    private Conformance() {}

    public static void main(String[] args) throws Exception {
        switch (String.join(" ", args)) {
            case "client":
                ConformanceClient.run();
                System.exit(0);
                break;
            case "server":
                ConformanceServer.run();
                break;
            default:
                System.err.println("conformance client | server");
                System.exit(2);
        }
    }

    /** The next message on stdin; null at its end. */
    static byte[] read() throws IOException {
        int size;
        try {
            size = IN.readInt();
        } catch (EOFException end) {
            return null;
        }
        return IN.readNBytes(size);
    }

    static synchronized void write(MessageLite message) {
        try {
            DataOutputStream out = new DataOutputStream(System.out);
            out.writeInt(message.getSerializedSize());
            out.write(message.toByteArray());
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static MethodDescriptor<byte[], UnaryResponse> method(String service, String name) {
        return MethodDescriptor.newBuilder(REQUEST, REPLY)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
                .setType(METHODS.get(name))
                .build();
    }

    /** Metadata as the suite writes it: values of binary names in base64. */
    static List<Service.Header> headers(Metadata metadata) {
        List<Service.Header> all = new ArrayList<>();
        for (String name : metadata == null ? List.<String>of() : metadata.keys()) {
            Service.Header.Builder header = Service.Header.newBuilder().setName(name);
            if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
                metadata.getAll(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER))
                        .forEach(v -> header.addValue(Base64.getEncoder().withoutPadding().encodeToString(v)));
            } else {
                metadata.getAll(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER)).forEach(header::addValue);
            }
            all.add(header.build());
        }
        return all;
    }

    static Metadata metadata(List<Service.Header> headers) {
        Metadata metadata = new Metadata();
        for (Service.Header header : headers) {
            String name = header.getName().toLowerCase(Locale.ROOT);
            for (String value : header.getValueList()) {
                if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
                    metadata.put(
                            Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER), Base64.getDecoder().decode(value));
                } else {
                    metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
                }
            }
        }
        return metadata;
    }

    static Service.Error error(Status status, Metadata trailers) throws InvalidProtocolBufferException {
        Service.Error.Builder error = Service.Error.newBuilder().setCodeValue(status.getCode().value());
        if (status.getDescription() != null) {
            error.setMessage(status.getDescription());
        }
        byte[] details = trailers == null ? null : trailers.get(DETAILS);
        if (details != null) {
            error.addAllDetails(Service.Error.parseFrom(details).getDetailsList());
        }
        return error.build();
    }

    static void putDetails(Metadata trailers, Service.Error error) {
        trailers.put(DETAILS, error.toByteArray());
    }

    static Any any(String message, byte[] value) {
        String url = "type.googleapis.com/connectrpc.conformance.v1." + message;
        return Any.newBuilder().setTypeUrl(url).setValue(ByteString.copyFrom(value)).build();
    }

    /** Keeps a PEM text where the transport reads it. */
    static File file(ByteString pem) throws IOException {
        File file = File.createTempFile("conformance-", ".pem");
        file.deleteOnExit();
        Files.write(file.toPath(), pem.toByteArray());
        return file;
    }
}
