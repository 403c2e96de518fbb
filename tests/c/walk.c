/* Walks the whole header: every function with good arguments, with NULL, and with too little room.
 * Run under AddressSanitizer by tests/c_program.rs, which also checks that no function is left out. */
#include "trilane.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "walk.c:%d: not true: %s\n", __LINE__, #what);                                             \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

static trilane_str str(const char *text) {
    trilane_str s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static const trilane_str ABSENT = {NULL, 0};

static trilane_options options(const char *settings) {
    trilane_options o;
    memset(&o, 0, sizeof o);
    o.struct_size = sizeof o;
    o.settings = str(settings);
    o.binding = str("c");
    o.explicit_start = true;
    return o;
}

static int case_of(uint64_t answer) { return (int)(answer >> 48 & 0xff); }
static int flags_of(uint64_t answer) { return (int)(answer >> 56); }

static void starts_and_refusals(void) {
    char text[256];
    CHECK(trilane_abi_version() == TRILANE_ABI_VERSION);
    size_t length = trilane_version(NULL, 0);
    CHECK(length > 0 && trilane_version((uint8_t *)text, sizeof text) == length);
    trilane_options bad = options("");
    bad.struct_size = 3;
    trilane_engine *none = NULL;
    trilane_error *error = NULL;
    CHECK(trilane_engine_new(&bad, &none, &error) == TRILANE_STATUS_BAD_STRUCT && none == NULL && error != NULL);
    length = trilane_error_message(error, (uint8_t *)text, sizeof text);
    CHECK(length > 20 && length < sizeof text && strstr(text, "struct_size") != NULL);
    CHECK(trilane_error_message(NULL, NULL, 0) == 0);
    CHECK(trilane_live(NULL, 2) == 1);
    trilane_error_free(error);
    trilane_error_free(NULL);
    CHECK(trilane_live(NULL, 2) == 0);
    CHECK(trilane_engine_new(&bad, NULL, NULL) == TRILANE_STATUS_NULL_ARGUMENT);
    bad = options("\xff");
    CHECK(trilane_engine_new(&bad, &none, NULL) == TRILANE_STATUS_NOT_UTF8);
    const trilane_engine *one = NULL, *same = NULL;
    trilane_options o = options("mode=off,log=off");
    CHECK(trilane_engine_default(&o, &one, NULL) == TRILANE_STATUS_OK && one != NULL);
    CHECK(trilane_engine_default(NULL, &same, NULL) == TRILANE_STATUS_OK && same == one);
    CHECK(trilane_mode(one) == 0 && trilane_mode(NULL) == 0);
    trilane_engine_free(NULL);
}

static void tags_and_carriers(const trilane_engine *e) {
    char text[256];
    CHECK(trilane_mode(e) == 2);
    CHECK(trilane_hook_enabled(e, str("okhttp")) && !trilane_hook_enabled(e, str("feign")));
    CHECK(!trilane_hook_enabled(NULL, str("okhttp")));
    CHECK(trilane_own_tag(e, (uint8_t *)text, sizeof text) == 4 && memcmp(text, "gray", 4) == 0);
    CHECK(trilane_own_tag(e, (uint8_t *)text, 1) == 4 && trilane_own_tag(NULL, NULL, 0) == 0);
    uint32_t gray = trilane_tag_find(e, str("gray"));
    CHECK(gray != 0 && gray != 65535 && trilane_tag_find(e, str("other")) == 65535);
    CHECK(trilane_tag_find(e, str("no tag")) == 0 && trilane_tag_find(e, ABSENT) == 0);
    CHECK(trilane_tag_name(e, gray, (uint8_t *)text, sizeof text) == 4);
    CHECK(trilane_tag_name(e, 77, NULL, 0) == 0 && trilane_tag_name(e, 1u << 20, NULL, 0) == 0);
    trilane_str names[8];
    uint32_t snapshot = 0;
    size_t count = trilane_inbound_names(e, 0, names, 8, &snapshot);
    CHECK(count >= 2 && snapshot > 0 && names[0].len == 9 && memcmp(names[0].ptr, "x-mse-tag", 9) == 0);
    CHECK(trilane_inbound_names(e, 9, names, 8, NULL) == 0);
    trilane_str values[8] = {str("gray"), ABSENT};
    CHECK((trilane_inbound(e, 0, snapshot, values, count) & 0xffff) == gray);
    values[0] = str("stranger");
    uint64_t answer = trilane_inbound(e, 0, snapshot, values, count);
    CHECK((answer & 0xffff) == 65535 && (answer >> 56) == 8);
    CHECK((trilane_inbound(e, 0, snapshot + 1, values, count) >> 24 & 1) == 1);
    CHECK((trilane_inbound(NULL, 0, snapshot, NULL, 0) >> 24 & 2) == 2);
    CHECK(trilane_known(e, str("pricing:80")) && !trilane_known(e, str("example.com")) && !trilane_known(e, ABSENT));
    CHECK(trilane_carriers_write(e, 1, names, 8) == 2);
    size_t length = trilane_baggage_set(e, str("a=b"), str("gray"), (uint8_t *)text, sizeof text);
    CHECK(length > 4 && length < sizeof text && memcmp(text, "a=b,", 4) == 0);
    CHECK(trilane_baggage_set(e, str("a=b"), ABSENT, NULL, 0) == 3);
    trilane_learn_service(e, str("walker"));
    trilane_start_line(e, str("none"));
    trilane_log(e, 1, str("TRL-000"), str("walk"), str("said by the C program"));
    CHECK(trilane_counted(e, 6) == 2 && trilane_counted(e, 99) == 0 && trilane_live(e, 9) == -1);
}

static uint64_t counted(const trilane_engine *e, const char *name) {
    char text[64];
    for (uint32_t n = 0; trilane_counter_name(n, NULL, 0) > 0; n++) {
        size_t length = trilane_counter_name(n, (uint8_t *)text, sizeof text);
        if (length == strlen(name) && memcmp(text, name, length) == 0) {
            return trilane_counted(e, n);
        }
    }
    CHECK(!"a counter of that name");
    return 0;
}

/* An edge: whom it believes, what it removes, what it passes on. */
static void an_edge(void) {
    trilane_engine *e = NULL;
    trilane_options o = options("edge=true,edge.trust=10.0.0.0/8,alicloud.service.header=x-a x-b,trace.headers=x-trace,log=off,"
                                "alicloud.service.tag=gray");
    CHECK(trilane_engine_new(&o, &e, NULL) == TRILANE_STATUS_OK);
    trilane_str names[16];
    CHECK(trilane_edge_names(e, names, 16) == 4 && names[0].len == 9 && memcmp(names[0].ptr, "x-mse-tag", 9) == 0);
    CHECK(trilane_edge_names(NULL, NULL, 0) == 0);
    CHECK(trilane_edge(e, str("10.1.2.3:4")) == 0 && trilane_edge(e, str("192.0.2.1")) == 3);
    CHECK(trilane_edge(e, ABSENT) == 3 && trilane_edge(NULL, ABSENT) == 0);
    uint32_t snapshot = 0;
    size_t count = trilane_inbound_names(e, 0, names, 16, &snapshot);
    trilane_str values[16] = {str("gray"), ABSENT, str("t-1")};
    uint64_t answer = trilane_inbound(e, 0, snapshot, values, count);
    CHECK((answer & 0xffff) == 0 && (answer >> 24 & 32) == 32);
    trilane_untagged(e, str("192.0.2.1:5"));
    trilane_untagged(NULL, ABSENT);
    CHECK((trilane_inbound(e, 256, snapshot, values, count) & 0xffff) == trilane_tag_find(e, str("gray")));
    trilane_tag_lost(e, str("walk.c: a thread of its own"));
    trilane_tag_lost(NULL, ABSENT);
    CHECK(counted(e, "tag_lost") == 1);
    trilane_stripped(e);
    trilane_stripped(NULL);
    CHECK(trilane_trace_names(e, names, 16) == 1 && names[0].len == 7 && memcmp(names[0].ptr, "x-trace", 7) == 0);
    CHECK(trilane_trace_names(NULL, NULL, 0) == 0 && trilane_trace_find(NULL, ABSENT) == 0);
    CHECK(trilane_trace_find(e, str("t-1")) == trilane_tag_find(e, str("gray")) && trilane_trace_find(e, ABSENT) == 0);
    CHECK(trilane_pass_names(e, names, 16) == 2 && names[1].len == 3 && memcmp(names[1].ptr, "x-b", 3) == 0);
    CHECK(trilane_pass_names(NULL, NULL, 0) == 0 && trilane_pass(NULL, NULL, 0) == 0);
    values[1] = str("a\nb");
    CHECK(trilane_pass(e, values, 2) == 1);
    CHECK(counted(e, "edge_stripped") == 1 && counted(e, "pass_dropped") == 1 && counted(e, "untagged_here") == 1);
    CHECK(trilane_counter_name(9999, NULL, 0) == 0);
    trilane_engine_free(e);
}

/* Rules of another dialect want values of the call, and something done with it besides. */
static void values_of_a_call(void) {
    char path[64], settings[128];
    snprintf(path, sizeof path, "/tmp/trilane-walk-%d.yaml", (int)getpid());
    FILE *file = fopen(path, "w");
    const char *rules = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
                        "spec:\n  hosts: [stock]\n  http:\n"
                        "    - match: [{headers: {x-user: {exact: ann}}}]\n"
                        "      timeout: 2s\n      fault: {delay: {fixedDelay: 5ms}, abort: {httpStatus: 503}}\n"
                        "      route: [{destination: {host: stock, subset: two}}]\n"
                        "    - route: [{destination: {host: stock, subset: one}}]\n---\n"
                        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\n"
                        "spec:\n  host: stock\n  subsets: [{name: one, labels: {v: \"1\"}}, {name: two, labels: {v: \"2\"}}]\n";
    CHECK(file != NULL && fputs(rules, file) >= 0 && fclose(file) == 0);
    snprintf(settings, sizeof settings, "log=off,rules=%s", path);
    trilane_options o = options(settings);
    trilane_engine *e = NULL;
    CHECK(trilane_engine_new(&o, &e, NULL) == TRILANE_STATUS_OK);
    unlink(path);
    trilane_str name = str("stock"), names[4];
    trilane_pair one = {str("v"), str("1")}, two = {str("v"), str("2")};
    trilane_instance instances[2] = {{str("10.0.0.1:80"), &one, 1, true}, {str("10.0.0.2:80"), &two, 1, true}};
    uint64_t list = 0;
    CHECK(trilane_list_new(e, &name, 1, instances, 2, &list, NULL) == TRILANE_STATUS_OK);
    uint32_t flags = 0, stamp = 0;
    CHECK(trilane_route_names(e, list, names, 4, &flags, &stamp) == 1 && flags == 3 && stamp != 0);
    CHECK(names[0].len == 6 && memcmp(names[0].ptr, "x-user", 6) == 0);
    CHECK(trilane_route_names(NULL, list, names, 4, NULL, NULL) == 0);
    trilane_str value = str("ann"), many[300] = {str("ann")};
    CHECK((uint32_t)trilane_route_with(e, list, 0, 7, stamp, &value, 1) == 1);
    CHECK((uint32_t)trilane_route_with(e, list, 0, 7, stamp, many, 300) == 1);
    CHECK((uint32_t)trilane_route_with(e, list, 0, 7, stamp, &ABSENT, 1) == 0);
    CHECK((uint32_t)trilane_route_with(e, list, 0, 7, stamp, NULL, 0) == 0);
    CHECK(flags_of(trilane_route_with(e, list, 0, 7, stamp + 1, &value, 1)) == 1);
    CHECK(flags_of(trilane_route_with(NULL, list, 0, 7, stamp, &value, 1)) == 2);
    trilane_policy policy = {sizeof policy, 9, 9, 9, 9};
    CHECK(trilane_policy_of(e, list, 0, 7, stamp, &value, 1, &policy) == TRILANE_STATUS_OK);
    CHECK(policy.delay_ms == 5 && policy.abort_http == 503 && policy.abort_grpc == 0 && policy.timeout_ms == 2000);
    CHECK(trilane_policy_of(e, list, 0, 7, stamp, &ABSENT, 1, &policy) == TRILANE_STATUS_OK && policy.delay_ms == 0);
    policy.struct_size = 1;
    CHECK(trilane_policy_of(e, list, 0, 7, stamp, NULL, 0, &policy) == TRILANE_STATUS_BAD_STRUCT);
    CHECK(trilane_policy_of(e, list, 0, 7, stamp, NULL, 0, NULL) == TRILANE_STATUS_NULL_ARGUMENT);
    CHECK(trilane_list_free(e, list) == TRILANE_STATUS_OK);
    trilane_engine_free(e);
}

static void lists_and_routes(const trilane_engine *e) {
    char text[2048];
    trilane_pair tag = {str("alicloud.service.tag"), str("gray")};
    trilane_instance instances[3] = {
        {str("10.0.0.1:80"), NULL, 0, true}, {str("10.0.0.2:80"), &tag, 1, true}, {str("10.0.0.3:80"), NULL, 0, true}};
    trilane_str names[2] = {str("stock"), str("demo.StockService")};
    uint64_t list = 0, derived = 0;
    CHECK(trilane_list_new(e, names, 2, instances, 3, &list, NULL) == TRILANE_STATUS_OK && list != 0);
    CHECK(trilane_list_new(NULL, names, 2, instances, 3, &list, NULL) == TRILANE_STATUS_NULL_ARGUMENT);
    uint32_t gray = trilane_tag_find(e, str("gray")), stamp = trilane_list_stamp(e, list);
    uint64_t answer = trilane_route(e, list, gray, 0, 0, stamp);
    CHECK((uint32_t)answer == 1 && case_of(answer) == 0 && flags_of(answer) == 0);
    CHECK((uint32_t)trilane_route(e, list, 0, 0, UINT64_MAX, stamp) == 2);
    CHECK(flags_of(trilane_route(NULL, list, 0, 0, 0, stamp)) == 2);
    uint32_t positions[3], read_under = 0;
    size_t count = 0;
    CHECK(trilane_subset(e, list, 0, positions, 3, &count, &read_under) == TRILANE_STATUS_OK);
    CHECK(count == 2 && positions[0] == 0 && positions[1] == 2 && read_under == stamp);
    CHECK(trilane_subset(e, list, 77, NULL, 0, &count, NULL) == TRILANE_STATUS_GONE);
    CHECK(trilane_list_health(e, list, 1, false) == TRILANE_STATUS_OK);
    CHECK(flags_of(trilane_route(e, list, gray, 0, 0, stamp)) == 1);
    answer = trilane_route(e, list, gray, 0, 0, trilane_list_stamp(e, list));
    CHECK(case_of(answer) == 2 && flags_of(answer) == 8);
    uint32_t removed[1] = {0};
    CHECK(trilane_list_change(e, list, removed, 1, &instances[1], 1, &derived, NULL) == TRILANE_STATUS_OK);
    answer = trilane_route(e, derived, gray, 0, 0, trilane_list_stamp(e, derived));
    CHECK((uint32_t)answer == 2 && case_of(answer) == 0);
    size_t length = trilane_explain(e, derived, str("gray"), 0, 0, (uint8_t *)text, sizeof text - 1);
    CHECK(length < sizeof text);
    text[length < sizeof text ? length : 0] = 0;
    CHECK(strstr(text, "\"pick\":\"10.0.0.2:80\"") != NULL);
    CHECK(trilane_address(e, derived, 2, (uint8_t *)text, sizeof text) == 11);
    CHECK(trilane_address(e, derived, 9, NULL, 0) == 0 && trilane_authority(e, str("nobody:1")) == 0);
    CHECK(trilane_live(e, 1) == 2);
    CHECK(trilane_list_free(e, list) == TRILANE_STATUS_OK && trilane_list_free(e, list) == TRILANE_STATUS_GONE);
    CHECK(trilane_list_health(e, list, 0, true) == TRILANE_STATUS_GONE && trilane_list_stamp(e, list) == 0);
    trilane_error *error = NULL;
    CHECK(trilane_list_change(e, list, NULL, 0, NULL, 0, &list, &error) == TRILANE_STATUS_FULL && error != NULL);
    trilane_error_free(error);
    CHECK(trilane_list_free(e, derived) == TRILANE_STATUS_OK && trilane_live(e, 1) == 0);
}

/* A forked child has none of our threads: the library is off there, and the parent goes on. */
static void a_forked_child_is_left_alone(const trilane_engine *e) {
    pid_t child = fork();
    if (child == 0) {
        _exit(trilane_mode(e) == 0 && flags_of(trilane_route(e, 1, 0, 0, 0, 1)) == 2 ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(trilane_mode(e) == 2);
}

int main(void) {
    starts_and_refusals();
    trilane_engine *e = NULL;
    trilane_options o = options("alicloud.service.tag=gray,log=off,hook.feign=off");
    CHECK(trilane_engine_new(&o, &e, NULL) == TRILANE_STATUS_OK);
    tags_and_carriers(e);
    lists_and_routes(e);
    an_edge();
    values_of_a_call();
    a_forked_child_is_left_alone(e);
    CHECK(trilane_live(NULL, 0) == 2);
    trilane_engine_free(e);
    CHECK(trilane_live(NULL, 0) == 1 && trilane_live(NULL, 2) == 0);
    printf("walk: %d failures\n", failures);
    return failures != 0;
}
