# SPDX-License-Identifier: GPL-2.0-only
# export: our changes as a git-am series, one patch per area of the kernel.
# check: that the series gives exactly the prepared tree, and that checkpatch
# and W=1 have nothing to say.

# Order and subject of the patches; the first pattern that fits takes a file.
areas() {
	cat <<'END'
x86/smp: kexec: wait until stopped CPUs have halted|arch/x86/kernel/smp*
memblock: find where a range belongs by bisection|mm/memblock.c
mm: keep preserved memory fixed until finish|mm/*|include/linux/mm*|include/linux/memfd*|include/linux/shmem*
liveupdate: what IOMMU, PCI and VFIO need|kernel/liveupdate/*|include/linux/liveupdate*|include/linux/kho/*|include/linux/kexec_handover*
PCI: liveupdate: keep bus mastering across a kexec|drivers/pci/*|include/linux/pci*
iommu/vt-d: liveupdate: adopt the tables of the old kernel|drivers/iommu/intel/*
iommu/amd: liveupdate: adopt the tables of the old kernel|drivers/iommu/amd/*
iommufd: liveupdate: preserve and restore HWPTs|drivers/iommu/iommufd/*|include/linux/iommufd*|include/uapi/linux/iommufd*
iommu: liveupdate: keep page tables and domains across a kexec|drivers/iommu/*|include/linux/iommu*|include/linux/generic_pt/*
vfio/pci: liveupdate: preserve device files|drivers/vfio/*|include/linux/vfio*
selftests: liveupdate: IOMMU, iommufd and vfio-pci|tools/*
Documentation: liveupdate: IOMMU, iommufd and vfio-pci|Documentation/*
treewide: liveupdate: what fits nowhere else|*
END
}

# The order in which the patches must come so that each one builds on the last.
AREA_ORDER="x86/smp: memblock: mm liveupdate: PCI: iommu: iommu/vt-d: iommu/amd: iommufd: vfio/pci: selftests: Documentation: treewide:"

area_of() {
	local subject patterns pattern
	while IFS='|' read -r subject patterns; do
		while read -r pattern; do
			# shellcheck disable=SC2254
			case $1 in
			$pattern) echo "$subject"; return ;;
			esac
		done < <(tr '|' '\n' <<<"$patterns")
	done < <(areas)
}

in_order() {
	local key
	for key in $AREA_ORDER; do
		grep "^$key" "$1" || true
	done
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
	done < <(hook_paths)
	scratch_git add -A
	scratch_git commit -q -m base
}

commit_area() {
	local subject=$1 path
	while read -r path; do
		mkdir -p "$scratch/$(dirname "$path")"
		if [[ -e $HOOKS/$path.patch ]]; then
			cp "$scratch/$path" "$work/original"
			apply_hook "$path" "$work/original" "$work/result"
			cp "$work/result" "$scratch/$path"
		else
			cp "$OVERLAY/$path" "$scratch/$path"
		fi
	done
	scratch_git add -A
	scratch_git commit -q -m "$subject"
}

# make_series BASE OUT: the patches, in OUT
make_series() {
	local from=$1 out=$2 path subject scratch=$work/scratch
	scratch_base "$from"
	while read -r path; do
		printf '%s\t%s\n' "$(area_of "$path")" "$path"
	done < <({ hook_paths; overlay_paths; } | sort) >"$work/areas"
	cut -f1 "$work/areas" | sort -u >"$work/subjects"
	while read -r subject; do
		awk -F'\t' -v want="$subject" '$1 == want { print $2 }' "$work/areas" \
			>"$work/paths"
		commit_area "$subject" <"$work/paths"
	done < <(in_order "$work/subjects")
	rm -rf "$out.new"
	scratch_git format-patch -q --full-index --no-signature -N \
		-o "$out.new" --root base~"$(wc -l <"$work/subjects")"..base
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
	say "series: $(find "$out" -name '*.patch' | wc -l) patches in $out"
}

# The series on a fresh copy of the base must give the prepared tree.
check_series() {
	local path scratch author_name author_email
	author
	make_series "$BASE_DIR/orig" "$work/series"
	scratch=$work/applied
	scratch_base "$BASE_DIR/orig"
	scratch_git am -q "$work/series"/*.patch ||
		die "the exported series does not apply."
	while read -r path; do
		cmp -s "$scratch/$path" "$BASE_DIR/tree/$path" ||
			die "the exported series gives another $path than prepare."
	done < <({ hook_paths; overlay_paths; } | sort)
	(cd "$scratch" && git ls-files | sort) |
		cmp -s - <({ hook_paths; overlay_paths; } | sort) ||
		die "the exported series has other files than prepare."
	say "series:     $(find "$work/series" -type f | wc -l) patches," \
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
		(cd "$BASE_DIR/tree" &&
		 "${checkpatch[@]}" -f "$path") >>"$work/style" 2>&1 || status=1
	done < <(overlay_paths)
	while read -r path; do
		sed -n '/^--- /,$p' "$HOOKS/$path.patch" |
			"${checkpatch[@]}" --no-signoff - 2>&1 |
			sed "s|^-:|$path.patch:|" >>"$work/style" || status=1
	done < <(hook_paths)
	if (( status )) || [[ -s $work/style ]]; then
		cat "$work/style" >&2
		die "checkpatch --strict has something to say."
	fi
	say "checkpatch: clean"
}

# Objects made from files of ours or files we hook, or from headers among them
# that only some driver sees.
our_objects() {
	{ hook_paths; overlay_paths; } >"$work/ours"
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

cmd_check() {
	local discard=0
	lock_cache
	prepare_tree
	check_series
	check_style
	check_warnings
}
