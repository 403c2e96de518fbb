// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Attributes;
import io.grpc.CallCredentials;
import io.grpc.CallOptions;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.SecurityLevel;
import io.grpc.Status;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** Asks a call's credentials for metadata, and then goes on. */
final class CredentialsStep extends CallCredentials.MetadataApplier implements Runnable {
    private final CallCredentials credentials;
    private final MethodDescriptor<?, ?> method;
    private final CallOptions options;
    private final String authority;
    private final Executor executor;
    private final Metadata headers;
    private final Runnable then;
    private final Consumer<Status> failed;
    private final AtomicBoolean answered = new AtomicBoolean();

    CredentialsStep(
            CallCredentials credentials, MethodDescriptor<?, ?> method, CallOptions options, String authority,
            Executor executor, Metadata headers, Runnable then, Consumer<Status> failed) {
        this.credentials = credentials;
        this.method = method;
        this.options = options;
        this.authority = authority;
        this.executor = executor;
        this.headers = headers;
        this.then = then;
        this.failed = failed;
    }

    @Override
    public void run() {
        try {
            credentials.applyRequestMetadata(new Info(), executor, this);
        } catch (Throwable e) {
            fail(Status.UNAUTHENTICATED.withDescription("Credentials should use fail() instead of throwing exceptions")
                    .withCause(e));
        }
    }

    @Override
    public void apply(Metadata more) {
        if (answered.compareAndSet(false, true)) {
            headers.merge(more);
            then.run();
        }
    }

    @Override
    public void fail(Status status) {
        if (answered.compareAndSet(false, true)) {
            failed.accept(status);
        }
    }

    private final class Info extends CallCredentials.RequestInfo {
        @Override
        public MethodDescriptor<?, ?> getMethodDescriptor() {
            return method;
        }

        @Override
        public CallOptions getCallOptions() {
            return options;
        }

        @Override
        public SecurityLevel getSecurityLevel() {
            return SecurityLevel.NONE;
        }

        @Override
        public String getAuthority() {
            return authority;
        }

        @Override
        public Attributes getTransportAttrs() {
            return Attributes.EMPTY;
        }
    }
}
