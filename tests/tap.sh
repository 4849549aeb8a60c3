# shellcheck shell=sh
# What the check_* scripts share: cases in the Test Anything Protocol. Sourced, not run.
#   tap_case NAME FINDINGS    one case; it fails if FINDINGS has any text, which is then shown
#   tap_skip_all REASON       none of the cases can be run here
#   tap_done                  ends the script: the plan, and exit status 1 if any case failed

# A service of this machine is none of the tests'.
SKIMD_NO_SERVICE=1
export SKIMD_NO_SERVICE

tap_n=0
tap_failed=0

tap_case()
{
	tap_n=$((tap_n + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_n - $1"
	else
		echo "not ok $tap_n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		tap_failed=$((tap_failed + 1))
	fi
}

tap_skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

tap_done()
{
	echo "1..$tap_n"
	[ "$tap_failed" -eq 0 ]
	exit
}
