#!/usr/bin/env python3
"""A table of millions of items: point reads against a small table, memory, restarts. See bench/README.md."""
import argparse
import pathlib
import random
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from measure import ROOT, Platform, body, call_script, client, create_table, item, spread, wrk

ITEM_BYTES, SMALL, BATCH = 400, 10_000, 25


def load(platform, folder, items, seconds):
    """BatchWriteItem over 16 connections until `items` are there or the time is up. Returns how many."""
    begun, loaded = time.monotonic(), 0
    # Each process of the load sends its own numbers: item keys of one round are distinct.
    while loaded < items and time.monotonic() - begun < seconds:
        count = min(items - loaded, 500_000)
        script = folder / "load.lua"
        script.write_text(LOAD % {"first": loaded, "last": loaded + count, "size": ITEM_BYTES, "batch": BATCH})
        # wrk has no bound on requests: the script ends it when its numbers are used up.
        wrk_once(platform.url, script)
        loaded += count
    return loaded


LOAD = """local at, last, batch, text = %(first)d, %(last)d, %(batch)d, nil
local headers = { ["Content-Type"] = "application/x-amz-json-1.0", ["X-Amz-Target"] = "DynamoDB_20120810.BatchWriteItem" }
local done, want = 0, math.ceil((last - at) / batch)
function init(args) math.randomseed(at + 1) end
local function text_of(size)
  local out = {}
  for i = 1, size / 8 do out[i] = string.format("%%08x", math.random(0, 2147483647)) end
  return table.concat(out)
end
function request()
  local parts = {}
  for i = 1, batch do
    local key = string.format("item%%d", at)
    parts[i] = string.format('{"PutRequest":{"Item":{"p":{"S":"%%s"},"text":{"S":"%%s"}}}}', key, text_of(%(size)d - #key - 5))
    at = at + 1
  end
  return wrk.format("POST", "/", headers, '{"RequestItems":{"large":[' .. table.concat(parts, ",") .. "]}}")
end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, '"UnprocessedItems":{}', 1, true) then print("FAILED " .. status .. " " .. body); os.exit(1) end
  done = done + 1
  if done >= want then os.exit(0) end
end
"""


def wrk_once(url, script):
    import subprocess
    out = subprocess.run(["wrk", "-t1", "-c16", "-d300s", "--timeout", "30s", "-s", str(script), url], capture_output=True, text=True)
    assert out.returncode == 0 and "FAILED" not in out.stdout, out.stdout + out.stderr


def reads(folder, name, table, first, count):
    keys = [body(TableName=table, Key={"p": {"S": f"item{random.randrange(first, first + count)}"}}) for _ in range(20_000)]
    return call_script(folder / f"{name}.lua", "GetItem", keys)


def rss_mb(platform):
    text = pathlib.Path(f"/proc/{platform.process.pid}/status").read_text()
    return {name: int(text.split(name)[1].split()[0]) / 1024 for name in ("VmRSS:", "VmHWM:", "RssAnon:")}


def ready_after(platform):
    begun = time.monotonic()
    platform.start()
    return time.monotonic() - begun


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", default=str(ROOT / "build/release/parvis"))
    options.add_argument("--items", type=int, default=10_000_000)
    options.add_argument("--load-seconds", type=int, default=150, help="the load ends here, with fewer items")
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        folder = pathlib.Path(folder)
        platform = Platform(options.binary, folder / "data", "--empty")
        try:
            dynamodb = client(platform)
            for table in ("small", "large"):
                create_table(dynamodb, table)
            for first in range(0, SMALL, BATCH):
                puts = [{"PutRequest": {"Item": item(f"item{number}", ITEM_BYTES)}} for number in range(first, first + BATCH)]
                assert not dynamodb.batch_write_item(RequestItems={"small": puts})["UnprocessedItems"]
            begun = time.monotonic()
            loaded = load(platform, folder, options.items, options.load_seconds)
            print(f"{loaded:,} items of {ITEM_BYTES} bytes in {time.monotonic() - begun:.0f} s; memory while they came: {rss_mb(platform)['VmHWM:']:.0f} MB")
            platform.kill()
            killed = ready_after(platform)
            platform.stop()
            stopped = ready_after(platform)
            print(f"ready after kill -9: {killed * 1000:.0f} ms; after a clean stop: {stopped * 1000:.0f} ms")
            missing = [key for key in (0, loaded // 2, loaded - 1)
                       if "Item" not in client(platform).get_item(TableName="large", Key={"p": {"S": f"item{key}"}})]
            assert not missing, f"items {missing} are lost"
            small, large = reads(folder, "small", "small", 0, SMALL), reads(folder, "large", "large", 0, loaded)
            pairs = []
            for number in range(options.rounds + 1):
                pair = wrk(platform.url, 32, small, 3)[0], wrk(platform.url, 32, large, 3)[0]
                if number:
                    pairs.append(pair)
            print(f"GetItem, 32 connections: small table {statistics.median(a for a, _ in pairs):,.0f}/s, large {statistics.median(b for _, b in pairs):,.0f}/s, "
                  f"small / large {spread([a / b for a, b in pairs])}; memory {rss_mb(platform)['VmRSS:']:.0f} MB, its own {rss_mb(platform)['RssAnon:']:.0f} MB")
        finally:
            if platform.process.poll() is None:
                platform.stop()


main()
