#!/bin/sh
# Whether files are there, and have something in them: probe_files.sh [FILE]...
for file; do
  [ -s "$file" ] || { echo "$file is missing or empty" >&2; exit 1; }
done
