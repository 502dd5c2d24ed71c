# One Makefile, not recursive. Folders are the source list: a file's place is its build declaration.
# Variables: O=dir build folder, CC=clang, SAN=1 sanitizers, FUZZ=1 for fuzzers, WERROR=1, V=1 verbose.
# `make help` lists the targets.
O ?= $(if $(SAN),build-san,build)
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr
FUZZ_SECONDS ?= 60
# The Studio registers agents (gpid) from version 1.2.3 on.
VERSION := 2.0.0
export O CC CLANG

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)
comma := ,

ROOMS := base profile spec config metrics elf proc perf unwind symbol encode net httpd collect container reader ship control rpc counter record
PROGRAMS := $(if $(wildcard user/cli/main.c),pulseprof) $(if $(wildcard user/daemon/main.c),pulseprofd) \
	$(if $(wildcard user/studio/main.c),pulseprof-studio)
# library, minimum version, Debian's package
NEEDS := libbpf:1.0:libbpf-dev libelf:0.180:libelf-dev libcurl:7.74:libcurl4-openssl-dev json-c:0.15:libjson-c-dev \
	libuv:1.40:libuv1-dev zlib:1.2.11:zlib1g-dev libmicrohttpd:0.9.72:libmicrohttpd-dev sqlite3:3.35:libsqlite3-dev liblzma:5.2:liblzma-dev libdw:0.180:libdw-dev
PKGS := $(foreach n,$(NEEDS),$(firstword $(subst :, ,$(n))))
ARCH := $(shell uname -m | sed 's/aarch64/arm64/;s/x86_64/x86/')
TRIPLET := $(shell $(CC) -print-multiarch 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wno-format-nonliteral
CFLAGS ?= -O2 -g
SANITIZE := $(if $(FUZZ),-fsanitize=fuzzer-no-link$(comma)address$(comma)undefined,$(if $(SAN),-fsanitize=address$(comma)undefined))
CFLAGS_ALL := -std=gnu11 $(CFLAGS) -fno-omit-frame-pointer -fstack-protector-strong $(WARN) $(if $(WERROR),-Werror) \
	$(if $(SANITIZE),$(SANITIZE) -fno-sanitize-recover=undefined,-D_FORTIFY_SOURCE=2)
CPPFLAGS_ALL := -D_GNU_SOURCE -DPP_VERSION='"$(VERSION)"' -Iinclude -I$(O)/gen $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LDFLAGS_ALL := $(LDFLAGS) $(SANITIZE) -Wl,-z,relro,-z,now
LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -liberty -lpthread -lm
BPF_CFLAGS := -target bpf -g -O2 -mcpu=v2 -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror) \
	-D__TARGET_ARCH_$(ARCH) -Iinclude -Ibpf -I/usr/include/$(TRIPLET)
# Flags that a test file asks for in a comment: "NAME: flags" up to the end of the comment.
asked = $(shell sed -n 's|^.*$(1): *\(.*[^ ]\) *\*/.*$$|\1|p' $(2))

BPF_SRCS := $(wildcard bpf/*.bpf.c)
# Loaded on its own, while it is asked for; the others are linked to one object.
BPF_ALONE := $(O)/bpf/counting.bpf.o
BPF_OBJS := $(filter-out $(BPF_ALONE),$(BPF_SRCS:bpf/%.bpf.c=$(O)/bpf/%.bpf.o))
SKEL := $(O)/gen/pulseprof.skel.h $(BPF_ALONE:$(O)/bpf/%.bpf.o=$(O)/gen/%.skel.h)
LIB_OBJS := $(patsubst %.c,$(O)/%.o,$(foreach r,$(ROOMS),$(wildcard user/$(r)/*.c)))
LIB := $(O)/libpulseprof.a
# Files that a program carries inside itself: name.EXT becomes the symbols pp_asset_NAME_EXT{,_end}.
ASSETS := $(wildcard user/encode/assets/* user/counter/assets/* user/studio/assets/*)
ASSET_OBJS := $(ASSETS:%=$(O)/%.asset.o)
UNITS := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
FRAMES := $(foreach cc,gcc clang,$(foreach opt,O0 O1 O2 O3,$(addprefix $(O)/programs/frames.by/$(cc)-$(opt)-,fp nofp)))
TEST_PROGRAMS := $(patsubst tests/programs/%.c,$(O)/programs/%,$(wildcard tests/programs/*.c)) \
	$(patsubst tests/programs/%.cc,$(O)/programs/%,$(wildcard tests/programs/*.cc)) $(FRAMES)
# bpf/ compiled for user space, with fakes for what the kernel gives it: always with sanitizers.
BPF_HOST_UNITS := $(patsubst tests/bpf/%.c,$(O)/unit/%,$(wildcard tests/bpf/test_*.c))
BPF_HOST_OBJS := $(addprefix $(O)/bpf_host/,host_sampler.o fake_kernel.o)
BPF_HOST_SANITIZE := -fsanitize=address$(comma)undefined
BPF_HOST_CFLAGS := -Itests/bpf/fake -Itests/bpf -Ibpf -Wno-unknown-pragmas -Wno-missing-prototypes -Wno-pointer-arith -Wno-unknown-attributes \
	-fno-strict-aliasing \
	$(BPF_HOST_SANITIZE) -fno-sanitize-recover=undefined
BPF_COMPARE := $(if $(shell $(PKG_CONFIG) --exists libdw 2>/dev/null && echo yes),$(O)/bpf_host/compare)
UNITS += $(BPF_HOST_UNITS)
E2E_HELPERS := $(patsubst tests/e2e/%.c,$(O)/e2e/%,$(wildcard tests/e2e/*.c))
ROWS := $(if $(wildcard tests/rows/*.c),$(O)/rows/compare)
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run check unit unit-san e2e vm bpfsize torture bench rows fuzz fuzzers lint fmt golden install clean help test-programs FORCE

all: $(LIB) $(PROGRAMS:%=$(O)/%) ## build the three programs

objs_of = $(patsubst %.c,$(O)/%.o,$(wildcard user/$(1)/*.c))
$(O)/pulseprof: $(call objs_of,cli)
$(O)/pulseprofd: $(call objs_of,daemon)
$(O)/pulseprof-studio: $(call objs_of,studio)
$(PROGRAMS:%=$(O)/%): $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LIB) $(LIBS)

$(LIB): $(LIB_OBJS) $(ASSET_OBJS) $(O)/gen/objects
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

# Rewritten only when they change: a removed source rebuilds the library, other flags rebuild all.
# (-Werror changes no code, so it rebuilds nothing.)
$(O)/gen/objects: FORCE
	$(Q)mkdir -p $(@D); echo '$(LIB_OBJS) $(ASSET_OBJS)' | cmp -s - $@ || echo '$(LIB_OBJS) $(ASSET_OBJS)' >$@
flags := $(CC) $(subst ','\'',$(filter-out -Werror,$(CPPFLAGS_ALL) $(CFLAGS_ALL) $(BPF_CFLAGS)))
$(O)/gen/flags: FORCE | $(O)/gen/needs
	$(Q)mkdir -p $(@D); echo '$(flags)' | cmp -s - $@ || echo '$(flags)' >$@

$(O)/gen/needs: Makefile
	$(Q)mkdir -p $(@D); missing=; \
	for tool in $(CC) $(CLANG) $(BPFTOOL) $(PKG_CONFIG); do \
		command -v $$tool >/dev/null || missing="$$missing  $$tool (a program)\n"; done; \
	for need in $(subst :,/,$(NEEDS)); do lib=$${need%%/*}; package=$${need##*/}; version=$${need#*/}; version=$${version%/*}; \
		$(PKG_CONFIG) --atleast-version=$$version $$lib 2>/dev/null || \
			missing="$$missing  $$lib >= $$version (Debian and Ubuntu: $$package)\n"; done; \
	echo '#include <libiberty/demangle.h>' | $(CC) $(CPPFLAGS_ALL) -E - >/dev/null 2>&1 || \
		missing="$$missing  libiberty (Debian and Ubuntu: libiberty-dev)\n"; \
	if [ -n "$$missing" ]; then printf "pulseprof cannot be built here, missing:\n$$missing"; \
		echo "'sudo tools/setup' installs them"; exit 1; fi >&2; touch $@

$(O)/%.o: %.c $(O)/gen/flags | $(SKEL)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MD -MP -c -o $@ $<

$(O)/%.asset.o: % $(O)/gen/flags
	$(call say,ASSET,$<)
	$(Q)mkdir -p $(@D) && sym=pp_asset_$$(basename $< | tr -c 'a-zA-Z0-9\n' _) && \
	printf '.section .rodata\n.balign 16\n.global %s\n.global %s_end\n%s:\n.incbin "%s"\n%s_end:\n.byte 0\n.section .note.GNU-stack,"",%%progbits\n' \
		$$sym $$sym $$sym $< $$sym | $(CC) -c -x assembler -o $@ -

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/gen/flags
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MD -MP -c -o $@ $<

$(O)/bpf/pulseprof.o: $(BPF_OBJS)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(O)/bpf/%.o: $(O)/bpf/%.bpf.o
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(O)/gen/%.skel.h: $(O)/bpf/%.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(O)/unit/%: tests/unit/%.c $(LIB) $(O)/gen/flags
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Itests/unit -MD -MP -MF $@.d -MT $@ -o $@ $< \
		$(LDFLAGS_ALL) $(call asked,UNIT_LDFLAGS,$<) $(LIB) -lcmocka $(LIBS)

$(O)/bpf_host/%.o: tests/bpf/%.c $(O)/gen/flags
	$(call say,HOSTBPF,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(BPF_HOST_CFLAGS) -MD -MP -c -o $@ $<

$(BPF_HOST_UNITS): $(O)/unit/%: $(O)/bpf_host/%.o $(BPF_HOST_OBJS) $(LIB)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) -o $@ $^ $(LDFLAGS_ALL) $(BPF_HOST_SANITIZE) -lcmocka $(LIBS)

$(O)/bpf_host/compare: $(patsubst tests/bpf/%.c,$(O)/bpf_host/%.o,$(filter-out $(wildcard tests/bpf/test_*.c),$(wildcard tests/bpf/*.c))) $(LIB)
	$(call say,E2E,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(BPF_HOST_SANITIZE) -Wl,--wrap=proc_table__module -ldw $(LIBS)

# Workloads: their flags decide what their stacks look like, so none of ours are added.
$(O)/programs/%: tests/programs/%.c $(O)/gen/flags
	$(call say,PROG,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra $(if $(WERROR),-Werror) -g \
		$(call asked,PROGRAM_CFLAGS,$<) -MD -MP -MF $@.d -MT $@ -o $@ $< $(call asked,PROGRAM_LDFLAGS,$<)

$(O)/programs/%: tests/programs/%.cc $(O)/gen/flags
	$(call say,PROG,$@)
	$(Q)mkdir -p $(@D) && $(CXX) -D_GNU_SOURCE -Wall -Wextra $(if $(WERROR),-Werror) -g \
		$(call asked,PROGRAM_CFLAGS,$<) -MD -MP -MF $@.d -MT $@ -o $@ $< $(call asked,PROGRAM_LDFLAGS,$<)

# The same shapes by each compiler, level and kind of frame: frames.by/CC-OPT-fp and -nofp.
$(FRAMES): $(O)/programs/frames.by/%: tests/programs/frames.c $(O)/gen/flags
	$(call say,PROG,$@)
	$(Q)mkdir -p $(@D) && $(word 1,$(subst -, ,$*)) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra $(if $(WERROR),-Werror) -g \
		$(call asked,PROGRAM_CFLAGS,$<) -$(word 2,$(subst -, ,$*)) -MD -MP -MF $@.d -MT $@ -o $@ $< \
		$(if $(filter %-fp,$*),-fno-omit-frame-pointer -mno-omit-leaf-frame-pointer,-fomit-frame-pointer)

$(O)/e2e/%: tests/e2e/%.c $(LIB) $(O)/gen/flags
	$(call say,E2E,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MD -MP -MF $@.d -MT $@ -o $@ $< \
		$(LDFLAGS_ALL) $(call asked,E2E_LDFLAGS,$<) $(LIB) $(LIBS)

$(O)/rows/compare: $(wildcard tests/rows/*.[ch]) $(LIB) $(O)/gen/flags
	$(call say,E2E,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -o $@ $(filter %.c,$^) $(LDFLAGS_ALL) $(LIB) $(LIBS)

$(O)/fuzz_%: tests/fuzz/fuzz_%.c $(LIB) $(O)/gen/flags
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(call asked,FUZZ_CFLAGS,$<) -fsanitize=fuzzer -MD -MP -MF $@.d -MT $@ -o $@ $< \
		$(LDFLAGS_ALL) $(LIB) $(LIBS)

-include $(shell find $(O) -name '*.d' 2>/dev/null)

test-programs: $(TEST_PROGRAMS) $(E2E_HELPERS) $(ROWS) $(BPF_COMPARE) ## build the workloads and helpers of the tests

run: all $(O)/programs/fp_deep ## studio and daemon on loopback, one profile of this host
	$(Q)tools/run

# The suites one after the other, whatever fails; a suite that has no counts at the end has failed.
CHECKS := lint unit unit-san e2e vm fuzz
check: ## lint, unit, unit with sanitizers, e2e, vm, a minute of fuzz; needs root
	$(Q)tests/tally reset
	+$(Q)for suite in $(CHECKS); do echo "$$suite:"; $(MAKE) --no-print-directory $$suite WERROR=1 || :; done; \
	tests/tally total $(CHECKS)

unit: $(UNITS) ## unit tests of every room; no root, no kernel, no net
	$(Q)tests/tally $(if $(SAN),unit-san,unit) -- $(UNITS)

# The same tests, built with AddressSanitizer and UBSan in a folder of their own.
unit-san:
	+$(Q)TALLY_DIR=$(O)/tally $(MAKE) --no-print-directory SAN=1 O=$(O)/san unit

e2e: all test-programs ## end to end on this kernel; needs root
	$(Q)TALLY_DEADLINE_S=300 tests/tally e2e -- $(sort $(wildcard tests/e2e/*.t))

VM_PROGRAMS := $(addprefix $(O)/,programs/fp_deep programs/nofp_deep programs/swap_code programs/faults e2e/bpf_size e2e/collect_stress)
vm: all $(VM_PROGRAMS) ## load, sample, unwind and drain on other kernels, in QEMU
	$(Q)TALLY_DEADLINE_S=900 tests/tally vm -- tests/vm/run

bpfsize: all $(VM_PROGRAMS) ## what verifiers make of each program, here and on other kernels; needs root
	$(Q)tests/vm/run --sizes

fuzz: ## fuzz each parser, FUZZ_SECONDS (60) in total
	+$(Q)$(MAKE) --no-print-directory FUZZ=1 CC=$(CLANG) CFLAGS='-O1 -g' O=$(O)/fuzz fuzzers
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) TALLY_DEADLINE_S=$$(($(FUZZ_SECONDS) + 300)) tests/tally fuzz -- tests/fuzz/run

fuzzers: $(FUZZERS)

torture: all test-programs ## the daemon killed 200 times at random instants
	KILLS=200 O=$(O) tests/e2e/torture.t

bench: all test-programs ## one line a bar: ratio NAME VALUE BAR; FULL=1 adds long runs
	$(Q)tests/bench/run

rows: $(ROWS) ## every row of call frame information in /usr against binutils; takes minutes
	$(Q)tests/rows/run

lint: ## format, layers, limits, shellcheck, and their own tests
	$(Q)tests/tally lint -- tools/lint tests/tools/lint.t tests/tools/tally.t

fmt: ## format all C files
	$(Q)find include user bpf tests -name '*.[ch]' -exec $(shell command -v clang-format-14 || echo clang-format) -i {} +

golden: $(UNITS) ## record expected outputs anew; read the diff
	$(Q)PULSEPROF_GOLDEN=record tests/tally golden -- $(UNITS)

install: all ## to DESTDIR, below PREFIX (/usr)
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/doc/pulseprof
	$(Q)install -m 755 $(O)/pulseprof $(O)/pulseprof-studio $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 755 $(O)/pulseprofd $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/pulseprof

clean: ## remove the build folder
	$(Q)rm -rf $(O)

help: ## this list
	$(Q)sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
