# SPDX-License-Identifier: GPL-2.0-only
# debian: packages of Debian's archive, through an apt state of our own. The
# system's package sources are read to learn its mirror, and never changed.
#
# Who uses this sets apt_folder, where in the cache that state is, and has a function
# otherwise, which says what can be done without the archive.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

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
		"of this machine. Set DEBIAN_MIRROR= to one, or $(otherwise)."
	echo "$uri"
}

# apt_state SUITE[+SUITE...]: writes the configuration of our own apt, where it
# does not matter what the system's says about signatures
apt_state() {
	local apt=$CACHE/$apt_folder mirror suite
	mirror=$(debian_mirror) || exit
	[[ -r $KEYRING ]] || die "Debian's keyring is missing;" \
		"install the package debian-archive-keyring."
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/none"
	for suite in ${1//+/ }; do
		echo "deb [signed-by=$KEYRING] $mirror $suite main"
	done >"$apt/sources.list"
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
		APT::Get::AllowUnauthenticated "false";
		Acquire::AllowInsecureRepositories "false";
		Acquire::AllowDowngradeToInsecureRepositories "false";
		APT::Architecture "$(dpkg --print-architecture)";
		APT::Architectures { "$(dpkg --print-architecture)"; };
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
	END
}

our_apt() { "$1" -c "$CACHE/$apt_folder/apt.conf" "${@:2}"; }

# ask_archive SUITE[+SUITE...] PACKAGE: what do these have now? It is all the same
# whether they have the package, or are there at all.
ask_archive() {
	local log=$CACHE/$apt_folder/log
	apt_state "$1"
	say "asking the package archive for $2 ($1)" >&2
	our_apt apt-get -qq update >"$log" 2>&1 ||
		grep -q 'does not have a Release file' "$log" ||
		die "the package archive cannot be reached:" \
		    "$(grep -m1 '^E:\|^W:' "$log" || tail -n 1 "$log")" \
		    "Check the network, or $(otherwise)."
	! grep -q '^W: Failed to fetch' "$log" ||
		die "the package archive cannot be reached:" \
		    "$(grep -m1 '^W: Failed to fetch' "$log")." \
		    "Check the network and run again."
}

# download DIR SIZE PACKAGE...: with progress; apt checks signatures and checksums, and
# goes on where an interrupted download stopped.
download() {
	local dir=$1 size=$2 log=$CACHE/$apt_folder/log have
	progress_start
	(cd "$dir" && our_apt exec_apt -qq download "${@:3}") >"$log" 2>&1 &
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
