# SPDX-License-Identifier: GPL-2.0-only
# build --at COMMIT FLAVOUR: a kernel as the project once made it, with what it was
# made of then: overlay, hooks, configuration and ktree itself. It comes into
# build/kernel-at-COMMIT-FLAVOUR/.
#
# Source and objects in the cache are those of today; the tree is put back
# afterwards, and only what differs is compiled.

AT_SHORT=12
# for callers that can do without: not a failure, there is nothing to build from
EXIT_NO_HISTORY=3

# Prints the whole name of the commit, if its files are here.
at_commit() {
	git -C "$TOP" rev-parse --verify -q "$1^{commit}" && return
	note "the commit $1 is not in this clone."
	if [[ $(git -C "$TOP" rev-parse --is-shallow-repository 2>/dev/null) == true ]]; then
		note "Its history was cut off: run 'git fetch --unshallow'."
	else
		note "Old kernels are built from the project's own history," \
		     "which needs a clone of it."
	fi
	return $EXIT_NO_HISTORY
}

# The source is learnt under the lock, which the other ktree then takes.
at_key() {
	(
		lock_cache
		select_source
		{ echo "$1 $2 $source_id"; gcc --version; } | sha256sum | cut -d' ' -f1
	)
}

at_flavour() {
	local commit=$1 flavour=$2 dest key from=$work/at status=0
	dest=$TOP/build/kernel-at-${commit:0:AT_SHORT}-$flavour
	key=$(at_key "$commit" "$flavour") || exit
	if [[ $(cat "$dest/at" 2>/dev/null) == "$key" ]]; then
		say "${dest##*/}: up to date"
		return
	fi
	rm -rf "$from"
	mkdir -p "$from"
	git -C "$TOP" archive "$commit" kernel | tar -C "$from" -x ||
		die "the files of $commit cannot be read from the history."
	KTREE_TOP=$from "$from/kernel/ktree" build "$flavour" || status=$?
	"$KTREE_DIR/ktree" prepare >/dev/null ||
		die "the tree could not be put back, see above."
	(( status == 0 )) || die "the $flavour kernel of $commit could not be built."
	rm -rf "$dest"
	mkdir -p "${dest%/*}"
	mv "$from/build/kernel-$flavour" "$dest"
	echo "$key" >"$dest/at"
	say "${dest##*/}: built"
}

build_at() {
	local commit flavour
	(( $# >= 2 )) || die "which one? build --at COMMIT FLAVOUR..."
	commit=$(at_commit "$1") || exit $EXIT_NO_HISTORY
	shift
	for flavour; do
		at_flavour "$commit" "$flavour"
	done
}
