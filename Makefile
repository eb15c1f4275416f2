# make            build/tidewheel
# make unit       the libcheck suites
# The rest of the targets: make help

BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
PKGS    := rdkafka hiredis yajl yaml-0.1 libxxhash
CFLAGS  += -std=c11 $(OPT) $(WARN) $(WERROR) -fno-strict-aliasing -ffp-contract=off -fstack-protector-strong $(SANITIZE)
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc $(shell pkg-config --cflags $(PKGS))
LDFLAGS += $(SANITIZE)
LDLIBS  += $(shell pkg-config --libs $(PKGS)) -lpthread -lm

SRC     := $(sort $(wildcard src/*/*.c))
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libtidewheel.a
UNIT    := $(sort $(wildcard tests/unit/test_*.c))
UNITBIN := $(UNIT:tests/unit/%.c=$(BUILD)/tests/%)

.PHONY: all unit clean help
all: $(BUILD)/tidewheel

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(BUILD)/tidewheel: $(BUILD)/src/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: tests/unit/%.c tests/unit/unit.h $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -o $@ $< $(LIB) $(shell pkg-config --libs check) $(LDLIBS)

unit: $(UNITBIN) ## the libcheck suites
	@set -e; for suite in $^; do $$suite; done

clean: ## removes what was built
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(BUILD)/src/main.d
