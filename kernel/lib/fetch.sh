# SPDX-License-Identifier: GPL-2.0-only
# fetch: the kernel source, a package of Debian.

# base KEY: a value from kernel/BASE
base() { sed -n "s/^$1: *//p" "$TOP/kernel/BASE"; }

apt_folder=apt
otherwise() { echo "set KERNEL_SRC= to a Linux $(base series) tree or tarball"; }

# find_package PACKAGE: finds a suite that has it; prints "VERSION SIZE".
find_package() {
	local package=$1 suite found
	for suite in $(base suites); do
		ask_archive "$suite" "$package" || exit
		found=$(our_apt apt-cache show --no-all-versions "$package" 2>/dev/null |
			awk '/^Version:/ { version = $2 } /^Size:/ { size = $2 }
			     END { if (size) print version, size }' || true)
		[[ -n $found ]] && { echo "$found"; return; }
	done
	die "Debian no longer has $package in $(base suites); $(otherwise)."
}

# fetch_file PACKAGE FILE SHA256 NOTE: a file of Debian's package, in the cache
# with a note of what it is.
fetch_file() {
	local package=$1 name=$2 want=$3 info=$CACHE/source/$4
	local dir=$CACHE/source found version deb sha
	[[ -s $info && -s $dir/$name ]] && return
	command -v apt-get >/dev/null ||
		die "no apt on this machine: the kernel source comes as a Debian" \
		    "package; $(otherwise)."
	mkdir -p "$dir/download"
	need_space "$dir" 400 "downloading the kernel source"
	found=$(find_package "$package") || exit
	version=${found% *}
	[[ $version == "$(base series)".* ]] ||
		die "$package is at version $version, not $(base series)."
	# Only what an interrupted download of this very version left.
	find "$dir/download" -type f ! -name "*_${version}_*" -delete
	download "$dir/download" "${found#* }" "$package"
	deb=$(echo "$dir"/download/*.deb)
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards "*/$name" >"$dir/$name.part" ||
		die "could not unpack the downloaded package; is the disk full?"
	sha=$(sha256sum <"$dir/$name.part" | cut -d' ' -f1)
	if [[ $version != "$(base version)" ]]; then
		note "using $package $version;" \
		     "this project was last tested with $(base version)"
	elif [[ $sha != "$want" ]]; then
		rm -rf "$dir/$name.part" "$dir/download"
		die "the file $name in $package $version has checksum $sha," \
		    "kernel/BASE says $want."
	fi
	mv -f "$dir/$name.part" "$dir/$name"
	printf '%s %s\n' "$version" "$sha" | replace_file "$info"
	rm -rf "$dir/download"
}

fetch_debian() {
	fetch_file "$(base package)" "$(base tarball)" "$(base sha256)" info
}

# The distribution's configuration, which is no part of its source.
fetch_config() {
	fetch_file "$(base config-package)" "$(base config)" \
		"$(base config-sha256)" config-info
}

cmd_fetch() {
	if [[ -n ${KERNEL_SRC:-} ]]; then
		say "source: $KERNEL_SRC (KERNEL_SRC)"
		return
	fi
	lock_cache
	fetch_debian
	say "source: $(base package) $(cut -d' ' -f1 "$CACHE/source/info")"
}
