# SPDX-License-Identifier: GPL-2.0-only
# The pristine source: which one it is, and unpacking it once into the cache.
#
# $CACHE/trees/<id>/ holds, per source:
#   tree/    the kernel tree that is built
#   files    path, size and time of every file as unpacked; there = complete
#   orig/    the originals of files that were ever hooked
#   applied  path, size and time of every file that prepare wrote into tree/
#   stamp    key of the source, overlay and hooks that tree/ has in it

# Sets source_id, source_file or source_dir, and BASE_DIR.
select_source() {
	local name
	source_file='' source_dir=''
	if [[ -z ${KERNEL_SRC:-} ]]; then
		fetch_debian
		source_file=$CACHE/source/$(base tarball)
		source_id=$(cut -d' ' -f2 "$CACHE/source/info")
		name=${source_id:0:12}
	elif [[ -d $KERNEL_SRC ]]; then
		source_dir=$(cd "$KERNEL_SRC" && pwd)
		check_tree "$source_dir" "KERNEL_SRC=$KERNEL_SRC"
		source_id=$(list_files "$source_dir" | sha256sum | cut -d' ' -f1)
		name=dir-$(printf %s "$source_dir" | sha256sum | cut -c1-12)
	elif [[ -r $KERNEL_SRC ]]; then
		source_file=$(readlink -f "$KERNEL_SRC")
		source_id=$(sha256sum <"$source_file" | cut -d' ' -f1)
		name=${source_id:0:12}
	else
		die "KERNEL_SRC=$KERNEL_SRC is neither a folder nor a readable file."
	fi
	BASE_DIR=$CACHE/trees/$name
}

tree_version() {
	sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = *//p' "$1/Makefile" |
		head -n 3 | paste -sd.
}

# check_tree DIR WHAT: a kernel tree of our series, not built in place
check_tree() {
	local version
	[[ -f $1/Makefile && -f $1/Kbuild && -d $1/drivers/iommu ]] ||
		die "$2 is not a Linux source tree."
	version=$(tree_version "$1")
	[[ $version == "$(base series)" || $version == "$(base series)".* ]] ||
		die "$2 is Linux $version; this project needs $(base series)."
	[[ ! -e $1/.config && ! -d $1/include/config ]] ||
		die "$2 has been built in place; run 'make mrproper' there first."
}

# "path TAB size TAB time" of every file; what editors and patch leave behind
# is nobody's source.
list_files() {
	(cd "$1" && find . -name .git -prune -o -type f \
		! -name '*.orig' ! -name '*.rej' ! -name '*~' ! -name '.*.sw?' \
		-printf '%P\t%s\t%T@\n') | sort
}

# Uncompressed bytes of a tarball, or a guess.
tarball_bytes() {
	local bytes=
	[[ $1 == *.xz ]] &&
		bytes=$(xz --robot --list "$1" 2>/dev/null |
			awk '$1 == "totals" { print $5 }' || true)
	echo "${bytes:-1700000000}"
}

# unpack_tarball FILE DIR: tar tells its progress in records of 10 KiB
unpack_tarball() {
	local total seen log=$work/tar.log
	local -a filter=()
	[[ $1 == *.xz ]] && filter=(-I 'xz -T0')
	total=$(tarball_bytes "$1")
	progress_start
	tar -x -f "$1" -C "$2" --strip-components=1 --no-same-owner "${filter[@]}" \
		--exclude=.git --checkpoint=1000 --checkpoint-action=echo=%u \
		2>"$log" &
	child=$!
	while kill -0 "$child" 2>/dev/null; do
		sleep 0.2
		seen=$(sed -n 's/^tar: \([0-9]*\)$/\1/p' "$log" | tail -n 1)
		progress unpack $(( ${seen:-0} * 10240 )) "$total"
	done
	wait "$child" || {
		child=
		die "unpacking $1 failed:" \
		    "$(grep -v '^tar: [0-9]*$' "$log" | head -n 1 || true)"
	}
	child=
}

# Puts the pristine source into BASE_DIR/tree, once.
unpack_source() {
	local new=$BASE_DIR/tree.new
	if [[ -f $BASE_DIR/files && -d $BASE_DIR/tree &&
	      $(cat "$BASE_DIR/source" 2>/dev/null) == "$source_id" ]]; then
		return
	fi
	mkdir -p "$BASE_DIR"
	rm -rf "$new" "$BASE_DIR"/{files,stamp,applied,orig,source}
	need_space "$BASE_DIR" 3500 "unpacking and building the kernel"
	mkdir "$new"
	if [[ -n $source_file ]]; then
		unpack_tarball "$source_file" "$new"
	else
		tar -C "$source_dir" --exclude=.git -c . | tar -C "$new" -x ||
			die "copying $source_dir failed; is the disk full?"
	fi
	check_tree "$new" "${KERNEL_SRC:-$(base tarball)}"
	rm -rf "$BASE_DIR/tree"
	mv "$new" "$BASE_DIR/tree"
	: >"$BASE_DIR/applied"
	mkdir "$BASE_DIR/orig"
	echo "$source_id" >"$BASE_DIR/source"
	list_files "$BASE_DIR/tree" | replace_file "$BASE_DIR/files"
	progress_end unpack "Linux $(tree_version "$BASE_DIR/tree")"
}

# originals DIR LIST: pristine copies of the listed files, from the source
originals() {
	local prefix
	[[ -s $2 ]] || return 0
	if [[ -n $source_dir ]]; then
		tar -C "$source_dir" -T "$2" -c | tar -C "$1" -x
		return
	fi
	prefix=$(tar -tf "$source_file" 2>/dev/null | head -n 1 || true)
	sed "s|^|${prefix%%/*}/|" "$2" |
		tar -x -f "$source_file" -C "$1" --strip-components=1 -T -
}
