# SPDX-License-Identifier: GPL-2.0-only
# prepare: overlay, mends and hooks into the tree, touching only what changes.
#
# Everything is made and checked in a staging folder first; the tree is
# touched only when all of it fits. The stamp goes first and comes back last,
# so an interrupted run is seen and done again. A file that somebody edited in
# the tree is never overwritten.

overlay_paths() {
	[[ -d $OVERLAY ]] || return 0
	(cd "$OVERLAY" && find . -type f -printf '%P\n') | sort
}

# Changes with anything that decides what the tree looks like.
tree_key() {
	{
		echo "$source_id"
		echo "${mends[@]}"
		cat "$KTREE_LIB"/{hooks,mends,prepare}.sh "$KTREE_LIB/lands.awk"
		{ find "$OVERLAY" "$HOOKS" "$MENDS" -type f -print0 2>/dev/null || true; } |
			sort -z | xargs -0r sha256sum
	} | sha256sum | cut -d' ' -f1
}

is_pristine_path() { grep -q "^$(quote "$1")	" "$BASE_DIR/files"; }
quote() { printf %s "$1" | sed 's/[][\.*^$]/\\&/g'; }

# The file's line as list_files would print it.
file_line() { (cd "$1" && find "$2" -printf '%p\t%s\t%T@\n'); }

# Is the file in the tree the one we unpacked or wrote?
is_ours() {
	file_line "$BASE_DIR/tree" "$1" |
		grep -qxFf - "$BASE_DIR/files" "$BASE_DIR/applied"
}

stage_overlay() {
	local path clash
	clash=$(overlay_paths | comm -12 - <(cut -f1 "$BASE_DIR/files" | sort) |
		head -n 1)
	[[ -z $clash ]] ||
		die "overlay file $clash exists in the kernel source already;" \
		    "change existing files with a hook."
	while read -r path; do
		mkdir -p "$stage/$(dirname "$path")"
		cp "$OVERLAY/$path" "$stage/$path"
	done < <(overlay_paths)
}

# The original is set aside before its file is hooked for the first time.
save_original() {
	local path=$1
	[[ -e $BASE_DIR/orig/$path ]] && return
	is_pristine_path "$path" ||
		die "hook $path.patch: the kernel source has no file $path."
	is_ours "$path" || die "$(edited "$path")"
	mkdir -p "$BASE_DIR/orig/$(dirname "$path")"
	cp -p "$BASE_DIR/tree/$path" "$BASE_DIR/orig/$path.new"
	mv "$BASE_DIR/orig/$path.new" "$BASE_DIR/orig/$path"
}

edited() {
	echo "$BASE_DIR/tree/$1 was edited by hand. Take the edit into the" \
	     "project with 'kernel/ktree refresh', or drop it with" \
	     "'kernel/ktree prepare --discard'."
}

stage_hooks() {
	local path
	while read -r path; do
		save_original "$path"
		mkdir -p "$stage/$(dirname "$path")"
		mend_and_hook "$path" "$BASE_DIR/orig/$path" "$stage/$path"
	done < <(touched_paths)
	[[ -n $(hook_paths) ]] || die "no hooks found in $HOOKS."
}

# Files of an earlier run that are no longer wanted: the original comes back,
# or the file goes.
stage_leftovers() {
	local path
	while read -r path; do
		[[ -e $stage/$path ]] && continue
		if [[ -e $BASE_DIR/orig/$path ]]; then
			mkdir -p "$stage/$(dirname "$path")"
			cp "$BASE_DIR/orig/$path" "$stage/$path"
		elif [[ -e $BASE_DIR/tree/$path ]]; then
			echo "$path" >>"$work/remove"
		fi
	done < <(cut -f1 "$BASE_DIR/applied" | sort -u)
}

# What is left in the staging folder differs from the tree.
drop_unchanged() {
	local path
	while read -r path; do
		if cmp -s "$stage/$path" "$BASE_DIR/tree/$path"; then
			rm "$stage/$path"
		else
			echo "$path" >>"$work/write"
		fi
	done < <(cd "$stage" && find . -type f -printf '%P\n' | sort)
}

refuse_edited() {
	local path
	while read -r path; do
		[[ -e $BASE_DIR/tree/$path ]] || continue
		is_ours "$path" || die "$(edited "$path")"
	done < <(cat "$work/write" "$work/remove")
}

# Staged files are on record before they are moved: see is_ours().
install_staged() {
	local path
	{ cat "$BASE_DIR/applied"; list_files "$stage"; } |
		replace_file "$BASE_DIR/applied"
	rm -f "$BASE_DIR/stamp"
	while read -r path; do
		mkdir -p "$BASE_DIR/tree/$(dirname "$path")"
		mv -f "$stage/$path" "$BASE_DIR/tree/$path"
	done <"$work/write"
	while read -r path; do
		rm -f "$BASE_DIR/tree/$path"
		rmdir -p --ignore-fail-on-non-empty "$BASE_DIR/tree/$(dirname "$path")"
	done <"$work/remove"
	record_applied
}

# One line per file that is still there.
record_applied() {
	local path
	cut -f1 "$BASE_DIR/applied" | sort -u | while read -r path; do
		[[ ! -e $BASE_DIR/tree/$path ]] ||
			file_line "$BASE_DIR/tree" "$path"
	done | replace_file "$BASE_DIR/applied"
}

prepare_tree() {
	local stage key
	select_source
	unpack_source
	key=$(tree_key)
	[[ $(cat "$BASE_DIR/stamp" 2>/dev/null) == "$key" ]] && return
	stage=$BASE_DIR/stage
	rm -rf "$stage"
	mkdir "$stage"
	: >"$work/write"
	: >"$work/remove"
	stage_overlay
	stage_hooks
	stage_leftovers
	drop_unchanged
	(( discard )) || refuse_edited
	install_staged
	rm -rf "$stage"
	echo "$key" | replace_file "$BASE_DIR/stamp"
	progress_end prepare "$(wc -l <"$work/write") files written," \
		"$(wc -l <"$work/remove") removed"
}

cmd_prepare() {
	local discard=0
	[[ ${1:-} == --discard ]] && discard=1
	lock_cache
	take_mends
	prepare_tree
	say "tree: $BASE_DIR/tree"
}
