# SPDX-License-Identifier: GPL-2.0-only
#
# luod with a stand-in for the kernel, for tests/unit/test_luod.py, and what is
# fed to it at random:
#
#   make -f luod.mk luod      $(LO)/luod, with ASan and UBSan unless SANITIZE=
#   make -f luod.mk fuzz      $(LO)/fuzz, with libFuzzer, which takes clang
#
# SOURCES=, SHARED=  where luod's are and what it has of the library, if not where
#                    they belong

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
include $(TOP)/user.mk

LO := $(OUT)/luod-test
SOURCES ?= $(TOP)/luod
SHARED ?= $(TOP)/lib/src
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_CC ?= clang
STANDIN := $(TOP)/tests/unit/user/luo-standin.c
FUZZ := $(addprefix $(TOP)/tests/fuzz/,luod.c closer-now.c)
WRAP := -Wl,--wrap=open,--wrap=ioctl,--wrap=readlink

FLAGS := $(USER_CFLAGS) -I$(SOURCES) -I$(SHARED) -Wno-unused-parameter \
	-O1 -g -U_FORTIFY_SOURCE -fno-omit-frame-pointer -pthread
FILES := $(wildcard $(SOURCES)/*.c) $(SHARED)/calls-session.c $(SHARED)/message.c
READ := $(FILES) $(wildcard $(SOURCES)/*.h) $(wildcard $(SHARED)/*.h) $(STANDIN)

luod: $(LO)/luod
fuzz: $(LO)/fuzz

$(LO)/luod: $(READ)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(SANITIZE) $(WRAP) -o $@ $(FILES) $(STANDIN)

$(LO)/fuzz: $(READ) $(FUZZ)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FLAGS) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(WRAP) -o $@ \
		$(filter-out %/main.c %/closer.c,$(FILES)) $(STANDIN) $(FUZZ)

.PHONY: luod fuzz
