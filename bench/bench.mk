# bench/bench.mk: the benchmark; Makefile.am includes it. See bench/README.md.
#
# make bench-deps   installs what it needs
# make bench        measures everything, about an hour, and writes
#                   bench/results.md, results.json and cost.svg
# make bench-quick  measures small sizes, and writes in bench/quick
#
# BENCH_ARGS="--only REGEX" narrows both, and writes in bench/partial.

BENCH_ARGS =
bench_measure = $(srcdir)/bench/measure \
	--module='$(abs_top_builddir)/.libs/mod_redirect307.so' \
	--httpd='$(HTTPD)' --apxs='$(APXS)'

bench: all
	@$(bench_measure) $(BENCH_ARGS)

bench-quick: all
	@$(bench_measure) --quick $(BENCH_ARGS)

bench-deps:
	@$(srcdir)/bench/deps

.PHONY: bench bench-quick bench-deps
