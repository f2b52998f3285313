# make demo   set up what is missing, build, record a real program and show it
# make test   set up what is missing, build, run every test
# make fuzz  hostile recordings, spools, rings and texts, five minutes of each (part of make test: a minute)
# make tsan   tests with threads under ThreadSanitizer
# make model  rings and spool, every interleaving of a model (part of make test: the smallest)
# make coverage  which lines of core/ the tests reach
# make consumers  the exports again, with programs that read them (go tool pprof, speedscope, DuckDB ...)
# make tutorial  the outputs and pictures of viewer/TUTORIAL.md again
# make pictures  the pictures of README.md again, from the real window
# make deb    build a Debian package into build/deb
# make hazards  what breaks preload allocators, native and recorded (part of make test)
# make hazards-long  500 kills at random moments, 64 threads for minutes, half an hour of small work
# make hazards-compare  what heaptrack does in seven of them (tests/hazards/README.md)
# make matrix  thirty real programs, native and recorded; into tests/RESULTS-programs.md
# make suites  the test suites of CPython, perl and LevelDB, native and recorded; the same
# make bench  measure against native, heaptrack and SQLite's own limit (tests/bench)
#
# Every Debian package that building, the demo and the tests need stands in PACKAGES; both
# commands install what is missing. BENCH_PACKAGES are for `make bench` alone, DEB_PACKAGES for
# `make deb`.
PACKAGES = gcc g++ libc6-dev binutils meson ninja-build pkg-config python3 \
	libunwind-dev libsqlite3-dev libdw-dev libelf-dev libiberty-dev libzstd-dev zlib1g-dev \
	libjson-glib-dev libprotobuf-c-dev protobuf-c-compiler libcairo2-dev libgtk-4-dev libadwaita-1-dev \
	libxml2-utils sqlite3 perl git tar xz-utils findutils file strace procps fonts-dejavu-core \
	xvfb xauth xdotool imagemagick dbus-daemon gettext adwaita-icon-theme \
	at-spi2-core python3-gi gir1.2-atspi-2.0 \
	valgrind python3-prometheus-client mandoc spin \
	dash lua5.4 tmux curl nginx-light zstd bzip2
BENCH_PACKAGES = heaptrack
# The programs of tests/matrix; those of its quick part are in PACKAGES.
MATRIX_PACKAGES = zsh vim ruby nodejs openjdk-17-jdk-headless clang ffmpeg redis-server redis-tools wrk \
	postgresql-15 gtk-4-examples heaptrack heaptrack-gui chromium
# clang with libFuzzer
FUZZ_PACKAGES = clang libclang-rt-14-dev
# What tests/suites runs; the sources of two of them are fetched by apt-get source.
SUITE_PACKAGES = libpython3.11-testsuite dpkg-dev cmake libgtest-dev libgmock-dev
DEB_PACKAGES = dpkg-dev debhelper lintian fakeroot
# What else reads our exports; tests/export.sh uses what it finds of them.
CONSUMER_PACKAGES = golang-go libdevel-nytprof-perl prometheus chromium $(if $(shell command -v npm),,nodejs npm)
CONSUMER_MODULES = speedscope @duckdb/node-api

BUILD = build
export LC_ALL = C.UTF-8

.PHONY: all setup demo test coverage consumers tutorial pictures translations bench deb install clean fuzz model tsan hazards hazards-long hazards-compare matrix suites

all: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	@meson compile -C $(BUILD)

setup:
	@tests/setup.sh $(PACKAGES)

demo: all
	@tests/demo.sh $(BUILD)

test: all
	@tests/run.sh $(BUILD)

hazards: all
	@tests/hazards.py $(BUILD)

hazards-long: all
	@tests/kill.sh $(BUILD) 250
	@tests/hazards.py $(BUILD) --long
	@tests/long.py $(BUILD)

hazards-compare: all
	@tests/setup.sh $(BENCH_PACKAGES)
	@tests/hazards_compare.py $(BUILD) tests/hazards/README.md

matrix: all
	@tests/setup.sh $(MATRIX_PACKAGES)
	@nice tests/matrix.py $(BUILD) --write tests/RESULTS-programs.md

# MINUTES of each target (tests/fuzz/README.md); TARGETS="spool view" for some of them
fuzz: setup
	@tests/setup.sh $(FUZZ_PACKAGES)
	@mkdir -p $(BUILD)
	@tests/fuzz/run.sh $(BUILD) $(or $(MINUTES),5) $(TARGETS)

tsan: setup
	@tests/setup.sh $(FUZZ_PACKAGES)
	@mkdir -p $(BUILD)
	@tests/tsan.sh $(BUILD)

model: setup
	@tests/model.sh $(BUILD) long

suites: all
	@tests/setup.sh $(SUITE_PACKAGES)
	@nice tests/suites.py $(BUILD) --write tests/RESULTS-programs.md

coverage: setup
	@tests/setup.sh gcovr
	@tests/coverage.sh

consumers: all
	@tests/setup.sh $(CONSUMER_PACKAGES)
	@npm install --silent --no-save --prefix $(BUILD)/consumers $(CONSUMER_MODULES)
	@tests/export.sh $(BUILD)

tutorial: all
	@tests/tutorial.py $(BUILD) --write

translations: setup
	@tests/translations.sh --write

pictures: all
	@xvfb-run -w 30 -a -s "-screen 0 1280x800x24 -noreset" dbus-run-session -- /usr/bin/python3 tests/screenshots.py $(BUILD) --readme

bench: all
	@tests/setup.sh $(BENCH_PACKAGES)
	@tests/bench/run.sh $(BUILD)

deb: setup
	@tests/setup.sh $(DEB_PACKAGES)
	@debian/build.sh $(BUILD)/deb

install: all
	@meson install -C $(BUILD) $(if $(DESTDIR),--destdir $(DESTDIR))

clean:
	@rm -rf $(BUILD)
