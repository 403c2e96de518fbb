"""A real istiod and a real Envoy on loopback: rules in a folder go in, answers of routed requests come out."""
import atexit
import http.client
import json
import os
import pathlib
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
SERVICE_PORTS = (8080, 9080)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, seconds, check):
    """Waits for an event of another process; says what did not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.02)
    raise SystemExit(f"{what}: did not happen within {seconds} s")


def status(port, path, host="x"):
    try:
        return ask(port, host, "GET", path, {})[0]
    except OSError:
        return None


def ask(port, host, method, path, headers):
    """One request: (status, who answered)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("host", host)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.getheader("x-answered-by"), response.read()
    finally:
        connection.close()


class Upstream(socketserver.StreamRequestHandler):
    """Says at which address it was met."""

    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            host, port = self.request.getsockname()[:2]
            who = f"{host}:{port}".encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-answered-by: " + who + b"\r\ncontent-length: 0\r\n\r\n")
            if not line.strip():
                return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def upstreams(ports):
    for port in ports:
        server = Server(("0.0.0.0", port), Upstream)
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Mesh:
    """istiod over a folder of rules; an Envoy per caller."""

    def __init__(self, work, pilot, envoy):
        self.work = pathlib.Path(work)
        self.envoy_binary = envoy
        self.rules = self.work / "rules"
        shutil.rmtree(self.work, ignore_errors=True)
        self.rules.mkdir(parents=True)
        self.children = []
        self.turn = 0
        self.envoy = None
        atexit.register(self.stop)
        self.pilot(pilot)

    def start(self, name, command, **more):
        log = open(self.work / f"{name}.log", "wb")
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, **{"stdout": log, **more})
        self.children.append(child)
        return child

    def pilot(self, binary):
        api = self.start("api", [sys.executable, str(HERE / "apistub.py")], stdout=subprocess.PIPE)
        port = int(api.stdout.readline())
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "c",
                  "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                  "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                  "users": [{"name": "u", "user": {}}]}
        (self.work / "kubeconfig").write_text(json.dumps(config))
        self.grpc, web, monitor = free_port(), free_port(), free_port()
        mesh = {"defaultConfig": {"discoveryAddress": f"127.0.0.1:{self.grpc}"}, "enableAutoMtls": False}
        (self.work / "mesh").write_text(json.dumps(mesh))
        environment = {**os.environ, "ENABLE_CA_SERVER": "false", "PILOT_CERT_PROVIDER": "none", "XDS_AUTH": "false",
                       "INJECT_ENABLED": "false", "POD_NAME": "istiod-1", "POD_NAMESPACE": "istio-system",
                       "PILOT_ENABLE_METADATA_EXCHANGE": "false"}
        self.show({}, 0)
        self.start("istiod", [
            binary, "discovery", "--registries=Kubernetes", f"--kubeconfig={self.work / 'kubeconfig'}",
            f"--configDir={self.rules}", f"--meshConfig={self.work / 'mesh'}", "--networksConfig=/nonexistent",
            f"--grpcAddr=127.0.0.1:{self.grpc}", f"--httpAddr=127.0.0.1:{web}",
            f"--monitoringAddr=127.0.0.1:{monitor}", "--secureGRPCAddr=", "--httpsAddr=", "--ctrlz_port=0",
        ], env=environment)
        until("istiod is ready", 60, lambda: status(web, "/ready") == 200)

    def caller(self, labels, namespace):
        """A new Envoy that istiod takes for the sidecar of this workload."""
        if self.envoy:
            self.envoy.terminate()
            self.envoy.wait()
        admin = free_port()
        self.ports = {port: free_port() for port in SERVICE_PORTS}
        node = {"id": f"sidecar~10.0.9.9~caller.{namespace}~{namespace}.svc.cluster.local", "cluster": "caller",
                "metadata": {"NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes", "INSTANCE_IPS": "10.0.9.9",
                             "LABELS": labels, "ISTIO_VERSION": "1.31.0", "MESH_ID": "cluster.local"}}
        bootstrap = {
            "node": node,
            "admin": {"address": address("127.0.0.1", admin)},
            "dynamic_resources": {
                "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
                               "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]},
                "cds_config": {"ads": {}, "resource_api_version": "V3"}},
            "static_resources": {"clusters": [self.control_plane()],
                                 "listeners": [listener(port, own) for port, own in self.ports.items()]}}
        file = self.work / "envoy.json"
        file.write_text(json.dumps(bootstrap))
        self.envoy = self.start("envoy", [
            self.envoy_binary, "-c", str(file), "--concurrency", "1", "--base-id", str(free_port()), "-l", "warn"])
        until("Envoy is ready", 60, lambda: status(admin, "/ready") == 200)

    def control_plane(self):
        return {"name": "xds", "type": "STATIC", "connect_timeout": "2s",
                "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": address("127.0.0.1", self.grpc)}}]}]},
                "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}}}}}

    def show(self, documents, turn):
        """Puts rules before istiod, with one host more by which their arrival is seen."""
        marker = f"marker-{turn}.example.com"
        mark = [
            {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": meta(f"marker-{port}"),
             "spec": {"hosts": [f"{port}.{marker}"], "resolution": "STATIC", "location": "MESH_INTERNAL",
                      "ports": [{"number": port, "name": "http", "protocol": "HTTP"}], "endpoints": []}}
            for port in SERVICE_PORTS]
        mark += [
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": meta(f"marker-{port}"),
             "spec": {"hosts": [f"{port}.{marker}"], "http": [{"directResponse": {"status": 299}}]}}
            for port in SERVICE_PORTS]
        text = "\n---\n".join(json.dumps(d) for d in [*documents, *mark])
        new = self.work / "new.yaml"
        new.write_text(text)
        os.replace(new, self.rules / "rules.yaml")
        return marker

    def load(self, documents):
        """Until Envoy has the rules; what istiod has against them, if it refuses them."""
        self.turn += 1
        marker = self.show(documents, self.turn)
        log = self.work / "istiod.log"
        start = log.stat().st_size
        refused = []

        def there():
            new = log.read_bytes()[start:].decode(errors="replace")
            refused[:] = [line for line in new.splitlines() if "unable to reload" in line]
            seen = (status(own, "/", f"{port}.{marker}:{port}") == 299 for port, own in self.ports.items())
            return bool(refused) or all(seen)

        until(f"rules {self.turn} arrive", 20, there)
        return refused[0].split("configuration is invalid: ")[-1] if refused else None

    def stop(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            child.wait()


def meta(name):
    return {"name": name, "namespace": "default"}


def address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def listener(route, port):
    """Our own door to the routes that istiod gives a sidecar for one service port."""
    kind = "type.googleapis.com/envoy.extensions.filters"
    filters = [{"name": name, "typed_config": {"@type": f"{kind}.http.{name}.v3.{message}"}}
               for name, message in (("fault", "HTTPFault"), ("cors", "Cors"), ("router", "Router"))]
    manager = {"@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "in",
               "rds": {"route_config_name": str(route), "config_source": {"ads": {}, "resource_api_version": "V3"}},
               "http_filters": filters}
    return {"name": f"in-{route}", "address": address("127.0.0.1", port),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
