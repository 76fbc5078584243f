# SPDX-License-Identifier: GPL-2.0-only
# export: our changes as a git-am series, one patch per area of the kernel, and
# the mends as a series before it.
# check: that the series gives exactly the prepared tree, and that checkpatch
# and W=1 have nothing to say.

# kernel/series/NN-area.msg is the message of one patch, in order of name: the
# header lines "Files: PATTERN..." say what is in it; after an empty line come
# subject and body.

series_areas() {
	[[ -d $SERIES ]] || return 0
	find "$SERIES" -name '*.msg' -printf '%f\n' | sort
}

# Prints "PATTERN AREA", the longest pattern first.
area_patterns() {
	local area pattern
	for area in $(series_areas); do
		sed -n '/^$/q; s/^Files: *//p' "$SERIES/$area" | tr ' ' '\n' |
			sed "/^$/d; s/$/ $area/"
	done | awk '{ print length($1), $0 }' | sort -s -k1,1nr | cut -d' ' -f2-
}

# "AREA TAB FILE" for each file on standard input; the longest
# pattern that fits takes a file.
sort_by_area() {
	local path pattern area
	area_patterns >"$work/patterns"
	while read -r path; do
		while read -r pattern area; do
			# shellcheck disable=SC2254
			case $path in
			$pattern) printf '%s\t%s\n' "$area" "$path"; continue 2 ;;
			esac
		done <"$work/patterns"
		die "no message in kernel/series is for $path."
	done
}

# The message of an area: subject, body, and why each existing file is touched.
area_message() {
	local area=$1 path
	sed '1,/^$/d' "$SERIES/$area"
	while read -r path; do
		[[ -e $HOOKS/$path.patch ]] || continue
		printf '\n%s:\n' "$path"
		hook_reason "$HOOKS/$path.patch" | sed 's/^/  /'
	done
}

# Every patch of ours, hooks and mends.
patch_files() {
	find "$HOOKS" -name '*.patch' | sort
	[[ ! -d $MENDS ]] || find "$MENDS" -name '*.patch' | sort
}

# Each patch to an existing file says why.
check_reasons() {
	local file missing=()
	while read -r file; do
		[[ -n $(hook_reason "$file") ]] || missing+=("${file#"$TOP"/kernel/}")
	done < <(find "$HOOKS" -name '*.patch' | sort)
	(( ${#missing[@]} == 0 )) || die "these do not say why: ${missing[*]}"
	while read -r file; do
		[[ $(sed '1,/^$/d' "$MENDS/$file/message" 2>/dev/null) == *Gain:* ]] ||
			die "mend $file has no message that tells its gain."
	done < <(mend_names)
	say "reasons:    each hook and each mend says why"
}

# A git repository without any of the user's settings in it.
scratch_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		git -C "$scratch" -c core.autocrlf=false -c gc.auto=0 \
		-c user.name="$author_name" -c user.email="$author_email" "$@"
}

# The files we hook as they are in the base, committed; nothing else of the
# kernel is needed to make or apply patches.
scratch_base() {
	local from=$1 path
	rm -rf "$scratch"
	mkdir -p "$scratch"
	scratch_git init -q -b base
	while read -r path; do
		[[ -e $from/$path ]] ||
			die "hook $path.patch: the base has no file $path."
		mkdir -p "$scratch/$(dirname "$path")"
		cp "$from/$path" "$scratch/$path"
	done < <(touched_paths)
	scratch_git add -A
	scratch_git commit -q -m base
}

commit_mend() {
	local path
	while read -r path; do
		cp "$scratch/$path" "$work/original"
		apply_hook "$path" "$work/original" "$scratch/$path" \
			"$MENDS/$1/$path.patch"
	done < <(mend_paths "$1")
	scratch_git add -A
	sed '1,/^$/d' "$MENDS/$1/message" >"$work/message"
	scratch_git commit -q -F "$work/message"
}

# commit_area AREA: its files are in $work/paths
commit_area() {
	local path
	while read -r path; do
		mkdir -p "$scratch/$(dirname "$path")"
		if [[ -e $HOOKS/$path.patch ]]; then
			cp "$scratch/$path" "$work/original"
			apply_hook "$path" "$work/original" "$scratch/$path"
		else
			cp "$OVERLAY/$path" "$scratch/$path"
		fi
	done <"$work/paths"
	area_message "$1" <"$work/paths" >"$work/message"
	scratch_git add -A
	scratch_git commit -q -F "$work/message"
}

format_patches() {
	scratch_git format-patch -q --full-index --no-signature -N "$@"
}

# make_series BASE OUT: the patches, in OUT and OUT/mends
make_series() {
	local from=$1 out=$2 name scratch=$work/scratch
	scratch_base "$from"
	scratch_git tag base-tag
	while read -r name; do
		commit_mend "$name"
	done < <(mend_names)
	scratch_git tag mended
	{ hook_paths; overlay_paths; } | sort >"$work/files"
	sort_by_area <"$work/files" >"$work/areas"
	while read -r name; do
		awk -F'\t' -v want="$name" '$1 == want { print $2 }' "$work/areas" \
			>"$work/paths"
		commit_area "$name"
	done < <(cut -f1 "$work/areas" | sort -u)
	rm -rf "$out.new"
	format_patches -o "$out.new" mended..base
	[[ -z $(mend_names) ]] || format_patches -o "$out.new/mends" base-tag..mended
	rm -rf "$out"
	mkdir -p "$(dirname "$out")"
	mv "$out.new" "$out"
}

author() {
	author_name=$(git config user.name || echo "iommu-liveupdate")
	author_email=$(git config user.email || echo "series@localhost")
}

# The originals of the hooked files of our own base.
own_base() {
	take_mends
	prepare_tree
	from=$BASE_DIR/orig
}

cmd_export() {
	local out='' from='' discard=0 author_name author_email
	while (( $# )); do
		case $1 in
		--base) from=${2:?--base needs a kernel tree}; shift ;;
		*)      out=$1 ;;
		esac
		shift
	done
	[[ -n $out ]] || die "say where to put the series: ktree export OUT"
	out=$(readlink -m "$out")
	[[ ! -e $out || -n $(find "$out" -maxdepth 1 -name '0001-*.patch') ||
	   -z $(ls -A "$out") ]] ||
		die "$out holds something else than a series; choose another folder."
	author
	if [[ -z $from ]]; then
		lock_cache
		own_base
	fi
	make_series "$from" "$out"
	say "series: $(find "$out" -maxdepth 1 -name '*.patch' | wc -l) patches in $out," \
	    "$(mend_names | wc -l) mends"
}

# The series on a fresh copy of the base must give the prepared tree.
check_series() {
	local path scratch author_name author_email
	local -a patches
	author
	make_series "$BASE_DIR/orig" "$work/series"
	scratch=$work/applied
	scratch_base "$BASE_DIR/orig"
	{
		find "$work/series" -path '*/mends/*.patch' | sort
		find "$work/series" -maxdepth 1 -name '*.patch' | sort
	} >"$work/am"
	mapfile -t patches <"$work/am"
	scratch_git am -q "${patches[@]}" ||
		die "the exported series does not apply."
	while read -r path; do
		cmp -s "$scratch/$path" "$BASE_DIR/tree/$path" ||
			die "the exported series gives another $path than prepare."
	done < <({ touched_paths; overlay_paths; } | sort)
	(cd "$scratch" && git ls-files | sort) |
		cmp -s - <({ touched_paths; overlay_paths; } | sort) ||
		die "the exported series has other files than prepare."
	say "series:     $(wc -l <"$work/am") patches," \
	    "equal to the prepared tree"
}

# checkpatch --strict on our files, and on our lines in theirs. The series has
# no sign-off before somebody signs it, and MAINTAINERS is not ours to change.
check_style() {
	local path status=0
	local -a checkpatch=("$BASE_DIR/tree/scripts/checkpatch.pl" --strict --terse
		--no-summary --show-types --root="$BASE_DIR/tree"
		--ignore 'FILE_PATH_CHANGES,MISSING_SIGN_OFF,COMMIT_MESSAGE,EMBEDDED_FILENAME')
	: >"$work/style"
	while read -r path; do
		# checkpatch does not know the language of trace events
		[[ $path != include/trace/* ]] || continue
		(cd "$BASE_DIR/tree" &&
		 "${checkpatch[@]}" -f "$path") >>"$work/style" 2>&1 || status=1
	done < <(overlay_paths)
	while read -r path; do
		sed -n '/^--- /,$p' "$path" |
			"${checkpatch[@]}" --no-signoff - 2>&1 |
			sed "s|^-:|${path#"$TOP"/kernel/}:|" >>"$work/style" || status=1
	done < <(patch_files)
	if (( status )) || [[ -s $work/style ]]; then
		cat "$work/style" >&2
		die "checkpatch --strict has something to say."
	fi
	say "checkpatch: clean"
}

# Objects made from files of ours or files we hook, or from headers among them
# that only some driver sees.
our_objects() {
	{ touched_paths; overlay_paths; } >"$work/ours"
	grep '\.h$' "$work/ours" | grep -v '^include/' >"$work/headers" || true
	{
		sed -n 's/\.c$/.o/p' "$work/ours"
		cd "$out" || exit
		grep -rlFf "$work/headers" --include='.*.o.cmd' . |
			sed 's|^\./||; s|\.\([^/]*\)\.cmd$|\1|' || true
	} | sort -u | while read -r object; do
		[[ ! -e $out/$object ]] || echo "$object"
	done
}

# Every object of ours, and every one we hook, with W=1; in a build folder of
# its own so that the real one stays as it is.
check_warnings() {
	local out=$CACHE/build/check-${BASE_DIR##*/} from=$CACHE/build/lu-${BASE_DIR##*/}
	local -a objects
	build_flavour lu
	rm -rf "$out"
	seed "$from"
	mapfile -t objects < <(our_objects)
	(( ${#objects[@]} )) || die "found no object of ours to build with W=1."
	(cd "$out" && rm -f "${objects[@]}")
	(kmake -j"$(nproc)" W=1 "${objects[@]}") >"$out/log" 2>&1 ||
		build_failed "W=1"
	if grep -A6 'warning:' "$out/log" >&2; then
		die "building with W=1 warns, see above."
	fi
	rm -rf "$out"
	say "W=1:        ${#objects[@]} objects, no warning"
}

# linkage_hunks HOOK: those of its hunks that only make a name of the file
# visible to others, as a diff. A declaration that a header has instead stays,
# without its static.
linkage_hunks() {
	awk '
	function plain(text) {
		gsub(/static |inline |[ \t\n]/, "", text)
		return text
	}
	function end_of_hunk() {
		if (minus !~ /^static /)
			return
		if (plain(minus) == plain(plus))
			printf "%s\n%s", header, hunk
		else if (!plus && minus ~ /^[^\n]*\);\n$/)
			printf "%s\n-%s+%s", "@@ -" count[1] ",1 +" count[1] ",1 @@",
			       minus, substr(minus, 8)
	}
	/^(---|\+\+\+) / { print; next }
	/^@@ / {
		end_of_hunk()
		header = $0
		hunk = minus = plus = ""
		split(substr($2, 2), count, ",")
		next
	}
	!header { next }
	{ hunk = hunk $0 "\n" }
	/^ / && !minus && !plus { count[1]++ }
	/^-/ { minus = minus substr($0, 2) "\n" }
	/^\+/ { plus = plus substr($0, 2) "\n" }
	END { end_of_hunk() }' "$1"
}

# pristine_tree DIR: the source as it came, sharing what is the same; but what
# another file of ours calls is no longer static, as a compiler makes other code
# of the callers of a static function.
pristine_tree() {
	local path
	rm -rf "$1"
	cp -al "$BASE_DIR/tree" "$1"
	while read -r path; do
		rm -f "$1/$path"
	done < <(overlay_paths)
	while read -r path; do
		rm -f "$1/$path"
		cp -p "$BASE_DIR/orig/$path" "$1/$path"
		[[ -e $HOOKS/$path.patch ]] || continue
		linkage_hunks "$HOOKS/$path.patch" >"$work/linkage"
		grep -q '^@@' "$work/linkage" || continue
		patch -s -F0 --no-backup-if-mismatch -r - "$1/$path" <"$work/linkage" ||
			die "cannot make names of $path visible."
	done < <(touched_paths)
}

# What of an object runs, by function, and what it reads: no line numbers, no
# places, which change with an export, and no padding.
code_of() {
	objdump -dr --no-show-raw-insn --no-addresses "$1" | tail -n +4 |
		sed -E '/^\t(nop|data16|cs nop|xchg +%ax,%ax)/d
			s/(\.rodata\.str[0-9.]+)\+0x[0-9a-f]+/\1/' |
		awk -v RS= '{ gsub(/\n/, "\001"); print }' | sort | tr '\001' '\n'
	readelf -p .rodata.str1.1 -p .rodata.str1.8 "$1" 2>/dev/null |
		sed 's/^ *\[ *[0-9a-f]*\]//' | sort
	objdump -s -j .rodata -j .data -j .init.data -j .ro_after_init \
		-j .data..read_mostly "$1" 2>/dev/null | tail -n +4
}

# Objects that the source alone has as well.
base_objects() {
	our_objects | while read -r path; do
		[[ ! -e $OVERLAY/${path%.o}.c ]] || continue
		echo "$path"
	done
}

# The stock kernel has our lines in its source and our options off. Every
# object of a file that we touch has to be what the source alone gives.
check_stock() {
	local path lu=$CACHE/build/lu-${BASE_DIR##*/} tree=$BASE_DIR/pristine
	local out=$CACHE/build/check-${BASE_DIR##*/} stock pristine
	local -a objects other=()
	stock=$out pristine=$CACHE/build/pristine-${BASE_DIR##*/}
	rm -f "$TOP/build/check-stock.diff"
	take_mends stock
	prepare_tree
	mapfile -t objects < <(out=$lu base_objects)
	(( ${#objects[@]} )) || die "found no object to compare with the source's."
	rm -rf "$stock" "$pristine"
	seed "$lu"
	configure stock
	(kmake -j"$(nproc)" "${objects[@]}") >"$out/log" 2>&1 || build_failed stock
	pristine_tree "$tree"
	out=$pristine
	mkdir -p "$out"
	cp "$stock/.config" "$out/.config"
	export KMAKE_TREE=$tree
	{ (kmake -s olddefconfig) && (kmake -j"$(nproc)" "${objects[@]}"); } \
		>"$out/log" 2>&1 || build_failed pristine
	unset KMAKE_TREE
	: >"$work/other"
	for path in "${objects[@]}"; do
		diff -u --label "source/$path" --label "stock/$path" \
		     <(code_of "$pristine/$path") <(code_of "$stock/$path") \
		     >>"$work/other" || other+=("$path")
	done
	rm -rf "$stock" "$pristine" "$tree"
	if (( ${#other[@]} )); then
		mkdir -p "$TOP/build"
		mv "$work/other" "$TOP/build/check-stock.diff"
		die "with our options off the code of ${other[*]} is not that of the" \
		    "source, see build/check-stock.diff."
	fi
	say "stock:      ${#objects[@]} objects with our options off have the same" \
	    "code as the source alone"
}

cmd_check() {
	local discard=0
	lock_cache
	check_reasons
	take_mends
	prepare_tree
	check_series
	check_style
	check_warnings
	check_stock
	take_mends
	prepare_tree
}
