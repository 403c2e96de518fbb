"""A CycloneDX list of what is linked into the library and the program: `cargo metadata | sbom.py VERSION`."""

import json
import sys


def linked(metadata):
    """Packages reachable from ours by normal dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    starts = [p["id"] for p in metadata["packages"] if p["name"] in ("trilane-ffi", "trilane-cli", "trilane-agent")]
    seen, todo = set(), list(starts)
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        for dep in nodes[at]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    return [packages[at] for at in seen]


def main():
    metadata = json.load(sys.stdin)
    parts = [
        {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "licenses": [{"expression": (package["license"] or "").replace("/", " OR ")}],
            "purl": f"pkg:cargo/{package['name']}@{package['version']}",
        }
        for package in linked(metadata)
        if package["source"]
    ]
    parts.sort(key=lambda part: (part["name"], part["version"]))
    subject = {"type": "library", "name": "trilane", "version": sys.argv[1]}
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": subject}, "components": parts}
    json.dump(sbom, sys.stdout, indent=1, sort_keys=True)
    print()


main()
