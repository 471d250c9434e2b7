#!/bin/sh
# Whether the node exporter at port $1 shows numbers of the mail server, and new ones.
# With Python, as no client of HTTP need be installed, and by no proxy of the environment.
# After a deploy the first ones take some seconds
python3 - "$1" <<'PYTHON'
import re, sys, time, urllib.request

url, problem = f"http://127.0.0.1:{sys.argv[1]}/metrics", ""
end = time.monotonic() + 30
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    try:
        with direct.open(url, timeout=20) as answer:
            text = answer.read().decode()
        found = re.search(r"^mailstack_collection_timestamp_seconds (\S+)", text, re.MULTILINE)
        if found and time.time() - float(found[1]) < 300:
            break
        problem = "the numbers are older than 5 minutes" if found else "there are no numbers of the mail server"
        problem += ": see journalctl -u mailstack-metrics"
    except OSError as error:
        problem = f"{url} does not answer: {error}"
    if time.monotonic() > end:
        sys.exit(problem)
    time.sleep(1)
PYTHON
