# SPDX-License-Identifier: GPL-2.0-only
# The folder that keeps what takes long to get or to make.

CACHE=${IOMMU_LU_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/iommu-liveupdate}

# One at a time in one cache, or in this FOLDER of it.
# lock_cache [FOLDER]
lock_cache() {
	local folder=$CACHE${1:+/$1}
	mkdir -p "$folder" 2>/dev/null && [[ -w $folder ]] ||
		die "cannot write to $folder; set IOMMU_LU_CACHE to a folder you own."
	CACHE=$(cd "$CACHE" && pwd)
	exec 9>"$CACHE${1:+/$1}/lock"
	flock -n 9 && return
	note "waiting for another $me to finish"
	flock 9
}
