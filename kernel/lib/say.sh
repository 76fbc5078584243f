# SPDX-License-Identifier: GPL-2.0-only
# Messages, and the few things every command needs. Who uses them sets me.

say()  { printf '%s\n' "$*"; }
note() { printf '%s: %s\n' "$me" "$*" >&2; }
die()  { printf '%s: %s\n' "$me" "$*" >&2; exit 1; }

# What a program says of itself in its first lines, for --help
about() { sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# One line that is overwritten on a terminal; elsewhere one line per tenth.
# progress LABEL DONE TOTAL
progress() {
	local percent=$(( $3 > 0 ? $2 * 100 / $3 : 0 ))
	(( percent > 99 )) && percent=99
	if [[ -t 2 ]]; then
		printf '\r%-10s %3d %%' "$1" "$percent" >&2
	elif (( percent / 10 > progress_last )); then
		printf '%-10s %3d %%\n' "$1" "$percent" >&2
		progress_last=$(( percent / 10 ))
	fi
}

progress_start() { progress_last=0; }

# progress_end LABEL TEXT...
progress_end() {
	[[ -t 2 ]] && printf '\r\033[K' >&2
	printf '%-10s %s\n' "$1" "${*:2}" >&2
}

# Stop early instead of running into a full disk half way.
# need_space DIR MEBIBYTES WHAT
need_space() {
	local free
	free=$(( $(df -Pk "$1" | awk 'NR == 2 { print $4 }') / 1024 ))
	(( free >= $2 )) && return
	die "$3 needs about $2 MiB in $1, and only $free MiB are free." \
	    "Free some space, or set IOMMU_LU_CACHE to a folder on a larger disk."
}

# Write standard input to FILE in one step, and only if that changes it.
# Nobody ever sees half a file, and make sees no new time stamp for old text.
replace_file() {
	local tmp="$1.new.$$"
	mkdir -p "$(dirname "$1")" && cat >"$tmp" || return
	if cmp -s "$tmp" "$1"; then
		rm -f "$tmp"
	else
		mv -f "$tmp" "$1"
	fi
}
