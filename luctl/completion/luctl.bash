# SPDX-License-Identifier: GPL-2.0-only
# bash completion for luctl(1)

_luctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]} words=

	COMPREPLY=()
	case $verb in
	status) words='--json --root --help' ;;
	check)  words='--json --now --offline --for --append --reuse-cmdline
		--initrd --no-initrd --ignore --timeout --root --help' ;;
	load)   words='--append --reuse-cmdline --initrd --no-initrd --ignore
		--unload --root --help' ;;
	update) words='--now --append --reuse-cmdline --initrd --no-initrd
		--ignore --timeout --root --help' ;;
	show)   words='--json --dot --svg --root --help' ;;
	reap)   words='--dry-run --timeout --root --help' ;;
	watch)  words='--json --timeout --root --help' ;;
	esac
	if (( COMP_CWORD == 1 )); then
		words='status check load update show reap watch --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $prev in
	--root)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--for|--initrd)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--append|--ignore|--timeout)
		return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $verb in
	check|load|update)
		mapfile -t COMPREPLY < <(compgen -f -- "${cur:-/boot/vmlinuz}") ;;
	reap)
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n \
			's/^session incoming [0-9]* //p' \
			/sys/kernel/liveupdate/sessions 2>/dev/null)" -- "$cur") ;;
	esac
}
complete -o filenames -F _luctl luctl
