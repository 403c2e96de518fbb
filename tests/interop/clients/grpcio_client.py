"""Python's grpcio against our interop server: gRPC's cases, health, reflection.

    python3 grpcio_client.py STUBS PORT      # STUBS: the folder with what protoc made of testing.proto

Prints `CASE: PASS` or `CASE: FAIL: why`, a line for each case.
"""

import inspect
import sys
import threading

import grpc

sys.path.insert(0, sys.argv[1])
import testing_pb2 as pb  # noqa: E402
import testing_pb2_grpc as stubs  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase  # noqa: E402

REQUESTS, REPLIES = [27182, 8, 1828, 45904], [31415, 9, 2653, 58979]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
ECHO = (("x-grpc-test-echo-initial", "test_initial_metadata_value"), ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))


def payload(size):
    return pb.Payload(body=bytes(size))


def large(**more):
    return pb.SimpleRequest(response_size=314159, payload=payload(271828), **more)


def ask(request, *sizes):
    parameters = [pb.ResponseParameters(size=size) for size in sizes]
    return pb.StreamingOutputCallRequest(payload=payload(request), response_parameters=parameters)


def size(reply):
    return len(reply.payload.body)


def ended(code, run, details=None):
    try:
        run()
    except grpc.RpcError as e:
        assert e.code() == code, f"{e.code()}, {e.details()!r}"
        assert details is None or e.details() == details, repr(e.details())
    else:
        raise AssertionError("ended with OK")


def empty_unary(stub):
    assert stub.EmptyCall(pb.Empty()) == pb.Empty()


def large_unary(stub):
    assert size(stub.UnaryCall(large())) == 314159


def client_streaming(stub):
    each = (pb.StreamingInputCallRequest(payload=payload(n)) for n in REQUESTS)
    assert stub.StreamingInputCall(each).aggregated_payload_size == sum(REQUESTS)


def server_streaming(stub):
    assert [size(r) for r in stub.StreamingOutputCall(ask(0, *REPLIES))] == REPLIES


def ping_pong(stub):
    got = []

    def each():
        for n, (asked, reply) in enumerate(zip(REQUESTS, REPLIES)):
            assert len(got) <= n
            yield ask(asked, reply)

    for reply in stub.FullDuplexCall(each()):
        got.append(size(reply))
    assert got == REPLIES, got


def empty_stream(stub):
    assert not list(stub.FullDuplexCall(iter(())))


def timeout_on_sleeping_server(stub):
    late = pb.ResponseParameters(size=31415, interval_us=1_000_000)
    asked = pb.StreamingOutputCallRequest(payload=payload(27182), response_parameters=[late])
    ended(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(stub.FullDuplexCall(iter([asked]), timeout=0.01)))


def open_until(over, *first):
    """Requests that do not end before `over`: the server would answer their end, perhaps before a cancellation."""
    yield from first
    over.wait()


def cancel_after_begin(stub):
    over = threading.Event()
    call = stub.StreamingInputCall.future(open_until(over))
    call.cancel()
    over.set()
    assert call.cancelled()


def cancel_after_first_response(stub):
    over = threading.Event()
    call = stub.FullDuplexCall(open_until(over, ask(27182, 31415)))
    next(call)
    call.cancel()
    over.set()
    ended(grpc.StatusCode.CANCELLED, lambda: list(call))


def status_code_and_message(stub):
    status = pb.EchoStatus(code=2, message="test status message")
    ended(grpc.StatusCode.UNKNOWN, lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status)), status.message)
    asked = pb.StreamingOutputCallRequest(response_status=status)
    ended(grpc.StatusCode.UNKNOWN, lambda: list(stub.FullDuplexCall(iter([asked]))), status.message)


def special_status_message(stub):
    status = pb.EchoStatus(code=2, message=SPECIAL)
    ended(grpc.StatusCode.UNKNOWN, lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status)), SPECIAL)


def custom_metadata(stub):
    _, call = stub.UnaryCall.with_call(large(), metadata=ECHO)
    stream = stub.FullDuplexCall(iter([ask(271828, 314159)]), metadata=ECHO)
    assert [size(r) for r in stream] == [314159]
    for each in (call, stream):
        assert ECHO[0] in [tuple(m) for m in each.initial_metadata()], each.initial_metadata()
        assert ECHO[1] in [tuple(m) for m in each.trailing_metadata()], each.trailing_metadata()


def unimplemented_method(stub):
    ended(grpc.StatusCode.UNIMPLEMENTED, lambda: stub.UnimplementedCall(pb.Empty()))


def unimplemented_service(channel):
    ended(grpc.StatusCode.UNIMPLEMENTED, lambda: stubs.UnimplementedServiceStub(channel).UnimplementedCall(pb.Empty()))


def client_compressed_unary(stub):
    on, off = pb.BoolValue(value=True), pb.BoolValue()
    ended(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.UnaryCall(large(expect_compressed=on)))
    gzip = grpc.Compression.Gzip
    assert size(stub.UnaryCall(large(expect_compressed=on), compression=gzip)) == 314159
    assert size(stub.UnaryCall(large(expect_compressed=off))) == 314159


def server_compressed_unary(stub):
    assert size(stub.UnaryCall(large(response_compressed=pb.BoolValue(value=True)))) == 314159


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    first = next(iter(stub.Watch(health_pb2.HealthCheckRequest(service=""))))
    assert first.status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="nobody")
    ended(grpc.StatusCode.NOT_FOUND, lambda: stub.Check(unknown))


def reflection_v1alpha(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "grpc.testing.TestService" in database.get_services(), database.get_services()
    file = database.FindFileContainingSymbol("grpc.testing.TestService")
    assert [m.name for m in file.service[0].method][:2] == ["EmptyCall", "UnaryCall"]
    assert database.FindFileByName(file.name) == file


def reflection_v1(channel):
    """The messages of v1 and v1alpha are the same on the wire; grpcio-reflection has no client of v1."""
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.testing.SimpleRequest"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
    ]
    services, file, missing = call(iter(asked))
    assert "grpc.testing.TestService" in [s.name for s in services.list_services_response.service]
    assert len(file.file_descriptor_response.file_descriptor_proto) == 1
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], missing


def main():
    own = [f for _, f in inspect.getmembers(sys.modules[__name__], inspect.isfunction) if f.__module__ == __name__]
    cases = [f for f in own if list(inspect.signature(f).parameters) in (["stub"], ["channel"])]
    with grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}") as channel:
        stub = stubs.TestServiceStub(channel)
        for case in sorted(cases, key=lambda f: f.__code__.co_firstlineno):
            try:
                case(stub if "stub" in inspect.signature(case).parameters else channel)
                print(f"{case.__name__}: PASS")
            except Exception as e:  # the line says it
                print(f"{case.__name__}: FAIL: {type(e).__name__}: {e}".replace("\n", " "))


if __name__ == "__main__":
    main()
