#!/usr/bin/env python3
"""A table of millions of items: point reads against a small table, memory, restarts. See bench/README.md."""
import argparse
import contextlib
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

from measure import ROOT, Platform, body, call_script, client, create_table, item, spread, wrk

ITEM_BYTES, SMALL, BATCH, OVERWRITTEN = 400, 10_000, 25, 100_000


def load(platform, folder, first, last):
    """BatchWriteItem over 16 connections; tells of each half million, so that a load that was cut off can go on."""
    while first < last:
        count = min(last - first, 500_000)
        begun, script = time.monotonic(), folder / "load.lua"
        script.write_text(LOAD % {"first": first, "last": first + count, "size": ITEM_BYTES, "batch": BATCH})
        # wrk has no bound on requests: the script ends it when its numbers are used up.
        out = subprocess.run(["wrk", "-t1", "-c16", "-d300s", "--timeout", "60s", "-s", str(script), platform.url], capture_output=True, text=True)
        assert out.returncode == 0 and "FAILED" not in out.stdout, out.stdout + out.stderr
        first += count
        (folder / "loaded").write_text(str(first))
        print(f"{first:,} items; the last {count:,} at {count / (time.monotonic() - begun):,.0f}/s; memory {memory(platform)}", flush=True)


LOAD = """local at, last, batch, text = %(first)d, %(last)d, %(batch)d, nil
local headers = { ["Content-Type"] = "application/x-amz-json-1.0", ["X-Amz-Target"] = "DynamoDB_20120810.BatchWriteItem" }
local warm = false
local done, want = 0, math.ceil((last - at) / batch) + 64
function init(args) math.randomseed(at + 1) end
local function text_of(size)
  local out = {}
  for i = 1, size / 8 do out[i] = string.format("%%08x", math.random(0, 2147483647)) end
  return table.concat(out)
end
function request()
  -- wrk looks at one request before it begins.
  if not warm then
    warm = true
    return wrk.format("GET", "/")
  end
  local parts = {}
  for i = 1, batch do
    local key = string.format("item%%d", at)
    parts[i] = string.format('{"PutRequest":{"Item":{"p":{"S":"%%s"},"text":{"S":"%%s"}}}}', key, text_of(%(size)d - #key - 5))
    at = at + 1
  end
  -- What comes after the last number is sent again and again, until whatever came before it was answered.
  if at > last then at = at - batch end
  return wrk.format("POST", "/", headers, '{"RequestItems":{"large":[' .. table.concat(parts, ",") .. "]}}")
end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, '"UnprocessedItems":{}', 1, true) then print("FAILED " .. status .. " " .. body); os.exit(1) end
  done = done + 1
  if done >= want then os.exit(0) end
end
"""


def fill(platform, folder, items):
    dynamodb = client(platform)
    if not (folder / "loaded").exists():
        for table in ("small", "large"):
            create_table(dynamodb, table)
        for first in range(0, SMALL, BATCH):
            puts = [{"PutRequest": {"Item": item(f"item{number}", ITEM_BYTES)}} for number in range(first, first + BATCH)]
            assert not dynamodb.batch_write_item(RequestItems={"small": puts})["UnprocessedItems"]
        (folder / "loaded").write_text("0")
    load(platform, folder, int((folder / "loaded").read_text()), items)


def memory(platform):
    """All that is resident, of which the files of tables (mapped or not) are no part: those are the system's page cache."""
    text = pathlib.Path(f"/proc/{platform.process.pid}/status").read_text()
    now = {name: int(text.split(name)[1].split()[0]) / 1024 for name in ("VmRSS:", "VmHWM:", "RssAnon:")}
    return f"{now['VmRSS:']:.0f} MB resident (most: {now['VmHWM:']:.0f}), {now['RssAnon:']:.0f} of it anonymous"


def restarts(platform, folder, rounds):
    """Both ways to end, each time with as much new data as the log can hold."""
    killed, stopped = [], []
    for _ in range(rounds):
        overwrite(platform, folder)
        platform.kill()
        killed.append(ready_after(platform))
        overwrite(platform, folder)
        platform.stop()
        stopped.append(ready_after(platform))
    logs = sum(file.stat().st_size for file in (folder / "data").rglob("*.log") if file.parent.name == "db")
    print(f"ready after kill -9: {spread(killed)} s; after a clean stop: {spread(stopped)} s; logs now {logs / 2**20:.0f} MB; memory {memory(platform)}")


def overwrite(platform, folder):
    loaded = int((folder / "loaded").read_text())
    first = random.randrange(0, loaded - OVERWRITTEN) // BATCH * BATCH
    script = folder / "overwrite.lua"
    script.write_text(LOAD % {"first": first, "last": first + OVERWRITTEN, "size": ITEM_BYTES, "batch": BATCH})
    out = subprocess.run(["wrk", "-t1", "-c16", "-d300s", "--timeout", "60s", "-s", str(script), platform.url], capture_output=True, text=True)
    assert out.returncode == 0 and "FAILED" not in out.stdout, out.stdout + out.stderr


def ready_after(platform):
    begun = time.monotonic()
    platform.start()
    return time.monotonic() - begun


def keys_of(folder, table, count):
    keys = [body(TableName=table, Key={"p": {"S": f"item{random.randrange(count)}"}}) for _ in range(200_000)]
    return call_script(folder / f"{table}.lua", "GetItem", keys)


def settle(platform):
    """Waits until the tables of what was written last are merged."""
    def used():
        return sum(map(int, pathlib.Path(f"/proc/{platform.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    before, begun = used(), time.monotonic()
    while time.monotonic() - begun < 200:
        time.sleep(2)
        before, last = used(), before
        if before - last < 4:
            return


def reads(platform, folder, rounds):
    settle(platform)
    loaded = int((folder / "loaded").read_text())
    dynamodb = client(platform)
    missing = [key for key in (0, loaded - 1, *random.sample(range(loaded), 500))
               if "Item" not in dynamodb.get_item(TableName="large", Key={"p": {"S": f"item{key}"}})]
    assert not missing, f"items {missing} are lost"
    small, large, pairs = keys_of(folder, "small", SMALL), keys_of(folder, "large", loaded), []
    for number in range(rounds + 1):
        pair = wrk(platform.url, 32, small, 4)[0], wrk(platform.url, 32, large, 4)[0]
        if number:  # the first round warms up
            pairs.append(pair)
    print(f"GetItem, 32 connections: small table {statistics.median(a for a, _ in pairs):,.0f}/s, large {statistics.median(b for _, b in pairs):,.0f}/s, "
          f"small / large {spread([a / b for a, b in pairs])}; memory {memory(platform)}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("steps", nargs="*", default=["load", "restart", "read"])
    options.add_argument("--binary", default=str(ROOT / "build/release/parvis"))
    options.add_argument("--items", type=int, default=10_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--folder", type=pathlib.Path, help="keeps the data here, for a further step; without it: a folder that goes away")
    options = options.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build")))
        platform = Platform(options.binary, folder / "data", "--empty")
        stack.callback(platform.stop)
        if "load" in options.steps:
            fill(platform, folder, options.items)
        if "restart" in options.steps:
            restarts(platform, folder, options.rounds)
        if "read" in options.steps:
            reads(platform, folder, options.rounds)


main()
