# SPDX-License-Identifier: GPL-2.0-only
# fetch: Debian's kernel source, through an apt state of our own. The system's
# package sources are read to learn its mirror, and never changed.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# base KEY: a value from kernel/BASE
base() { sed -n "s/^$1: *//p" "$TOP/kernel/BASE"; }

# The Debian archive this machine uses. Security archives hold no backports.
debian_mirror() {
	local uri
	if [[ -n ${DEBIAN_MIRROR:-} ]]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	uri=$(apt-get indextargets --no-release-info \
		--format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		grep -v security | grep -m1 -E '/debian/?$' || true)
	[[ -n $uri ]] || die "found no Debian archive among the package sources" \
		"of this machine. Set DEBIAN_MIRROR= to one," \
		"or KERNEL_SRC= to a Linux $(base series) tree or tarball."
	echo "$uri"
}

# apt_state SUITE: writes the configuration of our own apt
apt_state() {
	local apt=$CACHE/apt mirror
	mirror=$(debian_mirror) || exit
	[[ -r $KEYRING ]] || die "Debian's keyring is missing;" \
		"install the package debian-archive-keyring."
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/none"
	echo "deb [signed-by=$KEYRING] $mirror $1 main" >"$apt/sources.list"
	cat >"$apt/apt.conf" <<-END
		#clear APT::Update;
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$apt/cache";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "$apt/none";
		Dir::Etc::preferencesparts "$apt/none";
		APT::Sandbox::User "$(id -un)";
		APT::Default-Release "";
		APT::Architecture "$(dpkg --print-architecture)";
		APT::Architectures { "$(dpkg --print-architecture)"; };
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
	END
}

our_apt() { "$1" -c "$CACHE/apt/apt.conf" "${@:2}"; }

# find_package PACKAGE: finds a suite that has it; prints "VERSION SIZE".
find_package() {
	local package=$1 suite log=$CACHE/apt/log found
	for suite in $(base suites); do
		apt_state "$suite" || exit
		say "asking the package archive for $package ($suite)" >&2
		our_apt apt-get -qq update >"$log" 2>&1 ||
			grep -q 'does not have a Release file' "$log" ||
			die "the package archive cannot be reached:" \
			    "$(grep -m1 '^E:\|^W:' "$log" || tail -n 1 "$log")" \
			    "Check the network, or set KERNEL_SRC=" \
			    "to a Linux $(base series) tree or tarball."
		grep -q '^W: Failed to fetch' "$log" &&
			die "the package archive cannot be reached:" \
			    "$(grep -m1 '^W: Failed to fetch' "$log")." \
			    "Check the network and run again."
		found=$(our_apt apt-cache show --no-all-versions "$package" 2>/dev/null |
			awk '/^Version:/ { version = $2 } /^Size:/ { size = $2 }
			     END { if (size) print version, size }' || true)
		[[ -n $found ]] && { echo "$found"; return; }
	done
	die "Debian no longer has $package in $(base suites)." \
	    "Set KERNEL_SRC= to a Linux $(base series) tree or tarball."
}

# download PACKAGE DIR SIZE: with progress; apt checks signature and checksum, and goes
# on where an interrupted download stopped.
download() {
	local package=$1 dir=$2 size=$3 log=$CACHE/apt/log have
	progress_start
	(cd "$dir" && our_apt exec_apt -qq download "$package") >"$log" 2>&1 &
	child=$!
	while kill -0 "$child" 2>/dev/null; do
		have=$(cat "$dir"/*.deb 2>/dev/null | wc -c || true)
		progress download "$have" "$size"
		sleep 0.5
	done
	if ! wait "$child"; then
		child=
		grep -qi 'no space left' "$log" &&
			die "the disk filled up; free some space in $CACHE."
		die "the download failed: $(grep -m1 '^E:' "$log" || tail -n 1 "$log")" \
		    "Check the network and run again."
	fi
	child=
	progress_end download "done"
}

exec_apt() { exec apt-get "$@"; }

# fetch_file PACKAGE FILE SHA256 NOTE: a file of Debian's package, in the cache
# with a note of what it is.
fetch_file() {
	local package=$1 name=$2 want=$3 info=$CACHE/source/$4
	local dir=$CACHE/source found version deb sha
	[[ -s $info && -s $dir/$name ]] && return
	command -v apt-get >/dev/null ||
		die "no apt on this machine: the kernel source comes as a Debian" \
		    "package. Set KERNEL_SRC= to a Linux $(base series) tree or tarball."
	mkdir -p "$dir/download"
	need_space "$dir" 400 "downloading the kernel source"
	found=$(find_package "$package") || exit
	version=${found% *}
	[[ $version == "$(base series)".* ]] ||
		die "$package is at version $version, not $(base series)."
	# Only what an interrupted download of this very version left.
	find "$dir/download" -type f ! -name "*_${version}_*" -delete
	download "$package" "$dir/download" "${found#* }"
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
