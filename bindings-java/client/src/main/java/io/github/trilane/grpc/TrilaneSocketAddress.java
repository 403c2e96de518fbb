// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import java.net.SocketAddress;

/** What the scheme {@code trilane} resolves to. No other transport takes it, and ours takes no other. */
public final class TrilaneSocketAddress extends SocketAddress {
    private static final long serialVersionUID = 1;

    private final String target;

    TrilaneSocketAddress(String target) {
        this.target = target;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TrilaneSocketAddress && ((TrilaneSocketAddress) other).target.equals(target);
    }

    @Override
    public int hashCode() {
        return target.hashCode();
    }

    @Override
    public String toString() {
        return "trilane:///" + target;
    }
}
