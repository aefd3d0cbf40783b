"""`parvis dev` as its user meets it: mistakes are named and the last good version serves; data outlives half-typed saves."""
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest

from conftest import Platform, free_port
from project import SOURCE, TEMPLATE, call, make_project, wait_for


@pytest.fixture(scope="module")
def dev(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dev")
    project = make_project(folder / "project")
    env = project / "local.env"
    env.write_text('# for my machine\nSECRET="from the file"\nNOWHERE=x\n')
    platform = Platform(binary, folder, str(project), "--parameter", "Greeting=good day", "--env-file", str(env))
    platform.project, platform.env = project, env
    yield platform
    platform.stop()


def says(dev, pattern, since=0):
    found = wait_for(lambda: re.search(pattern, dev.output()[since:], re.M))
    assert found, f"{pattern!r} is not in\n{dev.output()[since:]}"
    return found


class Mistake:
    """A file with something wrong in it, for a while."""

    def __init__(self, dev, path, text):
        self.dev, self.path, self.text = dev, dev.project / path, text

    def __enter__(self):
        self.good, self.since = self.path.read_text(), len(self.dev.output())
        self.path.write_text(self.text)
        return self

    def says(self, pattern):
        return says(self.dev, pattern, self.since)

    def __exit__(self, *_):
        since = len(self.dev.output())
        self.path.write_text(self.good)
        says(self.dev, "stack done", since)


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


MISTAKES = {
    "yaml": ("template.yaml", TEMPLATE.replace("      Timeout: 5", "     Timeout: 5"), r"error \S+template\.yaml:\d+:\d+: .+"),
    "typescript": ("src/hello.ts", SOURCE.replace("const TableName =", "const TableName = ="), r"error \S*hello\.ts:4:\d+: .*Unexpected \"=\""),
    "import": ("src/hello.ts", "import './nothing';\n" + SOURCE, r"hello\.ts:1:\d+: .*Could not resolve \"\./nothing\""),
    "unknown_property": ("template.yaml", TEMPLATE.replace("Timeout: 5", "Timeuot: 5"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'Timeout')}:\d+: .*Timeuot"),
    "missing_file": ("template.yaml", TEMPLATE.replace("[hello.ts]", "[helo.ts]"), r"error \S+template\.yaml:\d+:\d+: entry point helo\.ts does not exist in .*; correct EntryPoints"),
    "missing_folder": ("template.yaml", TEMPLATE.replace("CodeUri: src/", "CodeUri: source/"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'CodeUri')}:\d+: the code folder \S+ does not exist; name an existing folder"),
    "missing_handler": ("src/hello.ts", SOURCE.replace("export const handler", "export const handle"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'Handler:')}:\d+: hello exports no 'handler'; it exports handle; export it, or correct Handler"),
    "property_that_cannot_be_read": ("template.yaml", TEMPLATE.replace("Timeout: 5", "Timeout: five"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'Timeout')}:\d+: resource Hello: Timeout must be a whole number, not 'five'"),
    "property_out_of_range": ("template.yaml", TEMPLATE.replace("Timeout: 5", "Timeout: 5000"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'Timeout')}:\d+: .*less than or equal to 900"),
    "unknown_section": ("template.yaml", TEMPLATE.replace("Outputs:", "Output:"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'Outputs:')}:1: Invalid template property or properties \[Output\]"),
    "unknown_attribute": ("template.yaml", TEMPLATE.replace("  Api:\n", "  Api:\n    Dependson: Notes\n"), r"error \S+template\.yaml:\d+:\d+: resource Api: the attribute Dependson is not known"),
    "unknown_output": ("template.yaml", TEMPLATE.replace("{Value: !Ref Notes}", "{Value: !Ref Note}"), rf"error \S+template\.yaml:{line_of(TEMPLATE, '  Table: {Value')}:\d+: output Table: 'Note' is neither"),
    "list_as_a_variable": ("template.yaml", TEMPLATE.replace('SECRET: ""', "OTHER: [1]"), r"Environment\.Variables\.OTHER is not text"),
    "wrong_method": ("template.yaml", TEMPLATE.replace("Method: get", "Method: gett"), rf"error \S+template\.yaml:{line_of(TEMPLATE, '        Get:')}:\d+: .*'gett' is not a method"),
    "wrong_path": ("template.yaml", TEMPLATE.replace('Path: "/notes/{id}", Method: get', 'Path: "notes/{id}", Method: get'), rf"error \S+template\.yaml:{line_of(TEMPLATE, '        Get:')}:\d+: .*does not begin with '/'"),
    "esbuild_setting": ("template.yaml", TEMPLATE.replace("EntryPoints: [hello.ts]", "EntryPoints: [hello.ts], Target: es1"), r"error \S+template\.yaml:\d+:\d+: esbuild: Invalid target .*; correct BuildProperties"),
    "unknown_ref": ("template.yaml", TEMPLATE.replace("TABLE: !Ref Notes", "TABLE: !Ref Note"), rf"error \S+template\.yaml:{line_of(TEMPLATE, 'TABLE: !Ref')}:\d+: .*Note"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_and_the_last_good_version_serves(dev, name):
    path, text, pattern = MISTAKES[name]
    assert text != (TEMPLATE if path == "template.yaml" else SOURCE)
    with Mistake(dev, path, text) as mistake:
        mistake.says(pattern)
        mistake.says("stack failed project .* the last good version goes on serving")
        assert call(dev.api() + "/notes/x")[0] == 200
    assert call(dev.api() + "/notes/x")[0] == 200


def test_parameters_and_the_environment_file_reach_functions(dev):
    answer = call(dev.api() + "/notes/x")[1]
    assert (answer["greeting"], answer["secret"]) == ("good day", "from the file")
    says(dev, "warning NOWHERE of the environment file is not set: no function declares it")
    since = len(dev.output())
    dev.env.write_text("SECRET=changed\n")
    says(dev, "stack done", since)
    assert call(dev.api() + "/notes/x")[1]["secret"] == "changed"


def test_a_table_that_vanishes_is_kept_and_comes_back(dev):
    call(dev.api() + "/notes/kept", "PUT", "precious")
    without = re.sub(r"  Notes:\n(    .*\n)+?(?=  Hello)", "", TEMPLATE).replace("!Ref Notes", "other")
    assert "SimpleTable" not in without
    with Mistake(dev, "template.yaml", without) as edit:
        edit.says("warning Notes is no longer in the template as it was; its data is kept and comes back with it")
        since = len(dev.output())
    says(dev, "warning Notes is back, with its data", since)
    assert call(dev.api() + "/notes/kept")[1]["text"] == "precious"


def test_a_table_whose_key_changes_is_kept_and_prune_deletes_it(dev, binary):
    call(dev.api() + "/notes/old", "PUT", "old key")
    with Mistake(dev, "template.yaml", TEMPLATE.replace("{Name: id,", "{Name: key,")) as edit:
        edit.says("warning Notes is no longer in the template as it was")
        prune = [binary, "prune", "--data-dir", f"{dev.data_dir}/state"]
        asked = subprocess.run(prune, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        assert asked.returncode == 1 and re.search(r"  project: Notes \(AWS::DynamoDB::Table project-Notes-\w+\)", asked.stdout), asked
        assert "--yes deletes" in asked.stderr
        done = subprocess.run([*prune, "--yes"], text=True, capture_output=True, timeout=60)
        assert (done.returncode, "deleted 1" in done.stdout) == (0, True), done
        again = subprocess.run([*prune, "--yes"], text=True, capture_output=True, timeout=60)
        assert "nothing is detached" in again.stdout
    assert call(dev.api() + "/notes/old")[1]["text"] is None


def test_what_is_served_is_printed_with_working_urls(dev):
    url = dev.said(r"GET +(http://localhost:\d+)/notes/\{id\}")[1]
    assert call(url + "/notes/x")[0] == 200
    for pattern in (r"^  table +project-Notes-\w+$", rf"^  AWS APIs  http://localhost:{dev.port}$", rf"^  health +http://localhost:{dev.port}/_parvis/health$"):
        dev.said(pattern)


def test_reset_is_refused_for_a_project(dev):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{dev.url}/_parvis/reset", method="POST"), timeout=10)
    assert caught.value.code == 403 and "--empty" in caught.value.read().decode()


def test_fresh_begins_without_data_and_json_prints_events(dev, binary, tmp_path):
    project = make_project(tmp_path / "again")
    platform = Platform(binary, tmp_path, str(project), "--json")
    try:
        call(platform.api() + "/notes/a", "PUT", "first")
        platform.stop()
        platform.start()
        assert call(platform.api() + "/notes/a")[1]["text"] == "first"
        platform.stop()
        platform.arguments += ("--fresh",)
        platform.start()
        assert call(platform.api() + "/notes/a")[1]["text"] is None
        events = [json.loads(line) for line in platform.output().splitlines()]
        assert {"deployment", "request", "invocation", "log"} <= {event["type"] for event in events}
    finally:
        platform.stop()


def test_fresh_takes_nothing_from_a_platform_that_runs_and_nothing_of_others(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        platform.client("ssm").put_parameter(Name="kept", Value="x", Type="String")
        (tmp_path / "state/mine.txt").write_text("mine")
        fresh = [binary, "dev", "--empty", "--fresh", "--port", str(free_port()), "--data-dir", str(tmp_path / "state")]
        done = subprocess.run(fresh, text=True, capture_output=True, timeout=30)
        assert done.returncode == 1 and f"is in use by process {platform.process.pid}; stop it" in done.stderr, done
        assert platform.client("ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "x"
        platform.stop()
        platform.arguments += ("--fresh",)
        platform.start()
        assert platform.client("ssm").describe_parameters()["Parameters"] == []
        assert (tmp_path / "state/mine.txt").read_text() == "mine"
    finally:
        platform.stop()


def test_settings_of_esbuild_reach_it(binary, tmp_path):
    project = make_project(tmp_path / "settings")
    (project / "src/hello.ts").write_text("declare const built: string;\nexport const handler = async () => built + (globalThis as any).banner + import.meta.url.endsWith('.mjs');\n")
    settings = "[hello.ts], Format: esm, OutExtension: [.js=.mjs], Banner: [\"js=globalThis.banner = '-banner-';\"], Define: [\"built='esm'\"], KeepNames: true, UseNpmCi: true, Outdir: elsewhere, Sourcemap: linked"
    (project / "template.yaml").write_text(TEMPLATE.replace("[hello.ts]", settings))
    platform = Platform(binary, tmp_path, str(project))
    try:
        assert urllib.request.urlopen(platform.api() + "/notes/x", timeout=20).read() == b"esm-banner-true"
        platform.said(r"warning \S+template\.yaml:\d+:\d+: esbuild setting 'Outdir' has no effect, as in sam build")
    finally:
        platform.stop()


def test_a_name_that_a_kept_table_has_is_told(binary, tmp_path):
    def project_with(name):
        return TEMPLATE.replace("  Hello:\n", f"  {name}: {{Type: AWS::Serverless::SimpleTable, Properties: {{TableName: fixed-name}}}}\n  Hello:\n", 1)
    project = make_project(tmp_path / "named")
    (project / "template.yaml").write_text(project_with("First"))
    platform = Platform(binary, tmp_path, str(project))
    try:
        (project / "template.yaml").write_text(project_with("Second"))
        platform.said(r"resource Second: Table already exists: fixed-name .*; First has that name until this deployment has succeeded: give the new one another name")
        since = len(platform.output())
        (project / "template.yaml").write_text(TEMPLATE)
        assert wait_for(lambda: "stack done" in platform.output()[since:])
        (project / "template.yaml").write_text(project_with("Second"))
        platform.said(r"First, which is kept for its data, has that name: .* `parvis prune`")
    finally:
        platform.stop()


def test_a_folder_with_two_templates_is_told(binary, tmp_path):
    project = make_project(tmp_path / "two")
    (project / "template.json").write_text("{}")
    platform = Platform(binary, tmp_path, str(project))
    try:
        platform.said(r"warning \S+ has template\.json as well; template\.yaml is used")
    finally:
        platform.stop()


def test_no_watch_keeps_the_first_version(binary, tmp_path):
    project = make_project(tmp_path / "still")
    platform = Platform(binary, tmp_path, str(project), "--no-watch")
    try:
        (project / "src/hello.ts").write_text(SOURCE.replace("greeting: process.env.GREETING", "greeting: 'edited'"))
        assert wait_for(lambda: call(platform.api() + "/notes/a")[1]["greeting"] == "edited", timeout=1.5) is None
    finally:
        platform.stop()


def test_a_busy_port_says_who_holds_it_and_which_flag_changes_it(binary, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = subprocess.run([binary, "dev", "--empty", "--port", str(port), "--data-dir", str(tmp_path / "a")], text=True, capture_output=True, timeout=30)
        assert done.returncode == 1
        assert re.search(rf"cannot listen on 127\.0\.0\.1:{port}: .*: process \d+ \(.*python.*\) listens there; --port chooses another port", done.stderr), done.stderr
        project = make_project(tmp_path / "busy")
        done = subprocess.run([binary, "dev", str(project), "--no-watch", "--port", str(free_port()), "--api-port", str(port), "--data-dir", str(tmp_path / "b")],
                              text=True, capture_output=True, timeout=60)
        assert done.returncode == 1
        assert re.search(r"process \d+ \(.*python.*\) listens there; --api-port chooses another port", done.stdout + done.stderr), done


def test_hosts_that_are_not_listed_are_refused(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty", "--allow-host", "box.example")
    try:
        def status(host):
            request = urllib.request.Request(f"{platform.url}/_parvis/health", headers={"Host": host})
            try:
                return urllib.request.urlopen(request, timeout=5).status
            except urllib.error.HTTPError as error:
                return error.code
        assert (status("box.example"), status("evil.example")) == (200, 403)
    finally:
        platform.stop()


def test_reset_empties_everything_and_the_platform_goes_on(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty")
    try:
        tables, objects, functions = platform.client("dynamodb"), platform.client("s3"), platform.client("lambda")
        other = boto3.client("dynamodb", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="444455556666", aws_secret_access_key="x")
        for client in (tables, other):
            client.create_table(TableName="music", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                                KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])
            client.put_item(TableName="music", Item={"p": {"S": "x"}})
        objects.create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        objects.put_object(Bucket="a-bucket", Key="k", Body=b"bytes")
        functions.list_functions()
        answer = urllib.request.urlopen(urllib.request.Request(f"{platform.url}/_parvis/reset", method="POST"), timeout=30)
        assert json.load(answer)["status"] == "empty"
        assert tables.list_tables()["TableNames"] == other.list_tables()["TableNames"] == []
        assert objects.list_buckets()["Buckets"] == []
        with pytest.raises(tables.exceptions.ResourceNotFoundException):
            tables.get_item(TableName="music", Key={"p": {"S": "x"}})
        tables.create_table(TableName="music", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])
        assert tables.scan(TableName="music")["Count"] == 0
        request = urllib.request.Request(f"{platform.url}/_parvis/reset", method="POST", headers={"Origin": "http://evil.example"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        assert caught.value.code == 403
        assert tables.list_tables()["TableNames"] == ["music"]
    finally:
        platform.stop()


def test_bodies_of_put_reach_a_team_api_on_the_port_of_aws(dev):
    """There a PUT looks like S3's PutObject, whose body is a stream."""
    with urllib.request.urlopen(f"http://127.0.0.1:{dev.port}/_parvis/health") as answer:
        api = json.load(answer)["apis"][0]["id"]
    for url, host in ((f"http://127.0.0.1:{dev.port}/_aws/execute-api/{api}/notes/by-path", None), (f"http://127.0.0.1:{dev.port}/notes/by-host", f"{api}.execute-api.us-east-1.localhost:{dev.port}")):
        status, answer = call(url, "PUT", "kept", {"Host": host} if host else {})
        assert (status, answer["text"]) == (200, "kept"), url
