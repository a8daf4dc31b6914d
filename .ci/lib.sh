# What several steps share. A step sources this first: it sets the shell's strictness.
set -euo pipefail
shopt -s inherit_errexit # a failing $(...) fails the step

# The exit code of a step that cannot run on this machine.
readonly cannot_run=77

# Prints the folder of every module, the main one first.
modules() {
	find . -name go.mod -not -path './.*/*' -not -path '*/testdata/*' -printf '%h\n' | sort
}

# Prints the folders of the nested modules; there is always one.
nested_modules() {
	modules | grep -vx '\.'
}

# Prints the one command of the README's first shell block that starts with the given words.
readme_command() {
	local found
	found=$(awk '/^```/ { inside = !inside && !seen && /sh$/; if (inside) seen = 1; next } inside' README.md |
		sed 's/[[:space:]]*#.*$//' | grep -e "^$1" || true)
	if [ -z "$found" ] || [ "$(wc -l <<<"$found")" != 1 ]; then
		echo "README.md's first shell block should hold one command that starts with: $1" >&2
		return 1
	fi
	echo "$found"
}

# Prints the folder that keeps a Zig between runs, and what was compiled with it.
zig_home() {
	echo "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/larder-ci/zig-$1"
}

# Installs Debian packages when the command of the first argument is missing.
need() {
	local command=$1
	shift
	command -v "$command" >/dev/null && return
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "needs $command, and only root on Debian can have it installed: $*" >&2
		return "$cannot_run"
	fi
	apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Runs a command and goes on when it fails; finish then fails the step.
failures=()
try() {
	"$@" || failures+=("$*")
}
finish() {
	[ ${#failures[@]} = 0 ] && return
	printf 'failed: %s\n' "${failures[@]}" >&2
	exit 1
}
