#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# look.sh IMAGE: says which kernel runs and which is in the image, a line each. "same"
# is yes when they are one: the release, the build, and a file that is older than this
# boot, as kernels that are built to be reproducible can say the same of another build.
image=$1

# Where a bzImage has its version, as text with a zero at its end: Documentation/arch/x86/boot.rst
version() {
	[ "$(tail -c +515 "$image" | head -c 4 | tr '\0' ' ')" = HdrS ] || return 0
	at=$(od -An -v -tu2 -j526 -N2 "$image" | tr -d ' ')
	tail -c +$((at + 513)) "$image" | head -c 512 | tr '\0' '\n' | head -n 1
}

say() { printf '%s=%s\n' "$1" "$2"; }

release='' same=no
if [ -r "$image" ]; then
	text=$(version)
	release=${text%% *}
	started=$(sed -n 's/^btime //p' /proc/stat)
	case $text in
	"$(uname -r) ("*") $(uname -v)")
		[ "$(stat -L -c %Z "$image")" -ge "$started" ] || same=yes
		;;
	esac
	say there yes
else
	say there no
fi
say image "$release"
say same "$same"
say running "$(uname -r)"
say boot "$(cat /proc/sys/kernel/random/boot_id)"
say kexecs "$(systemctl show --value -p KExecCount)"
say failed "$(systemctl list-units --failed --plain --no-legend --no-pager | cut -d' ' -f1 | xargs)"
