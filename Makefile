# SPDX-License-Identifier: GPL-2.0-only
# The front door; everything is done by the scripts it calls.

.PHONY: help demo test test-all soak fuzz fuzz-user chaos user deb kernel-deb host demo-vm fleet bench \
	kernel shell series check status tools setup clean
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

help:
	@echo "make demo          one live update under QEMU, with a report in build/demo/"
	@echo "make demo STOCK=1  the same with our kernel options off: the transfers stop"
	@echo "make demo IOMMU=X  the same behind another IOMMU: intel, intel-sm, intel-fs, amd"
	@echo "make test          the tests everybody runs"
	@echo "make test-all      those that need a kernel with KASAN and lockdep, or patience"
	@echo "make soak          1,000 live updates in a row, in an hour or two"
	@echo "make fuzz          broken handovers, read under KASAN: COUNT= of them, from SEED="
	@echo "make fuzz-user     broken messages for luod, broken maps for the library: SECONDS= of each"
	@echo "make chaos         random machines and events: COUNT= of them (20), from SEED="
	@echo "make user          libliveupdate, luctl, luod, lu-qemu, man pages, in build/user/"
	@echo "make deb           Debian packages of these, in build/deb/"
	@echo "make kernel-deb    the same of a kernel, for a Debian host, in build/kernel-deb/"
	@echo "make host          a Debian host with both, updated by its luctl three times in a row"
	@echo "make demo-vm       the same with a guest of QEMU on it, which has a drive and a card;"
	@echo "                   with STOCK=1 on a host that hands over nothing: the guest ends"
	@echo "make fleet         three such hosts, rolled by Ansible; one that would be refused stays as it is"
	@echo "make bench         what it costs, in instructions, in build/bench/"
	@echo "make shell         a console on the patched kernel, devices bound"
	@echo "make kernel        the kernel of the demo, in build/kernel-lu/"
	@echo "make status        what we add to the kernel, what the cache holds"
	@echo "make series        the kernel changes as a git-am series, in build/series/"
	@echo "make check         the series applies; checkpatch; W=1; with our options off the source's code"
	@echo "make clean         removes build/, keeps the cache"
	@echo
	@echo "KERNEL_SRC=        another Linux tree or tarball to start from"
	@echo "IOMMU_LU_CACHE=    where source, tree and objects are kept"

tools:
	@scripts/setup

setup:
	@scripts/setup tests

kernel: tools
	@kernel/ktree build lu

ifdef STOCK
demo: tools
	@kernel/ktree build lu stock
	@tests/vm/demo --kernel build/kernel-stock --stock $(if $(IOMMU),--iommu $(IOMMU))
else
demo: kernel
	@tests/vm/demo --kernel build/kernel-lu $(if $(IOMMU),--iommu $(IOMMU))
endif

test: setup
	@tests/run

test-all: setup
	@tests/run patient

soak: kernel
	@tests/vm/run --kernel build/kernel-lu --out build/soak \
		again:n=1000:judge=dma-frames:seconds=36000

COUNT ?= 1000000
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
fuzz: tools
	@kernel/ktree build debug
	@echo "make fuzz COUNT=$(COUNT) SEED=$(SEED)"
	@IOMMU_LU_SLOW=$$(( $(COUNT) / 50000 + 1 )) tests/vm/run --debug \
		--kernel build/kernel-debug --out build/fuzz --keep \
		$(foreach test,fuzz fuzz-amd,"$(test):+liveupdate_fuzz.count=$(COUNT):+liveupdate_fuzz.seed=$(SEED):+kunit.timeout=1000000")
	@grep -ho 'seed $(SEED):.*' build/fuzz/*/console.log

chaos: COUNT := $(if $(filter file,$(origin COUNT)),20,$(COUNT))
chaos: kernel
	@tests/vm/chaos --kernel build/kernel-lu --seed $(SEED) --count $(COUNT)

user: tools
	@set -e; for part in lib luctl luod vmm; do $(MAKE) -s -C $$part all; done

deb:
	@scripts/setup packages
	@packaging/build

kernel-deb:
	@scripts/setup kernel-deb
	@kernel/ktree deb

host: deb kernel-deb
	@scripts/setup host
	@tests/host/run

demo-vm: deb kernel-deb
	@scripts/setup host
ifdef STOCK
	@tests/host/run --story control --out build/demo-vm-stock
else
	@tests/host/run --story guest --times 2 --out build/demo-vm
endif

fleet: deb kernel-deb
	@scripts/setup fleet
	@tests/host/run --story fleet --out build/fleet

SECONDS ?= 300
fuzz-user: tools
	@scripts/setup fuzz
	@$(MAKE) -s -f tests/unit/user/luod.mk fuzz
	@$(MAKE) -s -C tests/unit/user $(CURDIR)/build/user/test/map-fuzz
	@mkdir -p build/fuzz-user/luod build/fuzz-user/map
	@build/user/luod-test/fuzz -max_total_time=$(SECONDS) \
		-artifact_prefix=build/fuzz-user/ build/fuzz-user/luod tests/fuzz/luod
	@build/user/test/map-fuzz -max_total_time=$(SECONDS) \
		-artifact_prefix=build/fuzz-user/ build/fuzz-user/map tests/fuzz/map

bench:
	@scripts/setup bench
	@kernel/ktree build bench bench-stock
	@bench/run

shell: kernel
	@tests/vm/shell

status:
	@kernel/ktree status

series: tools
	@kernel/ktree export build/series

check: tools
	@kernel/ktree check

clean:
	@rm -rf build
