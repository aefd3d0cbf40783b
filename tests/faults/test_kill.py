"""An acknowledged write survives kill -9."""
import random
import threading

from botocore.exceptions import BotoCoreError, ClientError

from conftest import Platform


def test_acknowledged_items_survive_kill(binary, tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    delay = random.Random(seed)
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        dynamodb = platform.client("dynamodb")
        dynamodb.create_table(TableName="items", BillingMode="PAY_PER_REQUEST",
                              AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                              KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])
        acknowledged = {}
        for round_number in range(3):
            stop = threading.Event()

            def write(worker, number=round_number):
                client = platform.client("dynamodb")
                count = 0
                while not stop.is_set():
                    name = f"{number}-{worker}-{count}"
                    try:
                        client.put_item(TableName="items", Item={"p": {"S": name}, "v": {"N": str(count)}})
                    except (BotoCoreError, ClientError):
                        return
                    acknowledged[name] = count
                    count += 1

            writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
            for writer in writers:
                writer.start()
            stop.wait(0.3 + delay.random() * 0.5)
            platform.kill()
            stop.set()
            for writer in writers:
                writer.join()
            platform.start()
            found = {}
            for page in platform.client("dynamodb").get_paginator("scan").paginate(TableName="items"):
                found.update({item["p"]["S"]: int(item["v"]["N"]) for item in page["Items"]})
            assert acknowledged.items() <= found.items()
        assert len(acknowledged) > 20
    finally:
        platform.stop()
