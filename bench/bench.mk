# bench/bench.mk: the benchmark; Makefile.am includes it. See bench/README.md.
#
# make bench-deps   installs what it needs
# make bench        measures everything, about an hour, and writes
#                   bench/results.md, results.json and cost.svg
# make bench-quick  measures small sizes, and writes in bench/quick
# make bench-uploads
#                   measures what becomes of request bodies, ten minutes, and
#                   writes bench/uploads.md and uploads.json; part of make bench
#
# BENCH_ARGS="--only REGEX" narrows bench and bench-quick, which then write in
# bench/partial and leave the uploads out.

BENCH_ARGS =
bench_what = --module='$(abs_top_builddir)/.libs/mod_redirect307.so' \
	--httpd='$(HTTPD)' --apxs='$(APXS)'
bench_measure = $(srcdir)/bench/measure $(bench_what)
bench_uploads = $(srcdir)/bench/uploads $(bench_what)

bench: all
	@status=0; $(bench_measure) $(BENCH_ARGS) || status=1; \
	$(if $(BENCH_ARGS),,$(bench_uploads) || status=1;) exit $$status

bench-quick: all
	@status=0; $(bench_measure) --quick $(BENCH_ARGS) || status=1; \
	$(if $(BENCH_ARGS),,$(bench_uploads) --quick || status=1;) \
	exit $$status

bench-uploads: all
	@$(bench_uploads)

bench-deps:
	@$(srcdir)/bench/deps

.PHONY: bench bench-quick bench-uploads bench-deps
