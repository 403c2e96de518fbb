#!/usr/bin/env python3
"""The C page of docs/triple.md, compiled and run against our server, plaintext and TLS; and the C and Go pages' lines
held to the programs that run (Go's is an Example of its package).

    python3 tests/interop/examples.py target/debug     # libtrilane.a with the feature net, and interop-server
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import netns  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"c": "tests/c/triple.c", "go": "bindings-go/triple/example_test.go"}


def held(language, program):
    """Lines of the page's blocks that are not in the program; comments do not count."""
    page = (ROOT / "docs/triple.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)
    lines = [re.sub(r"\s*(//|/\*).*", "", line).strip() for block in blocks for line in block.splitlines()]
    text = (ROOT / program).read_text(encoding="utf-8")
    assert lines, f"docs/triple.md has no block of {language}"
    return [line for line in lines if line not in text]


def call(program, server, *more, roots=()):
    """Runs the C program against a fresh server; what it printed."""
    with subprocess.Popen([server, "--port=0", "--address=127.0.0.1", *more], stdout=subprocess.PIPE, text=True) as peer:
        try:
            target = peer.stdout.readline().split()[-1]
            return subprocess.run([program, target, *roots], capture_output=True, text=True, timeout=120).stdout.strip()
        finally:
            peer.kill()


def main():
    target = Path(sys.argv[1]).resolve()
    for language, program in PAGES.items():
        missing = held(language, program)
        assert not missing, f"lines of docs/triple.md that are not in {program}: {missing}"
    with tempfile.TemporaryDirectory() as made:
        program = f"{made}/triple"
        flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", f"-I{ROOT}/include", f"{ROOT}/{PAGES['c']}"]
        link = [str(target / "libtrilane.a"), "-lm", "-lpthread", "-ldl", "-o", program]
        subprocess.run(["gcc", *flags, *link], check=True)
        well = "kind=1 tag=1 code=0"
        said = [call(program, target / "interop-server")]
        pem, key = f"{made}/own.pem", f"{made}/own.key"
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=t", *names, "-keyout", key, "-out", pem], check=True, capture_output=True)
        tls = ["--use_tls=true", f"--tls_cert_file={pem}", f"--tls_key_file={key}"]
        said.append(call(program, target / "interop-server", *tls, roots=[pem]))
    assert said == [well, well], said
    print("examples: the C page ran, plaintext and TLS; the Go page is its package's Example")


if __name__ == "__main__":
    netns.enter()
    main()
