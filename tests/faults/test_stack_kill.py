"""kill -9 in the middle of stack operations: at the next start nothing is in progress, and what exists is what the stack says."""
import json
import random
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from conftest import Platform

TABLES = 12


def template(count, key="id"):
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
                                                           "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}]}}
    resources = {}
    for number in range(count):
        resources[f"T{number}"] = {**table, **({"DependsOn": f"T{number - 1}"} if number else {})}
    return json.dumps({"Resources": resources})


def settled(platform, stack_id):
    stacks, tables = platform.client("cloudformation"), platform.client("dynamodb")
    status = stacks.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
    held = {r["PhysicalResourceId"] for r in stacks.list_stack_resources(StackName=stack_id)["StackResourceSummaries"]}
    there = {name for page in tables.get_paginator("list_tables").paginate() for name in page["TableNames"]}
    return status, held, there


@pytest.mark.parametrize("seed", range(6))
def test_an_operation_that_was_killed_is_settled_at_the_next_start(binary, tmp_path, seed):
    chance = random.Random(seed)
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        stacks = platform.client("cloudformation")
        stack_id = stacks.create_stack(StackName="cut", TemplateBody=template(TABLES))["StackId"]
        if seed % 3:
            stacks.get_waiter("stack_create_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        if seed % 3 == 1:
            stacks.update_stack(StackName="cut", TemplateBody=template(TABLES, "other"))
        elif seed % 3 == 2:
            stacks.delete_stack(StackName="cut")
        # Killed when so many events are there: in the middle, wherever that is.
        wanted = chance.randrange(3, 2 * TABLES) + (2 * TABLES + 2 if seed % 3 else 0)
        for _ in range(2000):
            events = [e for page in stacks.get_paginator("describe_stack_events").paginate(StackName=stack_id) for e in page["StackEvents"]]
            if len(events) >= wanted:
                break
        platform.kill()
        platform.start()
        status, held, there = settled(platform, stack_id)
        assert not status.endswith("_IN_PROGRESS"), status
        assert held == there
        assert len(held) in (0, TABLES)
        assert status in {0: ("CREATE_COMPLETE", "ROLLBACK_COMPLETE"), 1: ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"), 2: ("DELETE_COMPLETE",)}[seed % 3]
    finally:
        platform.stop()
