# SPDX-License-Identifier: GPL-2.0-only
# Mends: faults and costs of the base that anybody's live update meets.
#
# A mend is kernel/mends/<NN-name>/: a message (after an empty line subject,
# reason, what it gains) and the same kind of patches as hooks. They go in before the hooks, in order
# of name. A hook has to fit with them and without, for a flavour takes them or
# leaves them: a control has none, so that in it the source is that of the base.

mend_names() {
	[[ -d $MENDS ]] || return 0
	find "$MENDS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort
}

# take_mends [FLAVOUR]: sets mends to those a flavour takes, else to all
take_mends() {
	mapfile -t mends < <(mend_names)
	case ${1:-} in
	stock|*-stock)
		mends=()
		;;
	bench-without-*)
		mapfile -t mends < <(mend_names | grep -vx "${1#bench-without-}")
		;;
	esac
}

# mend_paths NAME: the files that a mend touches
mend_paths() {
	(cd "$MENDS/$1" && find . -type f -name '*.patch' -printf '%P\n') |
		sed 's/\.patch$//' | sort
}

# Every file of the base that is touched by anything of ours, whichever mends
# are taken: what goes back to its original is touched as well.
touched_paths() {
	local name
	{
		hook_paths
		mend_names | while read -r name; do mend_paths "$name"; done
	} | sort -u
}

# mend PATH ORIGINAL RESULT: RESULT becomes ORIGINAL with the mends taken in it
mend() {
	local path=$1 name patch
	cp -- "$2" "$3"
	chmod u+w "$3"
	for name in "${mends[@]}"; do
		patch=$MENDS/$name/$path.patch
		[[ -e $patch ]] || continue
		cp -- "$3" "$work/unmended"
		apply_hook "$path" "$work/unmended" "$3" "$patch"
	done
}

# mend_and_hook PATH ORIGINAL RESULT: the same, and the hook
mend_and_hook() {
	mend "$@"
	[[ -e $HOOKS/$1.patch ]] || return 0
	cp -- "$3" "$work/unhooked"
	apply_hook "$1" "$work/unhooked" "$3"
}
