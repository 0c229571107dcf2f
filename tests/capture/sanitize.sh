#!/bin/bash
# Runs tests of the producer with its code instrumented, and fails on any finding in it (Linux, GCC).
#   tests/capture/sanitize.sh address,undefined|thread [pytest arguments]
# The interpreter itself is not instrumented, so its own leaks and races are filtered out: only reports that name the
# producer count.
set -euo pipefail
sanitizers=${1:?address,undefined or thread}
shift
[ $# -gt 0 ] || set -- tests/capture/test_stream_*.py tests/capture/test_gentl_exports.py
cd "$(dirname "$0")/../.."

producer=$(python -c 'from twinlens.capture.producers import bundled_producer as found; print(found())')
work=$(mktemp -d)
cp "$producer" "$work/kept.cti"
trap 'cp "$work/kept.cti" "$producer"; rm -rf "$work"' EXIT
cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSANITIZE="$sanitizers" >/dev/null
cmake --build "$work/build" >/dev/null
cp "$work/build/twinlens_gev.cti" "$producer"

# Everything is reported, nothing ends the tests; the reports are judged below.
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/report"
export ASAN_OPTIONS="halt_on_error=0:exitcode=0:detect_leaks=1:log_path=$work/report"
export TSAN_OPTIONS="halt_on_error=0:exitcode=0:report_thread_leaks=0:log_path=$work/report"
export PYTHONMALLOC=malloc
if [ "$sanitizers" = thread ]; then
    # The thread sanitizer needs the classic layout of addresses.
    launch=(setarch "$(uname -m)" -R env LD_PRELOAD="$(gcc -print-file-name=libtsan.so)")
else
    launch=(env LD_PRELOAD="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)")
fi
"${launch[@]}" "$(command -v python)" -m pytest -q -p no:cacheprovider "$@"

# A report is a paragraph; of leaks, each has one of its own.
cat "$work"/report* >"$work/all" 2>/dev/null || true
reports=$(awk 'BEGIN { RS = "" } /twinlens_gev|native\/.*\.[ch]:/ { print $0 "\n" }' "$work/all")
[ -z "$reports" ] || { echo "$reports"; exit 1; }
echo "$sanitizers: no finding in the producer"
