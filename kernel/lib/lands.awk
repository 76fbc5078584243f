# SPDX-License-Identifier: GPL-2.0-only
#
# Says in which function or section given lines of a file stand.
# Input: the file. Variables: at = "12 80", kind = "c" or "text".
# Output, one line per number: "name", "after name" (between two functions)
# or "top". As diff -p does, a heading is a line that starts in column 0 with
# a letter; goto labels are not headings.

function strip(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

function last_word(s) {
	gsub(/\[[^]]*\]/, "", s)
	s = strip(s)
	sub(/.*[^A-Za-z0-9_]/, "", s)
	return s
}

function c_name(line,   paren, equal, name, arg) {
	paren = index(line, "(")
	equal = index(line, "=")
	if (equal && (!paren || equal < paren))
		return last_word(substr(line, 1, equal - 1))
	if (!paren) {
		sub(/[ \t]*[{;].*$/, "", line)
		return strip(line)
	}
	name = last_word(substr(line, 1, paren - 1))
	if (name !~ /^[A-Z0-9_]+$/)
		return name
	arg = substr(line, paren + 1)
	sub(/[,)].*$/, "", arg)
	return name "(" arg ")"
}

function c_line(line) {
	if (line ~ /^[A-Za-z_][A-Za-z0-9_]*:[ \t]*(\/[*\/].*)?$/)
		return
	if (line ~ /^[A-Za-z_$]/) {
		name = c_name(line)
		opened = closed = 0
	}
	if (line ~ /^}/)
		closed = 1
	if (name == "" || opened)
		return
	if (line ~ /[;}][ \t]*$/)
		closed = 1
	else if (line ~ /\{/)
		opened = 1
}

BEGIN {
	count = split(at, wanted, " ")
	for (i = 1; i <= count; i++)
		lines[wanted[i]] = 1
}

NR in lines {
	place[NR] = name == "" ? "top" : (closed ? "after " : "") name
}

kind == "c" { c_line($0); next }
/^[A-Za-z_$.]/ { name = strip($0) }

END {
	for (i = 1; i <= count; i++) {
		if (wanted[i] in place)
			print place[wanted[i]]
		else
			print name == "" ? "top" : (closed ? "after " : "") name
	}
}
