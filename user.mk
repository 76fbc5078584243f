# SPDX-License-Identifier: GPL-2.0-only
#
# What the Makefiles of lib/, luctl/, luod/ and vmm/ have in common. Each sets TOP, and
# is run by itself as well as from the top.
#
# OUT=     where to build (build/user)
# DESTDIR=, PREFIX=, LIBDIR=, ...   where to install, as GNU has them

.DEFAULT_GOAL := all
OUT ?= $(TOP)/build/user
VERSION := $(shell cat $(TOP)/VERSION)

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
INSTALL ?= install

CC ?= cc
AR ?= ar
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config

USER_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wstrict-prototypes \
	-Wmissing-prototypes -Wshadow -Wwrite-strings -fvisibility=hidden \
	-I$(TOP)/lib/include -DLU_VERSION='"$(VERSION)"'
JSON_CFLAGS := $(shell $(PKG_CONFIG) --cflags json-c)
JSON_LIBS := $(shell $(PKG_CONFIG) --libs json-c)

LIBLIVEUPDATE_A := $(OUT)/lib/libliveupdate.a

# The library, by its own Makefile: only that one knows whether it is up to date.
library: FORCE
	@$(MAKE) --no-print-directory -C $(TOP)/lib OUT=$(OUT) \
		$(OUT)/lib/libliveupdate.so.$(VERSION) $(LIBLIVEUPDATE_A)

FORCE:
.PHONY: library FORCE
