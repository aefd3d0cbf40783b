"""Java functions for tests: compiled once with the host's javac. Tests that need one are skipped by name where there is none."""
import functools
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from packages import zip_of

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "build/tools/java/lib"
SOURCE = """package app;
import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.util.*;

public class Handlers {
    static { System.out.println("class loads"); }
    public static class Trip { public String city; public int nights; }
    public static class Answer { public String text; public String id; public boolean time; public String arn; public int memory; public String name; }

    public Answer pojo(Trip trip, Context context) {
        Answer answer = new Answer();
        answer.text = trip.city + " for " + trip.nights;
        answer.id = context.getAwsRequestId();
        answer.time = context.getRemainingTimeInMillis() > 1000;
        answer.arn = context.getInvokedFunctionArn();
        answer.memory = context.getMemoryLimitInMB();
        answer.name = context.getFunctionName();
        System.out.println("printed line");
        context.getLogger().log("logged line");
        return answer;
    }

    public static class Streams implements RequestStreamHandler {
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException { in.transferTo(out); }
    }

    public static class Interface implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
            Map<String, Object> out = new TreeMap<>(event);
            out.put("java", System.getProperty("java.version"));
            out.put("heap", Runtime.getRuntime().maxMemory());
            out.put("option", String.valueOf(System.getProperty("from.tool.options")));
            out.put("custom", context.getClientContext() == null ? "" : context.getClientContext().getCustom().get("a"));
            out.put("task", System.getenv("LAMBDA_TASK_ROOT"));
            out.put("home", System.getProperty("java.home"));
            out.put("trace", String.valueOf(System.getProperty("com.amazonaws.xray.traceHeader")));
            return out;
        }
    }

    public String fails(Map<String, Object> event, Context context) { throw new IllegalStateException("no seats left"); }
    public String sleeps(Map<String, Object> event, Context context) throws InterruptedException { Thread.sleep(20000); return "late"; }
    public String exits(Map<String, Object> event, Context context) { System.exit(3); return ""; }
    public String hungry(Map<String, Object> event, Context context) { List<byte[]> all = new ArrayList<>(); while (true) all.add(new byte[8 << 20]); }

    public static class Broken {
        static { if (true) throw new RuntimeException("cannot start"); }
        public String handle(Map<String, Object> event, Context context) { return ""; }
    }
}
"""


@functools.cache
def compiled():
    """The classes of SOURCE, by their path in a package."""
    if not shutil.which("javac"):
        pytest.skip("no javac on this machine: install a JDK (Debian's openjdk-17-jdk-headless)")
    if not CLIENT.exists():
        pytest.skip("the Java runtime client is not there: run script/setup --runtimes")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "Handlers.java"
        source.write_text(SOURCE)
        subprocess.run(["javac", "--release", "11", "-cp", f"{CLIENT}/*", "-d", f"{folder}/out", str(source)], check=True, timeout=120)
        return {str(path.relative_to(f"{folder}/out")): path.read_bytes() for path in pathlib.Path(f"{folder}/out").rglob("*.class")}


def java_package(**more):
    return zip_of(compiled() | more)
