# SPDX-License-Identifier: GPL-2.0-only
# Hooks: the lines we put into files that exist already.
#
# A hook is kernel/hooks/<path>.patch: a header, then one diff -U1 of that one
# file. The header says why, and has one "Lands-in:" line per hunk, in order.
# What a mend does to a file (see mends.sh) has the same form.

# Every hook, as the path of the kernel file it touches.
hook_paths() {
	[[ -d $HOOKS ]] || return 0
	(cd "$HOOKS" && find . -type f -name '*.patch' -printf '%P\n') |
		sed 's/\.patch$//' | sort
}

# Per hunk of a hook: "START DELTA LENGTH", the first line of the hunk in the
# new file, how far below it the first changed line is, and its lines there.
hunks() {
	awk '
	/^@@ / {
		count = split(substr($3, 2), plus, ",")
		delta = 0
		seen = 0
		inside = 1
		next
	}
	!inside || seen { next }
	/^[-+]/ {
		print plus[1], delta, (count > 1 ? plus[2] : 1)
		seen = 1
		next
	}
	{ delta++ }' "$1"
}

# lands_at FILE NAME-OF-FILE LINE...: where each line stands
lands_at() {
	local file=$1 kind=text
	[[ $2 == *.[chS] ]] && kind=c
	shift 2
	awk -v at="$*" -v kind=$kind -f "$KTREE_LIB/lands.awk" "$file"
}

# Added, removed lines of a hook.
hook_lines() {
	awk '/^@@ / { inside = 1 }
	     inside && /^\+/ { added++ }
	     inside && /^-/ { removed++ }
	     END { print added + 0, removed + 0 }' "$1"
}

# hook_targets HOOK: the files its diff names (must be exactly the one)
hook_targets() { sed -n 's|^+++ b/\([^\t]*\).*|\1|p' "$1"; }

# apply_hook PATH ORIGINAL RESULT [HOOK]: RESULT becomes ORIGINAL with the hook
# in, every hunk in the function that the hook states; anything else stops here.
apply_hook() {
	local path=$1 original=$2 result=$3 hook=${4:-$HOOKS/$1.patch} log=$3.log
	local what=hook
	[[ $hook == "$HOOKS"/* ]] || what="mend ${hook#"$MENDS"/}: hook"
	[[ $(hook_targets "$hook") == "$path" ]] ||
		die "$what $path.patch must hold one diff, of $path."
	cp -- "$original" "$result"
	chmod u+w "$result"
	if ! patch -F0 -N --no-backup-if-mismatch --verbose -r - \
	     "$result" <"$hook" >"$log" 2>&1; then
		grep -q 'previously applied' "$log" &&
			die "$what $path.patch is in $path already;" \
			    "this kernel source is not a clean one."
		die "$what $path.patch does not fit $path:" \
		    "$(grep -m1 'FAILED' "$log" || head -n 1 "$log")." \
		    "The lines around it changed; make the hook anew with ktree refresh."
	fi
	grep -q 'with fuzz' "$log" &&
		die "$what $path.patch fits $path only with fuzz; make it anew."
	check_landing "$path" "$result" "$log" "$hook" "$what"
	rm -f "$log"
}

# Compares where the hunks landed with what the header states.
check_landing() {
	local path=$1 result=$2 log=$3 hook=$4 what=$5 i free=1
	local -a start delta length stated lines landed
	mapfile -t delta < <(hunks "$hook" | cut -d' ' -f2)
	mapfile -t length < <(hunks "$hook" | cut -d' ' -f3)
	mapfile -t stated < <(sed -n '/^--- /q; s/^Lands-in: *//p' "$hook")
	mapfile -t start < <(sed -n 's/^Hunk #[0-9]* succeeded at \([0-9]*\).*/\1/p' "$log")
	(( ${#start[@]} > 0 && ${#start[@]} == ${#delta[@]} )) ||
		die "$what $path.patch: ${#delta[@]} hunks, ${#start[@]} applied."
	(( ${#stated[@]} == ${#delta[@]} )) ||
		die "$what $path.patch has ${#delta[@]} hunks" \
		    "but ${#stated[@]} Lands-in lines."
	for i in "${!start[@]}"; do
		lines+=($(( start[i] + delta[i] )))
		# patch puts a second copy of a hunk right into the first one.
		(( start[i] >= free )) ||
			die "$what $path.patch, hunk $(( i + 1 )) overlaps the one before."
		free=$(( start[i] + length[i] ))
	done
	mapfile -t landed < <(lands_at "$result" "$path" "${lines[@]}")
	for i in "${!start[@]}"; do
		[[ ${landed[i]} == "${stated[i]}" ]] ||
			die "$what $path.patch, hunk $(( i + 1 )):" \
			    "meant for '${stated[i]}'," \
			    "landed in '${landed[i]}' (line ${lines[i]})."
	done
}

# hook_reason FILE: the words of its header, which say why
hook_reason() { sed '/^--- /,$d; /^Lands-in:/d; /^SPDX-/d; /^$/d' "$1"; }

# make_hook PATH PRISTINE-FILE EDITED-FILE: the hook on standard output; the
# words of an existing hook's header are kept.
make_hook() {
	local path=$1 pristine=$2 edited=$3 diff start delta
	local -a lines=()
	diff=$(mktemp)
	diff -U1 -p --label "a/$path" --label "b/$path" \
		"$pristine" "$edited" >"$diff" || (( $? == 1 ))
	while read -r start delta _; do
		lines+=($(( start + delta )))
	done < <(hunks "$diff")
	echo "SPDX-License-Identifier: GPL-2.0-only"
	[[ ! -f $HOOKS/$path.patch ]] || hook_reason "$HOOKS/$path.patch"
	lands_at "$edited" "$path" "${lines[@]}" | sed 's/^/Lands-in: /'
	echo
	cat "$diff"
	rm -f "$diff"
}
