"""A Spring service that faces the outside: it lets no carrier in, but from a caller that it trusts, and passes on."""

import functools
import http.client
import json

import cases

TRUSTED = "127.0.0.2"
ENVIRONMENT = {
    "TRILANE_EDGE": "true",
    "TRILANE_EDGE_TRUST": TRUSTED,
    "ALICLOUD_SERVICE_HEADER": "x-a",
    "TRILANE_CARRIERS_READ": "x-lane-code",
}
MEMBER = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"


def ask(world, path, headers, source="127.0.0.1"):
    """One request from this address; headers are pairs, so that a name may come twice."""
    connection = http.client.HTTPConnection("127.0.0.1", world.jvm.port, timeout=180, source_address=(source, 0))
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def seen(world, headers, wanted, source="127.0.0.1"):
    answer = ask(world, "/seen", headers, source)
    names = ("x-mse-tag", "x-lane-code", "__microservice_tag__", "dubbo.tag", "baggage", "x-a")
    got = {name: answer[name] for name in names if name in answer}
    if got != wanted:
        raise AssertionError(f"the application saw {got} of {headers}, expected {wanted}")


def no_carrier_comes_in(world):
    seen(world, [("x-mse-tag", "gray"), ("x-lane-code", "gray"), ("dubbo.tag", "gray")], {})
    seen(world, [("__microservice_tag__", "[]"), ("x-a", "1")], {"x-a": "1"})
    seen(world, [("baggage", f"user=7,{MEMBER}")], {"baggage": "user=7"})
    seen(world, [("baggage", "user=7"), ("baggage", MEMBER)], {"baggage": "user=7"})
    seen(world, [("baggage", MEMBER)], {})
    seen(world, [("baggage", "user=7")], {"baggage": "user=7"})
    for hop in world.hops:
        cases.expect(ask(world, hop, [("x-mse-tag", "gray")]), "base", None, hop)


def a_trusted_caller_is_believed(world):
    seen(world, [("x-mse-tag", "gray")], {"x-mse-tag": "gray"}, TRUSTED)
    for hop in world.hops:
        cases.expect(ask(world, hop, [("x-mse-tag", "gray")], TRUSTED), "gray", "gray", hop)
        cases.expect(ask(world, hop, [("x-mse-tag", "gray")], "127.0.0.3"), "base", None, hop)


def a_named_header_rides_along(world):
    for hop in world.hops:
        for headers, wanted in (
            ([("X-A", "1")], "1"),
            ([("x-a", "1"), ("x-a", "2")], "1,2"),
            ([], None),
            ([("x-a", "l" * 1025)], None),
        ):
            got = ask(world, hop, headers)["passed"]
            if got != wanted:
                raise AssertionError(f"{hop}: {headers} became {got}, expected {wanted}")


def run(cases_run, home, jar, library, rest_client):
    """One more start of the program."""
    with cases.World(home, jar, library, cases.Rules(), rest_client, environment=ENVIRONMENT) as world:
        for case in (no_carrier_comes_in, a_trusted_caller_is_believed, a_named_header_rides_along):
            cases_run("edge_" + case.__name__, functools.partial(case, world))
        said = [line for line in world.jvm.output().splitlines() if "trilane:" in line]
        wrong = [line for line in said if "TRL-40" in line or "lll" in line]
        if wrong or sum("TRL-321" in line for line in said) != 1:
            raise RuntimeError("\n".join(said))
