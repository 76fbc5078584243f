# SPDX-License-Identifier: GPL-2.0-only
# selftests: the kernel's own tests for user space, static, into
# build/selftests/. They are built from a copy: some write beside their source.

SELFTESTS="iommu liveupdate vfio"

selftests_key() {
	{
		cat "$BASE_DIR/stamp" "$KTREE_LIB/selftests.sh"
		gcc --version
	} | sha256sum | cut -d' ' -f1
}

# copy_selftests DIR: what the tests refer to by relative paths is linked
copy_selftests() {
	local tree=$BASE_DIR/tree from=$BASE_DIR/tree/tools path
	mkdir -p "$1/tools/testing/selftests"
	for path in arch drivers include kernel scripts; do
		ln -s "$tree/$path" "$1/$path"
	done
	for path in arch include scripts; do
		ln -s "$from/$path" "$1/tools/$path"
	done
	from+=/testing/selftests
	cp -a "$from"/*.h "$from"/*.mk "$1/tools/testing/selftests/"
	for path in kselftest $SELFTESTS; do
		cp -a "$from/$path" "$1/tools/testing/selftests/"
	done
}

# make_selftests DIR HEADERS OUT
make_selftests() {
	local name
	for name in $SELFTESTS; do
		mkdir -p "$3/$name"
		env -i PATH="$PATH" HOME="$HOME" LC_ALL=C \
			make -s -j"$(nproc)" -C "$1/tools/testing/selftests/$name" \
			OUTPUT="$3/$name" USERLDFLAGS=-static \
			KHDR_INCLUDES="-isystem $2" || return
	done
}

cmd_selftests() {
	local flavour=${1:-selftest} key scratch=$work/selftests out=$TOP/build/selftests
	local headers=$TOP/build/kernel-$flavour/headers/include discard=0
	lock_cache
	take_mends
	prepare_tree
	[[ -d $headers ]] || die "build kernel-$flavour first, the tests need its headers."
	key=$(selftests_key)
	if [[ $(cat "$out/key" 2>/dev/null) == "$key" ]]; then
		say "selftests: up to date"
		return
	fi
	rm -rf "$out"
	mkdir -p "$out"
	copy_selftests "$scratch"
	make_selftests "$scratch" "$headers" "$scratch/out" >"$out/log" 2>&1 ||
		die "building the kernel's selftests failed; the log is $out/log"
	find "$scratch/out" -mindepth 2 -maxdepth 2 -type f -executable \
		-exec strip {} + -exec cp {} "$out" \;
	echo "$key" >"$out/key"
	say "selftests: $(find "$out" -type f -executable | wc -l) programs"
}
