# SPDX-License-Identifier: GPL-2.0-only
# refresh: read overlay and hooks back from a tree in which somebody worked.

# take FILE-TO-WRITE: standard input goes there (or is shown, with --dry-run)
take() {
	local tmp=$work/take
	cat >"$tmp"
	cmp -s "$tmp" "$1" && return
	local old=/dev/null
	[[ -e $1 ]] && old=$1
	if (( dry_run )); then
		diff -u --label old --label "${1#"$TOP"/}" "$old" "$tmp" || true
	else
		say "wrote ${1#"$TOP"/}"
		replace_file "$1" <"$tmp"
	fi
	return 0
}

# drop FILE: it is no longer wanted
drop() {
	say "removed ${1#"$TOP"/}"
	(( dry_run )) && return
	rm -f "$1"
	find "$(dirname "$1")" -maxdepth 0 -empty -delete
	return 0
}

refresh_hooks() {
	local path
	while read -r path; do
		mend "$path" "$pristine/$path" "$work/mended"
		cmp -s "$work/mended" "$tree/$path" && continue
		echo "$path" >>"$work/hooked"
		make_hook "$path" "$work/mended" "$tree/$path" >"$work/hook"
		take "$HOOKS/$path.patch" <"$work/hook"
	done <"$work/edited"
	while read -r path; do
		drop "$HOOKS/$path.patch"
	done < <(hook_paths | comm -23 - "$work/hooked")
}

refresh_overlay() {
	local path mode
	while read -r path; do
		take "$OVERLAY/$path" <"$tree/$path"
		[[ -x $tree/$path ]] && mode=+x || mode=-x
		(( dry_run )) || chmod "$mode" "$OVERLAY/$path"
	done <"$work/added"
	while read -r path; do
		drop "$OVERLAY/$path"
	done < <(overlay_paths | comm -23 - "$work/added")
}

# Our own tree: the originals come from the source, and afterwards the tree is
# what prepare would make of the new overlay and hooks.
own_tree() {
	local path
	select_source
	[[ -f $BASE_DIR/stamp && $(<"$BASE_DIR/stamp") == "$(tree_key)" ]] ||
		die "the tree in the cache does not have the present overlay and" \
		    "hooks in it; run 'kernel/ktree prepare' first."
	tree=$BASE_DIR/tree
	pristine=$BASE_DIR/orig
	cp "$BASE_DIR/files" "$work/old"
}

own_originals() {
	local path
	while read -r path; do
		[[ -e $pristine/$path ]] || echo "$path"
	done <"$work/edited" >"$work/missing"
	mkdir "$work/originals"
	originals "$work/originals" "$work/missing"
	while read -r path; do
		replace_file "$pristine/$path" <"$work/originals/$path"
	done <"$work/missing"
}

own_tree_done() {
	local path
	cat "$work/hooked" "$work/added" | while read -r path; do
		file_line "$tree" "$path"
	done >>"$BASE_DIR/applied"
	record_applied
	tree_key | replace_file "$BASE_DIR/stamp"
}

sort_out_files() {
	local path
	list_files "$tree" >"$work/new"
	cut -f1 "$work/new" | sort >"$work/new.paths"
	cut -f1 "$work/old" | sort >"$work/old.paths"
	comm -13 "$work/old" "$work/new" | cut -f1 | sort >"$work/touched"
	comm -12 "$work/touched" "$work/old.paths" >"$work/edited"
	comm -13 "$work/old.paths" "$work/new.paths" >"$work/added"
	path=$(comm -23 "$work/old.paths" "$work/new.paths" | head -n 1)
	[[ -z $path ]] || die "$path is gone from $tree; hooks cannot delete files."
}

cmd_refresh() {
	local pristine='' tree='' dry_run=0 own=0 into=''
	while (( $# )); do
		case $1 in
		--mend)     into=${2:?--mend needs a name}; shift ;;
		--pristine) pristine=${2:?--pristine needs a folder}; shift ;;
		--dry-run)  dry_run=1 ;;
		*)          tree=$1 ;;
		esac
		shift
	done
	take_mends
	# Elsewhere a hook is the difference of the two and of nothing else
	[[ -z $pristine ]] || mends=()
	if [[ -n $into ]]; then
		[[ -n $pristine ]] || die "--mend needs --pristine DIR TREE as well."
		HOOKS=$MENDS/$into
	fi
	if [[ -n $pristine && -n $tree ]]; then
		[[ -f $pristine/Kbuild ]] || die "$pristine is not a kernel tree."
		[[ -f $tree/Kbuild ]] || die "$tree is not a kernel tree."
		list_files "$pristine" >"$work/old"
	elif [[ -z $pristine && -z $tree ]]; then
		own=1
		lock_cache
		own_tree
	else
		die "give both: ktree refresh --pristine DIR TREE, or neither."
	fi
	sort_out_files
	(( own )) && own_originals
	: >"$work/hooked"
	refresh_hooks
	[[ -n $into ]] || refresh_overlay
	(( own && !dry_run )) && own_tree_done
	say "$(wc -l <"$work/hooked") hooks, $(wc -l <"$work/added") overlay files"
}
