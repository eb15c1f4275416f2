# make            build/tidewheel
# make test       installs what is missing, builds, and passes all tests
# make help       the rest; V=1 shows the commands

BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2 -g
JOBS    ?= $(shell nproc)
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
PKGS    := rdkafka hiredis libssl libcrypto yajl yaml-0.1 libxxhash libmicrohttpd
CFLAGS  += -std=c11 $(OPT) $(WARN) $(WERROR) -fno-strict-aliasing -ffp-contract=off -fstack-protector-strong $(SANITIZE)
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc $(shell pkg-config --cflags $(PKGS))
LDFLAGS += $(SANITIZE)
LDLIBS  += $(shell pkg-config --libs $(PKGS)) -lpthread -lm

LIB     := $(BUILD)/libtidewheel.a
SRC     := $(sort $(wildcard src/*/*.c))
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
REPLAY  := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SIM     := $(patsubst tests/sim/%.c,$(BUILD)/tests/sim-%.o,$(wildcard tests/sim/*.c))
BENCH   := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
KIT     := $(addprefix $(BUILD)/,tidewheel-topics tidewheel-produce tidewheel-generate mock-broker)
PREFIX  ?= /usr/local
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR  ?= $(PREFIX)/share/doc/tidewheel
Q       := $(if $(V),,@)
RUN     := BUILD=$(BUILD) python3 tests/kit/run.py
AGAIN   := +$(MAKE) --no-print-directory -j$(JOBS)

.PHONY: all kit tests fuzzers benches help clean setup setup-lint demo test unit histories integration
.PHONY: lint format generated asan tsan fuzz mutants bench sim chaos install uninstall deb
all: $(BUILD)/tidewheel
kit: all $(KIT)
tests: kit $(UNIT) $(REPLAY) $(BUILD)/tests/sim
fuzzers: $(FUZZERS)
benches: $(BENCH)

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## installs the Debian packages that are missing
	@tests/kit/setup.sh

setup-lint: ## and those of the lint and the fuzzers
	@tests/kit/setup.sh lint

demo: setup ## shows the worker at work, for DEMO_SECONDS (30)
	$(AGAIN) kit
	@BUILD=$(BUILD) python3 tests/kit/demo.py

test: setup ## all tests; REQUIRE_KAFKA=1 refuses the mock cluster
	$(AGAIN) tests
	@$(RUN)

unit: tests ## the libcheck suites and the fuzzers' corpus
	@$(RUN) unit corpus

histories: tests ## HISTORIES (600) random histories against the oracle
	@$(RUN) model

sim: $(BUILD)/tests/sim ## SEEDS (10000) of each form of the worker, simulated with faults
	@$(RUN) sim

integration: tests ## on a real Redis and a real Kafka
	@$(RUN) integration

lint: ## floors, includes, sizes, format, cppcheck
	@python3 tests/lint/lint.py

generated: $(BUILD)/tidewheel ## manual, completions, reference and schemas, from the tables
	@BUILD=$(BUILD) python3 tests/lint/generated.py --write

format: ## settles the format of the C files
	clang-format -i $$(git ls-files '*.[ch]')

asan: ## AddressSanitizer and UBSan: unit, sim, model, golden, integration
	$(AGAIN) BUILD=build/asan OPT='-O1 -g -fno-omit-frame-pointer' tests \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
	@UBSAN_OPTIONS=print_stacktrace=1 EVENTS=20000 HISTORIES=100 SEEDS=500 BUILD=build/asan python3 tests/kit/run.py \
	    unit sim model golden pipelines corpus integration

# A second SIGTERM leaves with threads running, as it is meant to: no leak.
tsan: ## ThreadSanitizer: integration with 20,000 events
	$(AGAIN) BUILD=build/tsan OPT='-O1 -g' SANITIZE=-fsanitize=thread SHIM=build/tsan/tests/kit/tsan_shim.o kit
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/kit/tsan.supp:halt_on_error=1:report_thread_leaks=0:$(TSAN_OPTIONS)" \
	    EVENTS=20000 BUILD=build/tsan python3 tests/kit/run.py integration

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	$(AGAIN) BUILD=build/fuzz CC=clang OPT='-O1 -g' fuzzers \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'
	@BUILD=build/fuzz python3 tests/kit/run.py fuzz

mutants: ## proves that the tests notice: patches, each with the test that must fail
	@python3 tests/mutants/mutants.py

chaos: setup ## kills, stops and failovers for CHAOS_MINUTES (3), from CHAOS_SEED
	$(AGAIN) kit
	@BUILD=$(BUILD) python3 tests/chaos/run.py

bench: setup ## what it costs, one line each
	$(AGAIN) kit benches
	@BUILD=$(BUILD) python3 tests/bench/bench.py

install: $(BUILD)/tidewheel ## to PREFIX (/usr/local); ETC=1: a configuration in /etc, too
	@echo "  install  $(DESTDIR)$(PREFIX)"
	$(Q)install -D $(BUILD)/tidewheel $(DESTDIR)$(PREFIX)/bin/tidewheel
	$(Q)install -Dm644 config/man/tidewheel.1 $(DESTDIR)$(PREFIX)/share/man/man1/tidewheel.1
	$(Q)install -Dm644 config/completions/tidewheel.bash $(DESTDIR)$(BASHDIR)/tidewheel
	$(Q)install -Dm644 config/completions/tidewheel.zsh $(DESTDIR)$(ZSHDIR)/_tidewheel
	$(Q)install -Dm644 config/completions/tidewheel.fish $(DESTDIR)$(FISHDIR)/tidewheel.fish
	$(Q)install -d $(DESTDIR)$(UNITDIR)
	$(Q)sed 's:/usr/bin/:$(PREFIX)/bin/:' config/systemd/tidewheel.service > $(DESTDIR)$(UNITDIR)/tidewheel.service
	$(Q)chmod 644 $(DESTDIR)$(UNITDIR)/tidewheel.service
	$(Q)install -Dm644 -t $(DESTDIR)$(DOCDIR) README.md LICENSE
	$(Q)install -Dm644 -t $(DESTDIR)$(DOCDIR)/examples/config config/tidewheel.yaml config/reference.yaml
	$(Q)install -Dm644 -t $(DESTDIR)$(DOCDIR)/examples/pipelines pipelines/*.yaml
	$(Q)install -Dm644 -t $(DESTDIR)$(DOCDIR)/examples/pipelines/tests pipelines/tests/*.yaml
	$(Q)install -Dm644 -t $(DESTDIR)$(DOCDIR)/examples/schema schema/*.json
	$(Q)test -z "$(ETC)" || install -d $(DESTDIR)/etc/tidewheel/pipelines
	$(Q)test -z "$(ETC)" || test -e $(DESTDIR)/etc/tidewheel/config/tidewheel.yaml || \
	    install -Dm644 config/tidewheel.yaml $(DESTDIR)/etc/tidewheel/config/tidewheel.yaml

uninstall: ## removes what install has put there, but for /etc
	rm -rf $(DESTDIR)$(DOCDIR)
	rm -f $(DESTDIR)$(PREFIX)/bin/tidewheel $(DESTDIR)$(PREFIX)/share/man/man1/tidewheel.1 \
	    $(DESTDIR)$(BASHDIR)/tidewheel $(DESTDIR)$(ZSHDIR)/_tidewheel \
	    $(DESTDIR)$(FISHDIR)/tidewheel.fish $(DESTDIR)$(UNITDIR)/tidewheel.service

deb: $(BUILD)/tidewheel ## a Debian package of it
	@BUILD=$(BUILD) config/debian/package.sh

clean: ## removes what was built
	rm -rf $(BUILD)

$(BUILD)/tidewheel: $(BUILD)/src/main.o $(SHIM) $(LIB)
	@echo "  link  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/test_%: tests/unit/test_%.c tests/unit/unit.h $(LIB)
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -o $@ $< $(LIB) $(shell pkg-config --libs check) $(LDLIBS)

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(LIB)
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/sim-%.o: tests/sim/%.c $(wildcard tests/sim/*.h)
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) -Itests/sim $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/sim: $(SIM) $(LIB)
	@echo "  link  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(LIB)
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# What stands beside the worker in the tests is no subject of the sanitizers.
$(KIT): override SANITIZE :=

$(BUILD)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h) $(LIB)
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(BUILD)/tidewheel-%: tests/kit/%.c tests/kit/client.h
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(shell pkg-config --libs rdkafka)

$(BUILD)/mock-broker: tests/kit/mock_broker.c
	@mkdir -p $(@D) && echo "  cc    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(shell pkg-config --libs rdkafka)

-include $(OBJ:.o=.d) $(SIM:.o=.d) $(BUILD)/src/main.d
