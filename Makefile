# One Makefile, not recursive. Folders are the source list: a file's place is its build declaration.
# Variables: O=dir build folder, CC=clang, SAN=1 sanitizers, WERROR=1, V=1 verbose. `make help` lists targets.
O ?= build
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr
VERSION := 0.1.0

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

ROOMS := base profile spec config metrics elf proc perf symbol encode net httpd collect ship control record
PROGRAMS := pulseprof pulseprofd pulseprof-studio
PKGS := libbpf libelf libcurl json-c libuv zlib libmicrohttpd sqlite3
ARCH := $(shell uname -m | sed 's/aarch64/arm64/;s/x86_64/x86/')
TRIPLET := $(shell $(CC) -print-multiarch 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wno-format-nonliteral
CFLAGS ?= -O2 -g
CFLAGS_ALL := -std=gnu11 $(CFLAGS) -fno-omit-frame-pointer -fstack-protector-strong $(WARN) \
	$(if $(WERROR),-Werror) $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined,-D_FORTIFY_SOURCE=2)
comma := ,
CPPFLAGS_ALL := -D_GNU_SOURCE -DPP_VERSION='"$(VERSION)"' -Iinclude -I$(O)/gen $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LDFLAGS_ALL := $(LDFLAGS) $(if $(SAN),-fsanitize=address$(comma)undefined) -Wl,-z,relro,-z,now
LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lpthread -lm
BPF_CFLAGS := -target bpf -g -O2 -mcpu=v2 -Wall -Wextra -Wno-unused-parameter -D__TARGET_ARCH_$(ARCH) -Iinclude -Ibpf -I/usr/include/$(TRIPLET)

BPF_SRCS := $(wildcard bpf/*.bpf.c)
BPF_OBJS := $(BPF_SRCS:bpf/%.bpf.c=$(O)/bpf/%.bpf.o)
SKEL := $(O)/gen/pulseprof.skel.h
LIB_SRCS := $(foreach r,$(ROOMS),$(wildcard user/$(r)/*.c))
LIB_OBJS := $(LIB_SRCS:%.c=$(O)/%.o)
LIB := $(O)/libpulseprof.a
# Files that a program carries inside itself: name.EXT becomes the symbols pp_asset_NAME_EXT{,_end}.
ASSETS := $(wildcard user/encode/assets/* user/studio/assets/*)
ASSET_OBJS := $(ASSETS:%=$(O)/%.asset.o)
unit_srcs := $(wildcard tests/unit/test_*.c)
UNITS := $(unit_srcs:tests/unit/%.c=$(O)/unit/%)
test_prog_srcs := $(wildcard tests/programs/*.c)
TEST_PROGRAMS := $(test_prog_srcs:tests/programs/%.c=$(O)/programs/%)
e2e_helper_srcs := $(wildcard tests/e2e/*.c)
E2E_HELPERS := $(e2e_helper_srcs:tests/e2e/%.c=$(O)/e2e/%)
fuzz_srcs := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(fuzz_srcs:tests/fuzz/%.c=$(O)/fuzz/%)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run check unit e2e vm bench fuzz lint fmt golden install clean help test-programs

all: $(PROGRAMS:%=$(O)/%) ## build the three programs

$(O)/pulseprof: $(patsubst %.c,$(O)/%.o,$(wildcard user/cli/*.c)) $(LIB)
$(O)/pulseprofd: $(patsubst %.c,$(O)/%.o,$(wildcard user/daemon/*.c)) $(LIB)
$(O)/pulseprof-studio: $(patsubst %.c,$(O)/%.o,$(wildcard user/studio/*.c)) $(LIB)
$(PROGRAMS:%=$(O)/%):
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJS) $(ASSET_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/%.o: %.c | $(SKEL)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MD -MP -c -o $@ $<

$(O)/%.asset.o: %
	$(call say,ASSET,$<)
	$(Q)mkdir -p $(@D) && sym=pp_asset_$$(basename $< | tr -c 'a-zA-Z0-9\n' _) && \
	printf '.section .rodata\n.balign 16\n.global %s\n.global %s_end\n%s:\n.incbin "%s"\n%s_end:\n.byte 0\n.section .note.GNU-stack,"",%%progbits\n' \
		$$sym $$sym $$sym $< $$sym | $(CC) -c -x assembler -o $@ -

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MD -MP -c -o $@ $<

$(O)/bpf/pulseprof.o: $(BPF_OBJS)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(O)/bpf/pulseprof.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< name pulseprof_bpf >$@

$(O)/unit/%: tests/unit/%.c $(LIB)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Itests/unit -MD -MP -o $@ $< $(LDFLAGS_ALL) $(shell sed -n 's/^.*UNIT_LDFLAGS: *\(.*[^ ]\) *\*\/.*$$/\1/p' $<) $(LIB) -lcmocka $(LIBS)

-include $(shell find $(O) -name '*.d' 2>/dev/null)

unit: $(UNITS) ## unit tests of every room; no root, no kernel, no net
	$(Q)tests/tally unit -- $(UNITS)

lint: ## format, layers, limits, shellcheck
	$(Q)tools/lint

fmt: ## format all C files
	$(Q)clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h' '*.bpf.c')

clean: ## remove the build folder
	$(Q)rm -rf $(O)

help: ## this list
	$(Q)sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
