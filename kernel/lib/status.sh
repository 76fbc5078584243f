# SPDX-License-Identifier: GPL-2.0-only
# status: what the project adds to the kernel, and what the cache holds.

hook_totals() {
	local path add del added=0 removed=0 hunks=0 cutting=()
	while read -r path; do
		read -r add del < <(hook_lines "$HOOKS/$path.patch")
		added=$(( added + add ))
		removed=$(( removed + del ))
		hunks=$(( hunks + $(hunks "$HOOKS/$path.patch" | wc -l) ))
		(( del == 0 )) || cutting+=("$path ($del)")
	done < <(hook_paths)
	say "hooks:     $(hook_paths | wc -l) files, $hunks places," \
	    "$added lines added, $removed removed"
	(( ${#cutting[@]} == 0 )) ||
		say "           removing lines: $(printf '%s, ' "${cutting[@]}" |
			sed 's/, $//')"
}

cmd_status() {
	local files lines mends state="not prepared"
	hook_totals
	say "mends:     $(mend_names | wc -l)"
	files=$(overlay_paths | wc -l)
	lines=$(overlay_paths | while read -r path; do
			cat "$OVERLAY/$path"
		done | wc -l)
	say "overlay:   $files files, $lines lines"
	say "base:      $(base package) $(base version)"
	if [[ -z ${KERNEL_SRC:-} && ! -s $CACHE/source/info ]]; then
		say "source:    not fetched yet"
		return
	fi
	select_source
	take_mends
	[[ $(cat "$BASE_DIR/stamp" 2>/dev/null) == "$(tree_key)" ]] &&
		state="up to date"
	say "source:    ${KERNEL_SRC:-$(base package) $(cut -d' ' -f1 "$CACHE/source/info")}"
	say "tree:      $BASE_DIR/tree ($state)"
}
