// SPDX-License-Identifier: Apache-2.0
// The C page of docs/triple.md as a program: one call to HOST:PORT, with a PEM file of trusted certificates if there is
// a second argument. Prints the record's kind, tag and code. A test runs it and holds the page's lines to it.
#include <stdio.h>
#include <string.h>
#include "trilane_net.h"

static uint32_t word(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    trilane_str target = {(const uint8_t *)argv[1], strlen(argv[1])};
    trilane_str roots = {0};
    if (argc > 2) roots = (trilane_str){(const uint8_t *)argv[2], strlen(argv[2])};
    const uint8_t message[] = {0};
    const size_t length = 0;

    trilane_net *net; trilane_channel *channel; trilane_call *call; trilane_error *error = NULL;
    trilane_net_new(0, &net, &error);
    trilane_channel_open(net, target, roots, &channel, &error);
    trilane_request request = {.struct_size = sizeof request, .tag = 1,
                               .path = {(const uint8_t *)"/grpc.testing.TestService/EmptyCall", 35},
                               .timeout_ns = 10000000000};
    trilane_call_unary(channel, &request, (trilane_str){message, length}, &call, &error);
    uint8_t records[65536];
    size_t n = trilane_net_poll(net, records, sizeof records, -1);   /* END of tag 1: status, trailers, reply */
    trilane_call_free(call);

    if (n < 40) return 1;
    printf("kind=%u tag=%u code=%u\n", word(records + 4), word(records + 8), word(records + 16));
    trilane_channel_free(channel);
    trilane_net_free(net);
    return 0;
}
