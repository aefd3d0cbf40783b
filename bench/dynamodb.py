#!/usr/bin/env python3
"""Durable writes of DynamoDB against the disk: see bench/README.md. `--binary`, `--rounds`, `--seconds` change the run."""
import argparse
import pathlib
import statistics
import tempfile

from measure import ROOT, Platform, body, call_script, client, create_table, disk_floor, item, spread, wrk

ITEM_BYTES, ITEMS = 1024, 4096


def scripts(folder):
    put = [body(TableName="bench", Item=item(f"item{number}", ITEM_BYTES)) for number in range(ITEMS)]
    pair = [body(TransactItems=[{"Put": {"TableName": "bench", "Item": item(f"pair{number * 2 + side}", ITEM_BYTES)}} for side in (0, 1)])
            for number in range(ITEMS // 2)]
    add = [body(TableName="bench", Key={"p": {"S": "counter"}}, UpdateExpression="ADD hits :one", ExpressionAttributeValues={":one": {"N": "1"}})]
    return {"put": call_script(folder / "put.lua", "PutItem", put), "pair": call_script(folder / "pair.lua", "TransactWriteItems", pair),
            "add": call_script(folder / "add.lua", "UpdateItem", add)}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", default=str(ROOT / "build/release/parvis"))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=2)
    options = options.parse_args()
    # On the disk of the build, which is a real one: a folder in memory would make every sync free.
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        folder = pathlib.Path(folder)
        platform = Platform(options.binary, folder / "data", "--empty", "--sync", "always")
        try:
            dynamodb = client(platform)
            create_table(dynamodb, "bench")
            script = scripts(folder)
            runs = [("put", 1), ("put", 32), ("pair", 32), ("add", 32)]
            rates = {run: [] for run in runs}
            floors, counted = [], 0
            for number in range(options.rounds + 1):
                floor = disk_floor(folder, ITEM_BYTES, options.seconds)
                rate = {}
                for name, connections in runs:
                    rate[name, connections], answered = wrk(platform.url, connections, script[name], options.seconds)
                    counted += answered if name == "add" else 0
                if number:  # the first round warms up
                    floors.append(floor)
                    for run in runs:
                        rates[run].append(rate[run])
            hits = int(dynamodb.get_item(TableName="bench", Key={"p": {"S": "counter"}}, ConsistentRead=True)["Item"]["hits"]["N"])
        finally:
            platform.stop()
    # wrk breaks off at the end of a round: what was under way then may have been done, and is not counted.
    assert counted <= hits <= counted + 32 * (options.rounds + 1), f"{counted} additions were answered, the counter is {hits}"
    print(f"append + fdatasync of {ITEM_BYTES} bytes: {statistics.median(floors):,.0f}/s")
    for name, connections, title in (("put", 1, "PutItem"), ("put", 32, "PutItem"), ("pair", 32, "TransactWriteItems of 2"), ("add", 32, "UpdateItem ADD on one counter")):
        values = rates[name, connections]
        print(f"{title}, {connections} connections: {statistics.median(values):,.0f}/s, {spread([a / b for a, b in zip(values, floors)])} of the disk")
    print(f"TransactWriteItems of 2 / PutItem: {spread([a / b for a, b in zip(rates['pair', 32], rates['put', 32])])}; "
          f"no update of {counted} was lost")


main()
