# SPDX-License-Identifier: GPL-2.0-only
# build FLAVOUR: one kernel, out of tree, into build/kernel-FLAVOUR/.

ARCH_FRAGMENT=x86_64
FLAVOURS="lu stock debug mutate modules distro selftest selftest-stock bench bench-stock"
# Lines kbuild prints for a build from nothing; replaced by what was seen.
USUAL_STEPS=2450

# All of them; one for each mend is the bench's kernel without it.
flavours() {
	echo "$FLAVOURS" "$(mend_names | sed 's/^/bench-without-/' | paste -sd ' ')"
}

fragments() {
	local name names="$1"
	case $1 in
	lu)             names="lu user" ;;
	debug)          names="lu debug selftest" ;;
	mutate)         names="lu mutate" ;;
	modules)        names="lu modules" ;;
	distro)         names="lu distro" ;;
	selftest)       names="lu selftest" ;;
	selftest-stock) names="stock selftest" ;;
	bench)          names="lu bench" ;;
	bench-stock)    names="bench stock" ;;
	bench-without-*) names="lu bench" ;;
	esac
	# A distribution's configuration comes first, see configure()
	[[ $1 == distro ]] || names="base $ARCH_FRAGMENT kunit $names"
	for name in $names; do
		[[ -r $TOP/kernel/config/$name.config ]] ||
			die "kernel/config/$name.config is missing."
		echo "$TOP/kernel/config/$name.config"
	done
}

# Kernel make, with nothing of our caller's environment in it; of the tree, or of
# KMAKE_TREE.
kmake() {
	local cc=gcc
	# What ccache has preprocessed to look for it is what is compiled, which saves
	# a quarter of the time; warnings may then be about what a macro became.
	local -a once=(CCACHE_NOCPP2=1)
	[[ " $* " != *" W=1 "* ]] || once=()
	command -v ccache >/dev/null && cc="ccache gcc"
	exec env -i PATH="$PATH" HOME="$HOME" LC_ALL=C TMPDIR="${TMPDIR:-/tmp}" \
		CCACHE_DIR="$CACHE/ccache" CCACHE_MAXSIZE=3G "${once[@]}" \
		KBUILD_BUILD_USER=ktree KBUILD_BUILD_HOST=localhost \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' \
		make -C "${KMAKE_TREE:-$BASE_DIR/tree}" O="$out" CC="$cc" HOSTCC="$cc" "$@"
}

# Everything a built kernel depends on.
build_key() {
	{
		tree_key
		fragments "$1" | xargs cat
		[[ $1 != distro ]] || distro_config
		gcc --version
		cat "$KTREE_LIB/build.sh"
	} | sha256sum | cut -d' ' -f1
}

# Every option we asked for must be in the result: the last word on each wins.
check_options() {
	local lost
	lost=$(awk '
	function option(line) {
		if (line ~ /^# CONFIG_[A-Za-z0-9_]+ is not set$/)
			return substr(line, 3, length(line) - 13) "=n"
		return line ~ /^CONFIG_[A-Za-z0-9_]+=/ ? line : ""
	}
	{
		word = option($0)
		if (word == "")
			next
		name = word
		sub(/=.*/, "", name)
		value = substr(word, length(name) + 2)
	}
	FILENAME == result { got[name] = value; next }
	{ want[name] = value }
	END {
		for (name in want) {
			value = name in got ? got[name] : "n"
			if (value != want[name])
				print name "=" want[name] " (is " value ")"
		}
	}' result="$1" "${@:2}" "$1" | sort)
	[[ -z $lost ]] ||
		die "these options did not survive, some dependency of theirs is" \
		    "not met:" "$(paste -sd, <<<"$lost" | sed 's/,/, /g')"
}

# The distribution's configuration, less what we leave out.
distro_config() {
	xz -dc "$CACHE/source/$(base config)"
	sed -n 's/^[A-Z0-9_]\{1,\}$/# CONFIG_& is not set/p' \
		"$TOP/kernel/config/distro-without"
}

configure_distro() {
	{ distro_config; cat "$@"; } | replace_file "$out/fragments"
	cp "$out/fragments" "$out/.config"
	(kmake -s olddefconfig) >"$out/log" 2>&1 || build_failed distro
}

configure() {
	local -a parts
	mapfile -t parts < <(fragments "$1")
	if [[ $1 == distro ]]; then
		configure_distro "${parts[@]}"
		check_options "$out/.config" "${parts[@]}"
		return
	fi
	cat "${parts[@]}" | replace_file "$out/fragments"
	(kmake -s KCONFIG_ALLCONFIG="$out/fragments" allnoconfig) \
		>"$out/log" 2>&1 || build_failed "$1"
	check_options "$out/.config" "${parts[@]}"
}

build_failed() {
	grep -E '(error|Error|ERROR)[: ]|undefined reference|No space left' \
		"$out/log" | tail -n 15 >&2 || tail -n 15 "$out/log" >&2
	die "building the $1 kernel failed; the whole log is $out/log"
}

# A control differs from the real one in a few options: start from its
# objects. objtool's own make remembers absolute paths; with those corrected
# it is not built again, and so neither is everything that depends on it.
seed() {
	local from=$1 file time=$work/time
	[[ -e $out || ! -e $from/vmlinux || ! -e $from/complete ]] && return
	rm -rf "$out.new"
	cp -a "$from" "$out.new"
	rm -f "$out.new/complete"
	{ grep -rlIF "$from" "$out.new/tools" "$out.new/Makefile" 2>/dev/null || true; } |
	while read -r file; do
		touch -r "$file" "$time"
		sed -i "s|$from|$out|g" "$file"
		touch -r "$time" "$file"
	done
	mv "$out.new" "$out"
}

# Is anything of this kernel a module?
has_modules() { grep -q '^CONFIG_[A-Za-z0-9_]*=m$' "$out/.config"; }

compile() {
	local steps=0 usual=0
	[[ -e $out/complete ]] || usual=$(cat "$out/steps" 2>/dev/null || echo $USUAL_STEPS)
	rm -f "$out/complete"
	progress_start
	(kmake -j"$(nproc)" bzImage headers $(has_modules && echo modules)) \
		>"$out/log" 2>&1 &
	child=$!
	while kill -0 "$child" 2>/dev/null; do
		sleep 0.5
		steps=$(grep -c '^  [A-Z]' "$out/log" || true)
		if (( usual )); then
			progress "build $1" "$steps" "$usual"
		fi
	done
	wait "$child" || { child=; build_failed "$1"; }
	child=
	(( usual )) && echo "$steps" >"$out/steps"
	touch "$out/complete"
	progress_end "build $1" "$steps steps"
}

# deliver_modules DIR: DIR/modules/RELEASE, as they are in /lib/modules, but
# without the lists of depmod: the rig reads in the modules what each depends on.
deliver_modules() {
	local new=$1/modules.new
	rm -rf "$new" "$1/modules"
	has_modules || return 0
	(kmake -s INSTALL_MOD_PATH="$new" INSTALL_MOD_STRIP=1 DEPMOD=true \
		modules_install) >>"$out/log" 2>&1 ||
		die "installing the modules failed; the whole log is $out/log"
	rm -f "$new"/lib/modules/*/build
	mv "$new/lib/modules" "$1/modules"
	rmdir "$new/lib" "$new"
}

# deliver FLAVOUR KEY: into the clone; the key is written last
deliver() {
	local dest=$TOP/build/kernel-$1
	mkdir -p "$dest"
	rm -f "$dest/key"
	replace_file "$dest/bzImage" <"$out/arch/x86/boot/bzImage"
	replace_file "$dest/config" <"$out/.config"
	rm -rf "$dest/headers.new" "$dest/headers"
	mkdir -p "$dest/headers.new"
	cp -a "$out/usr/include" "$dest/headers.new/include"
	find "$dest/headers.new" -type f ! -name '*.h' -delete
	mv "$dest/headers.new" "$dest/headers"
	deliver_modules "$dest"
	echo "$2" | replace_file "$dest/key"
}

build_flavour() {
	local flavour=$1 out=$CACHE/build/$1-${BASE_DIR##*/} key
	[[ $flavour != distro ]] || fetch_config
	take_mends "$flavour"
	key=$(build_key "$flavour")
	if [[ $(cat "$TOP/build/kernel-$flavour/key" 2>/dev/null) == "$key" ]]; then
		say "kernel-$flavour: up to date"
		return
	fi
	prepare_tree
	mkdir -p "$CACHE/build"
	need_space "$CACHE/build" "$([[ $flavour == distro ]] && echo 2500 || echo 700)" \
		"building the kernel"
	case $flavour in
	bench-without-*) seed "$CACHE/build/bench-${BASE_DIR##*/}" ;;
	stock|mutate|modules|bench) seed "$CACHE/build/lu-${BASE_DIR##*/}" ;;
	selftest-stock) seed "$CACHE/build/selftest-${BASE_DIR##*/}" ;;
	bench-stock)    seed "$CACHE/build/bench-${BASE_DIR##*/}" ;;
	esac
	mkdir -p "$out"
	configure "$flavour"
	compile "$flavour"
	deliver "$flavour" "$key"
	say "kernel-$flavour: built"
}

cmd_build() {
	local flavour discard=0
	(( $# )) || die "which one? flavours: $FLAVOURS"
	for flavour; do
		[[ " $(flavours) " == *" $flavour "* ]] ||
			die "there is no flavour '$flavour'; there are: $(flavours)"
	done
	lock_cache
	take_mends
	prepare_tree
	for flavour; do
		build_flavour "$flavour"
	done
	# What is left to work in is the tree with everything in it
	take_mends
	prepare_tree
}
