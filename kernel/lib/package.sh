# SPDX-License-Identifier: GPL-2.0-only
# deb: the flavour 'distro' as Debian packages, into build/kernel-deb/: the kernel
# with its modules, what modules are built against, and the headers for programs.

PACKAGE_FLAVOUR=distro

# bindeb VERSION: what make is told it tells dpkg's helpers
bindeb() {
	(kmake -j"$(nproc)" KDEB_PKGVERSION="$1" KDEB_CHANGELOG_DIST=unstable \
		DEBFULLNAME="iommu-liveupdate maintainers" \
		DEBEMAIL=maintainers@iommu-liveupdate.invalid KBUILD_VERBOSE=0 \
		DPKG_FLAGS=-Ppkg.linux-upstream.nokerneldbg bindeb-pkg)
}

# Its packages are made beside the folder of the objects.
take_packages() {
	local new=$TOP/build/kernel-deb.new release=$1 version=$2 name
	rm -rf "$new"
	mkdir -p "$new"
	for name in "linux-image-$release" "linux-headers-$release" linux-libc-dev; do
		mv "$CACHE/build/${name}_${version}_"*.deb "$new/" ||
			die "no package $name was made; the whole log is $out/log-deb"
	done
	rm -f "$CACHE/build/linux-upstream_"*
	rm -rf "$TOP/build/kernel-deb"
	mv "$new" "$TOP/build/kernel-deb"
}

# Below any version of Debian's own of this kernel, above all before it.
make_packages() {
	local out=$CACHE/build/$PACKAGE_FLAVOUR-${BASE_DIR##*/} version release key
	key=$(cat "$TOP/build/kernel-$PACKAGE_FLAVOUR/key" "$KTREE_LIB/package.sh" |
		sha256sum | cut -d' ' -f1)
	if [[ $(cat "$TOP/build/kernel-deb/key" 2>/dev/null) == "$key" ]]; then
		say "kernel-deb: up to date"
		return
	fi
	need_space "$CACHE/build" 1500 "making kernel packages"
	version=$(tree_version "$BASE_DIR/tree")~lu-1
	release=$(cat "$out/include/config/kernel.release")
	say "making packages of kernel $release"
	bindeb "$version" >"$out/log-deb" 2>&1 || {
		grep -E '(error|Error|ERROR)[: ]|No space left' "$out/log-deb" |
			tail -n 15 >&2 || true
		die "the packages could not be made; the whole log is $out/log-deb"
	}
	take_packages "$release" "$version"
	echo "$key" >"$TOP/build/kernel-deb/key"
	(cd "$TOP" && printf '%s\n' build/kernel-deb/*.deb)
}

cmd_deb() {
	cmd_build "$PACKAGE_FLAVOUR"
	make_packages
}
