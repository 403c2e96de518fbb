# make build   dist/libtrilane.so, dist/libtrilane.a, dist/trilane.h, dist/trilane, dist/go
# make test    what CI runs           make test-all   the wide matrix
# make demo    four services, two lanes               make vectors    the shared cases in three languages
# make bench   the figures                            make net        the library with the transport, Java's jar
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CARGO_TERM_PROGRESS_WHEN := never
CARGO ?= cargo
comma := ,
DIST := dist
# Each suite prints its name and how long it took.
suite = @echo "== $(1)"; start=$$SECONDS; { $(2); } || exit 1; echo "== $(1): $$((SECONDS - start)) s"

# Shows a suite's lines, and at the end how many things it says that it skipped.
skips = awk '{ print; fflush() } /^skipped: / { n++ } END { print n + 0 " skipped" }'

.PHONY: help tools build net dist test test-all demo vectors bench clean rust-tests needs-tests java-tests go-tests demo-tests lint interop interop-tests rules-tests fuzz-tests

help:
	@sed -n '1,5s/^# //p' Makefile

# Says plainly what is missing and how to get it.
tools:
	@missing=0; need() { command -v "$$1" >/dev/null || { echo "missing: $$1 ($$2)"; missing=1; }; }; \
	need $(CARGO) "Rust 1.89 or newer: https://rustup.rs"; \
	need javac "a JDK 17 or newer: apt-get install openjdk-17-jdk-headless"; \
	need mvn "apt-get install maven"; \
	need go "Go 1.26 or newer: https://go.dev/dl"; \
	need gcc "apt-get install gcc"; \
	need python3 "apt-get install python3 python3-pip"; \
	need ip "apt-get install iproute2"; \
	need pkg-config "apt-get install pkg-config"; \
	need objcopy "apt-get install binutils"; \
	[ $$missing = 0 ] || { echo "Install what is missing and run make again."; exit 1; }

# The library is made alone: beside a crate type that is not linked (rlib) cargo leaves out what optimises it as a whole.
build: tools
	@mkdir -p $(DIST)
	$(call suite,build: library with the Java agent,$(CARGO) rustc --quiet --release -p trilane-ffi --features jvm --lib --crate-type cdylib \
		&& cp -f target/release/libtrilane.so $(DIST)/libtrilane.so.new && mv -f $(DIST)/libtrilane.so.new $(DIST)/libtrilane.so \
		&& strip --strip-unneeded $(DIST)/libtrilane.so && ln -sf libtrilane.so $(DIST)/libtrilane.so.0)
	$(call suite,build: archive and program,$(CARGO) build --quiet --release -p trilane-cli \
		&& $(CARGO) rustc --quiet --release -p trilane-ffi --crate-type staticlib \
		&& bindings-go/localize.sh target/release/libtrilane.a $(DIST)/libtrilane.a \
		&& cp -f include/trilane.h $(DIST)/trilane.h \
		&& cp -f target/release/trilane $(DIST)/trilane.new && mv -f $(DIST)/trilane.new $(DIST)/trilane)
	$(call suite,build: Go module,bindings-go/package.sh $(DIST))

# The library with the transport and the jar that uses it: dist/net/libtrilane.so, dist/net/trilane-grpc.jar.
net: tools
	@mkdir -p $(DIST)/net
	$(call suite,build: transport and Java's jar,$(CARGO) rustc --quiet --release -p trilane-ffi --features jvm$(comma)java --target-dir target/net \
		--lib --crate-type cdylib \
		&& cp -f target/net/release/libtrilane.so $(DIST)/net/libtrilane.so.new && mv -f $(DIST)/net/libtrilane.so.new $(DIST)/net/libtrilane.so \
		&& strip --strip-unneeded $(DIST)/net/libtrilane.so \
		&& mvn -q -B -f bindings-java/client/pom.xml -Dmaven.test.skip package -DbuildDirectory=$(CURDIR)/target/java-client \
		&& cp -f target/java-client/trilane-grpc-0.1.0.jar $(DIST)/net/trilane-grpc.jar)

lint:
	$(call suite,lint,$(CARGO) fmt --all --check && $(CARGO) clippy --quiet --workspace --all-targets --features trilane-ffi/jvm -- -D warnings \
		&& test -z "$$(gofmt -l bindings-go tests)")

# Always this selection: another one makes cargo compile what both need once more, with other features.
rust = $(CARGO) test --quiet --workspace --exclude trilane-agent
rust-tests:
	$(call suite,rust,$(rust) --tests)

# Everything on the newest JDK that is installed, with the library as it is shipped; the others get a part.
java-tests: build
	$(call suite,java agent,newest=$$(python3 tests/tools/jdks.py --newest); \
		export TRILANE_LIB=$$PWD/$(DIST)/libtrilane.so TRILANE_TEST_JDKS=$$newest; \
		$(CARGO) test --quiet -p trilane-agent --features jvm --tests)
	$(call suite,java agent and class editor: a part on JDK 11$(comma) 17 and 21,jdks=$$(python3 tests/tools/jdks.py 11 17 21); \
		export TRILANE_LIB=$$PWD/$(DIST)/libtrilane.so TRILANE_TEST_JDKS=$$jdks; \
		$(CARGO) test --quiet -p trilane-agent --features jvm --test thin \
		&& TRILANE_TEST_JDKS=$$(python3 tests/tools/jdks.py 11 21) \
			$(CARGO) test --quiet -p trilane-classedit --test stress -- edited_classes)
	$(call suite,java: Spring Boot and HTTP clients,python3 bindings-java/it/spring/run.py --boot 35 --jdk 17 --clients new --nacos none \
		--mixed 2000)
	$(call suite,java: Dubbo,python3 bindings-java/it/dubbo/run.py --bed 33-tri)

# gRPC's interop server and client on our transport, with gRPC's own flags.
interop:
	@mkdir -p $(DIST)
	$(call suite,build: interop,$(CARGO) build --quiet --release -p trilane-interop \
		&& cp -f target/release/interop-server target/release/interop-client $(DIST)/)

# The same cases against grpc-go, both ways, and h2spec; debug programs are enough.
interop-tests:
	$(call suite,triple: lanes and C ABI,$(CARGO) test --quiet -p trilane-engine -p trilane-ffi --features trilane-ffi/net \
		--test transport --test net)
	$(call suite,triple: Go and the pages' examples,$(CARGO) build --quiet -p trilane-interop && $(CARGO) build --quiet -p trilane-ffi --features net \
		&& bindings-go/triple/test.sh target/debug && python3 tests/interop/examples.py target/debug)
	$(call suite,interop,$(CARGO) build --quiet -p trilane-interop && python3 tests/interop/run.py --bin target/debug)
	$(call suite,interop: other clients and proxies,python3 tests/interop/peers.py --bin target/debug \
		--only curl$(comma)grpcio$(comma)grpc-js$(comma)nginx$(comma)haproxy$(comma)envoy)
	$(call suite,triple: Java,$(CARGO) build --quiet -p trilane-ffi --features java && python3 bindings-java/client/test.py target/debug)

# Linked as a release is, not optimised: a second with nothing new, half a minute of CPU the first time.
needs-tests:
	$(call suite,library: glibc 2.17 at most and no libgcc_s,deploy/dist.sh --needs)
	$(call suite,deploy: by the code of kustomize$(comma) Helm and Kubernetes,\
		tests/tools/again.sh go list -C tests/kubernetes -deps -test ./... >/dev/null && go test -C tests/kubernetes -count=1 ./...)

go-tests: build
	$(call suite,go,bindings-go/test.sh)

# Our Dubbo dialects beside the real routers of dubbo-java and dubbo-go: the tables, then 1,000 random cases a dialect.
dubbo-rules = python3 tests/rules/dubbo/differential.py
rules-tests: build
	$(call suite,rules: Dubbo beside the real routers,python3 tests/rules/dubbo/test_tables.py && $(dubbo-rules) --count 1000)

# Every parser of rules and of the wire under libFuzzer.
fuzz-tests:
	$(call suite,fuzz: 20 s each,fuzz/run.py 20)

demo-tests:
	$(call suite,demo and bench: what judges them,python3 -m unittest discover -q -s tests/demo && python3 tests/bench/test_figures.py)

# The shared cases; each runner prints `vectors: LANGUAGE=N`.
counted = tee >(cat >&2) | sed -n 's/^vectors: $(1)=\([0-9][0-9]*\)$$/\1/p'
vectors: build
	@rust=$$($(rust) --test vectors | $(call counted,rust)); \
	java=$$(tests/vectors/java/run.sh $(DIST)/libtrilane.so | $(call counted,java)); \
	go=$$(PKG_CONFIG_PATH=$$PWD/$(DIST)/go/lib/pkgconfig go test -C bindings-go -tags trilanetest -count=1 -v \
		-run '^TestVectors$$' ./internal/native | $(call counted,go)); \
	echo "vectors: rust=$$rust java=$${java:-skipped} go=$$go"; \
	[ "$$rust" = "$$go" ] && [ "$${java:-$$rust}" = "$$rust" ] || { echo "the counts differ"; exit 1; }

test: tools build lint rust-tests needs-tests vectors rules-tests java-tests go-tests interop-tests demo-tests fuzz-tests

# Versions x JDKs, every bed, a real Nacos, every class of the JDK and of the jars at hand through the class editor.
test-all: test interop
	$(call suite,rules: Dubbo beside the real routers$(comma) 10$(comma)000 each,$(dubbo-rules) --count 10000 --seed $$(date +%j) \
		&& TRILANE_FUZZ_ROUNDS=200000 $(CARGO) test --quiet --release -p trilane-lane --test dubbo)
	$(call suite,interop: grpc-java as well,python3 tests/interop/run.py --java)
	$(call suite,interop: other clients and proxies$(comma) dubbo-go$(comma) grpcurl,python3 tests/interop/peers.py)
	$(call suite,triple: instructions of a call,python3 tests/bench/instructions.py)
	$(call suite,triple: 20 minutes of soak,$(CARGO) build --quiet -p trilane-interop \
		&& unshare -rn sh -c 'ip link set lo up && exec target/debug/transport-soak --seconds 1200')
	$(call suite,interop: connectconformance,$(CARGO) build --quiet -p trilane-ffi --features net \
		&& python3 tests/interop/conformance/run.py target/debug go \
		&& $(CARGO) build --quiet -p trilane-ffi --features java && python3 tests/interop/conformance/run.py target/debug java)
	$(call suite,triple: Java and dubbo-java,for v in 3.3.6 3.2.19; do \
		python3 bindings-java/client/dubbo/run.py target/debug --dubbo $$v || exit 1; done)
	$(call suite,triple: Java with the agent,$(CARGO) build --quiet -p trilane-ffi --features jvm$(comma)java --target-dir target/net \
		&& python3 bindings-java/client/test.py target/net/debug --agent)
	$(call suite,java agent$(comma) JDK 11 to 25,jdks=$$(python3 tests/tools/jdks.py 11 17 21 25); export TRILANE_TEST_JDKS=$$jdks; \
		$(CARGO) test --quiet -p trilane-agent --features jvm -- --include-ignored 2>&1 | $(skips) \
		&& $(CARGO) test --quiet -p trilane-classedit --test stress 2>&1 | $(skips))
	$(call suite,java: Spring$(comma) all versions,python3 bindings-java/it/spring/run.py)
	$(call suite,java: Dubbo$(comma) all versions,python3 bindings-java/it/dubbo/run.py)
	$(call suite,java: Spring$(comma) bad days,python3 bindings-java/it/spring/run.py --bad-days --boot 35 --clients none --nacos none)
	$(call suite,java: Dubbo$(comma) bad days,python3 bindings-java/it/dubbo/run.py --bad-days --bed 33-tri --bed 33-dubbo --bed 27)
	$(call suite,java: two web applications redeployed,python3 bindings-java/it/dubbo/run.py --redeploy 50)
	$(call suite,go: dubbo-go,bindings-go/test.sh dubbo)
	$(call suite,the release before this one in one chain,python3 tests/previous.py)
	$(call suite,class editor: stress,$(CARGO) run --quiet --release -p trilane-classedit --example stress -- $$HOME/.m2)
	$(call suite,dist: the same bytes when built twice,deploy/dist.sh --twice)
	$(call suite,dist: the init image,python3 tests/image.py)
	$(call suite,rules: mutated texts,TRILANE_FUZZ=200000 $(CARGO) test --quiet --release -p trilane-lane --test fuzz)
	$(call suite,fuzz: ten minutes each,fuzz/run.py 600)
	$(call suite,rules: 1$(comma)000 reloads at up to a second,TRILANE_RELOADS=long $(CARGO) test --quiet -p trilane-engine --lib reload)
	$(call suite,rules: Istio's dialect beside a real istiod and Envoy,python3 tests/rules/istio/live.py --random 60)

# One tarball per machine: make dist ARCHS="x86_64 aarch64"
dist:
	$(call suite,dist,deploy/dist.sh $(ARCHS))

demo: build
	python3 tests/demo/demo.py

bench: build
	python3 tests/bench/bench.py $(BENCH)

clean:
	rm -rf target dist .cache
