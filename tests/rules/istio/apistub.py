"""A Kubernetes API without anything in it: istiod wants one, and reads its rules from files."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

# Kinds of more than one word; the others follow from the plural.
KINDS = ["Ingress", "IngressClass", "EndpointSlice", "ConfigMap", "ServiceAccount", "CustomResourceDefinition",
         "ClusterTrustBundle", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
         "ReplicationController"]
BY_PLURAL = {kind.lower() + ("es" if kind.endswith("s") else "s"): kind for kind in KINDS}


def kind_of(plural):
    return BY_PLURAL.get(plural) or plural.removesuffix("s").capitalize()


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def status(self, code, reason):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code})

    def do_GET(self):
        url = urlparse(self.path)
        query = parse_qs(url.query)
        if url.path == "/version":
            return self.answer(200, {"major": "1", "minor": "36", "gitVersion": "v1.36.1"})
        if "sendInitialEvents" in query:
            return self.status(422, "Invalid")
        if "watch" in query:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            # Nothing ever happens: the watch lasts until the client or the test goes.
            return self.rfile.read(1)
        parts = url.path.strip("/").split("/")
        version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        if len(rest) != 1:
            return self.status(404, "NotFound")
        kind = kind_of(rest[0])
        if "PartialObjectMetadataList" in self.headers.get("accept", ""):
            version, kind = "meta.k8s.io/v1", "PartialObjectMetadata"
        listed = {"kind": kind + "List", "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": []}
        return self.answer(200, listed)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.status(403, "Forbidden")

    do_PUT = do_PATCH = do_DELETE = do_POST


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
