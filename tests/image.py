#!/usr/bin/env python3
"""The init image, built by buildah from the Dockerfile, and run as Kubernetes would: uid 65532, a read-only root.

    python3 tests/image.py [RELEASE]    # RELEASE: an unpacked tarball; else made of dist/ and a static debug program

`trilane install` runs by the image's own entry point; then, in the same root with the libraries of a C program added (a
"distroless" image: a libc and no shell), `trilane status` looks at that program. Needs root and buildah (Debian's package
of that name); says `skipped:` without. No registry is asked: the image stands on `scratch`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("trilane", "libtrilane.so", "trilane.h", "LICENSE", "NOTICE", "sbom.json")
APP = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "trilane.h"

int main(void) {
    void *library = dlopen("/opt/trilane/current/libtrilane.so", RTLD_NOW);
    if (library == NULL) { puts(dlerror()); return 1; }
    __typeof__(trilane_engine_default) *start = dlsym(library, "trilane_engine_default");
    trilane_options o;
    memset(&o, 0, sizeof o);
    const char *settings = "mode=observe,service=shop,log=off";
    o.struct_size = sizeof o;
    o.settings = (trilane_str){(const uint8_t *)settings, strlen(settings)};
    o.binding = (trilane_str){(const uint8_t *)"c", 1};
    o.explicit_start = true;
    const trilane_engine *engine = NULL;
    printf("started %d\n", (int)start(&o, &engine, NULL));
    fflush(stdout);
    return getchar() == EOF ? 0 : 2;
}
"""
# $1: the root; the rest: entry point and arguments. Everything is in a mount and a PID namespace of its own.
RUN = r"""set -eu
root=$1; shift
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/opt/trilane"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
if touch "$root/new" 2>/dev/null; then echo "the root can be written to"; exit 9; fi
inside() { chroot --userspec=65532:65532 "$root" "$@"; }
inside "$@"
inside "$@"
ls -lnA "$root/opt/trilane" "$root/opt/trilane/current/"
work=$(mktemp -d); mkfifo "$work/in" "$work/out"
chroot --userspec=65532:65532 "$root" /app <"$work/in" >"$work/out" &
app=$!
exec 3>"$work/in"
read -r said <"$work/out"; echo "app: $said"
echo "status: $(inside /opt/trilane/current/trilane status --pid $app --json)"
exec 3>&-
wait $app
rm -r "$work"
"""


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(str(c) for c in command[:4])} …: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def release(folder):
    """What `make dist` packs, but for the program's optimisation and the library's link."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    musl = f"{os.uname().machine}-unknown-linux-musl"
    cargo = os.environ.get("CARGO", "cargo")
    run(cargo, "build", "-q", "-p", "trilane-cli", "--target", musl, cwd=ROOT)
    shutil.copy(target / musl / "debug" / "trilane", folder)
    shutil.copy(ROOT / "dist" / "libtrilane.so", folder)
    for name in ("include/trilane.h", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    (folder / "sbom.json").write_text("{}\n")


def libraries(*files):
    """Paths of the shared libraries that these need."""
    return {path for file in files for path in re.findall(r"(/\S+) \(0x", run("ldd", file))}


def look(buildah, work, source):
    """Builds, adds the program, runs both; ends with what is wrong."""
    run(*buildah, "bud", "--isolation", "chroot", "-f", ROOT / "Dockerfile", "-t", "trilane:test", source)
    config = json.loads(run(*buildah, "inspect", "--type", "image", "localhost/trilane:test"))["OCIv1"]["config"]
    assert config["User"] == "65532:65532", config
    root = Path(run(*buildah, "mount", run(*buildah, "from", "localhost/trilane:test").strip()).strip())
    held = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    assert held == sorted(f"trilane/{name}" for name in FILES), held
    (work / "app.c").write_text(APP)
    run("gcc", "-I", ROOT / "include", "-o", root / "app", work / "app.c", "-ldl")
    for path in libraries(root / "app", root / "trilane/libtrilane.so"):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for folder in ("opt/trilane", "proc"):  # a runtime makes what it mounts at
        (root / folder).mkdir(parents=True)
    said = run("unshare", "-mpf", "sh", "-c", RUN, "sh", root, *config["Entrypoint"], *config["Cmd"])
    assert said.count("installed /opt/trilane/") == 2 and "app: started 0\n" in said, said
    owned = [line for line in said.splitlines() if " 65532 65532 " in line]
    assert any("current -> " in line for line in owned) and sum(line.endswith(FILES) for line in owned) == 6, said
    state = json.loads(re.search(r"^status: (.*)$", said, re.MULTILINE)[1])
    assert (state["mode"], state["service"]["name"], state["binding"]) == ("observe", "shop", "c"), state
    print(f"image: built by {run('buildah', '--version').split(',')[0]}, {len(held)} files; installed twice by uid 65532 on a "
          "read-only root; status of a program beside a libc and no shell: ok")


def main():
    if shutil.which("buildah") is None or os.geteuid() != 0:
        print("skipped: the init image: " + ("needs root" if os.geteuid() else "no buildah: apt-get install buildah"))
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else work / "release"
        if len(sys.argv) < 2:
            source.mkdir()
            release(source)
        look(["buildah", "--root", work / "store", "--runroot", work / "run", "--storage-driver", "vfs"], work, source)


if __name__ == "__main__":
    main()
