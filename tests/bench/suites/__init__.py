"""The suites behind `make bench`: each module has prepare(run) and measure(run)."""
