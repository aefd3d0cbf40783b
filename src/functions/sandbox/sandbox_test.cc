#include "functions/sandbox/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "functions/process.h"

namespace parvis::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct Ran {
  std::string output;
  functions::ExitStatus status;
};

// Runs shell commands in a cell, as a worker would be started.
class Cell : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/sandboxXXXXXX";
    folder_ = mkdtemp(name.data());
    fs::create_directories(folder_ + "/root");
    fs::create_directories(folder_ + "/shelf/bundle");
    std::ofstream(folder_ + "/shelf/bundle/index.js") << "the code";
    std::ofstream(folder_ + "/secret") << "the host's secret";
    static const Facilities host = [&] {
      Facilities found = probe(folder_ + "/root");
      for (const std::string& gap : found.gaps) std::printf("gap: %s\n", gap.c_str());
      return found;
    }();
    host_ = host;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::shared_ptr<Sandbox> make(Policy policy) {
    static unsigned number = 0;
    auto plan = Plan::make(policy, host_, folder_ + "/root");
    EXPECT_TRUE(plan.has_value()) << plan.error();
    auto box = Sandbox::make(*plan, ++number);
    EXPECT_TRUE(box.has_value()) << box.error();
    return *box;
  }

  // Returns at the end of the command, unless `meanwhile` is given: then it is called once the process has started.
  Ran run(std::shared_ptr<Sandbox> box, const std::string& command, const std::function<void(functions::Process&)>& meanwhile = {}) {
    int output[2];
    EXPECT_EQ(pipe2(output, O_CLOEXEC), 0);
    Fd read_end(output[0]), write_end(output[1]);
    auto process = functions::spawn({.arguments = {"/bin/sh", "-c", command}, .environment = {{"PATH", "/usr/bin:/bin"}}, .directory = box->isolated() ? "/tmp" : folder_,
                                     .output_fd = write_end.get(), .sandbox = box});
    EXPECT_TRUE(process.has_value()) << process.error();
    write_end.reset();
    if (!process) return {};
    if (meanwhile) meanwhile(*process);
    Ran ran;
    char buffer[4096];
    for (ssize_t got; (got = read(read_end.get(), buffer, sizeof buffer)) > 0;) ran.output.append(buffer, static_cast<std::size_t>(got));
    ran.status = functions::reap(process->pid, true);
    return ran;
  }
  std::string output_of(const Policy& policy, const std::string& command) { return run(make(policy), command).output; }

  std::string folder_;
  Facilities host_;
};

// A chroot, for one, allows none.
class NamespacedCell : public Cell {
 protected:
  void SetUp() override {
    Cell::SetUp();
    if (!host_.namespaces) GTEST_SKIP() << "this host allows no namespaces";
  }
};

TEST_F(NamespacedCell, RunsAProgramWithoutPrivileges) {
  const std::string out = output_of({}, "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; hostname");
  EXPECT_THAT(out, HasSubstr("993\n"));
  EXPECT_THAT(out, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(out, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(out, HasSubstr("parvis"));
}

TEST_F(NamespacedCell, SeesNoFileOfTheHost) {
  const std::string out = output_of({}, "cat " + folder_ + "/secret; ls /home /root /work /etc/shadow; cat /etc/passwd; ls /; ls /proc | grep -c '^[0-9]'");
  EXPECT_THAT(out, Not(HasSubstr("the host's secret")));
  EXPECT_THAT(out, HasSubstr("/etc/shadow': No such file"));
  EXPECT_THAT(out, HasSubstr("sbx_user"));
}

TEST_F(NamespacedCell, WritesOnlyToItsOwnTmp) {
  const std::string out = output_of({.views = {{folder_ + "/shelf", "/opt/shelf"}}, .tmp_bytes_max = 1 << 20},
                                    "echo a > /tmp/a && cat /tmp/a; echo b > /b; echo c > /opt/shelf/c; echo d > /usr/d; head -c 2000000 /dev/zero > /tmp/big; ls /tmp");
  EXPECT_THAT(out, HasSubstr("a\n"));
  EXPECT_THAT(out, HasSubstr("cannot create /b: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("cannot create /opt/shelf/c: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("cannot create /usr/d: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("No space left on device"));
  EXPECT_FALSE(fs::exists("/tmp/a"));
}

TEST_F(NamespacedCell, IsShownItsCodeLaterAndNothingElse) {
  fs::create_directories(folder_ + "/shelf/other");
  std::ofstream(folder_ + "/shelf/other/index.js") << "code of another function";
  auto box = make({.shelves = {folder_ + "/shelf"}});
  const Ran ran = run(box, "ls /var/task /.shelves; while [ ! -e /var/task/index.js ]; do sleep 0.01; done; cat /var/task/index.js; ls -A /.shelves; find /var /opt /tmp /.shelves -name index.js; echo x > /var/task/x",
                      [&](functions::Process& process) {
                        const auto shown = box->show(process.pidfd.get(), {{folder_ + "/shelf/bundle", "/var/task"}});
                        EXPECT_TRUE(shown.has_value()) << shown.error();
                      });
  EXPECT_THAT(ran.output, HasSubstr("the code"));
  EXPECT_THAT(ran.output, HasSubstr("/var/task/index.js"));
  EXPECT_THAT(ran.output, HasSubstr("cannot create /var/task/x: Read-only file system"));
  EXPECT_THAT(ran.output, Not(HasSubstr("code of another")));
  EXPECT_THAT(ran.output, Not(HasSubstr("/.shelves/0")));
  EXPECT_THAT(ran.output, Not(HasSubstr("other")));
}

TEST_F(NamespacedCell, WhatStandsOnNoShelfIsNotShown) {
  auto box = make({.shelves = {folder_ + "/shelf"}});
  run(box, "true", [&](functions::Process& process) {
    const auto shown = box->show(process.pidfd.get(), {{folder_ + "/secret", "/var/task"}});
    ASSERT_FALSE(shown.has_value());
    EXPECT_THAT(shown.error(), HasSubstr("stands on none of the worker's shelves"));
  });
}

TEST_F(Cell, CannotMountTraceOrMakeNamespaces) {
  const std::string out = output_of({.views = {{folder_, folder_, true}}}, "mount -t tmpfs x /tmp; unshare -U true; unshare -m true; chroot / true; dmesg 2>&1 | head -1");
  EXPECT_THAT(out, HasSubstr("unshare: unshare failed: Operation not permitted"));
  EXPECT_THAT(out, Not(HasSubstr("Linux version")));
}

TEST_F(NamespacedCell, HasNoProcessButItsOwn) {
  if (!host_.proc) GTEST_SKIP() << "no /proc here";
  const std::string out = output_of({}, "for p in /proc/[0-9]*; do echo ${p#/proc/}; done; kill -9 " + std::to_string(getpid()) + " 2>&1");
  EXPECT_THAT(out, Not(HasSubstr(std::to_string(getppid()) + "\n")));
  EXPECT_THAT(out, HasSubstr("No such process"));
}

TEST_F(NamespacedCell, ReachesNobodyOnAnEmptyLoopback) {
  if (!host_.own_network) GTEST_SKIP() << "no network namespaces here";
  const std::string out = output_of({.network = Network::kLoopback}, "cat /proc/net/dev");
  EXPECT_THAT(out, HasSubstr("lo:"));
  EXPECT_THAT(out, Not(HasSubstr("eth")));
}

TEST_F(NamespacedCell, EndsWhenItTakesTooMuchMemory) {
  if (host_.cgroups.memory.empty()) GTEST_SKIP() << "no memory group here";
  auto box = make({});
  ASSERT_TRUE(box->limit({.memory_bytes_max = 32 << 20}));
  const Ran ran = run(box, "head -c 200000000 /dev/zero | tail; echo survived");
  EXPECT_TRUE(box->out_of_memory());
}

TEST_F(NamespacedCell, BoundsItsProcesses) {
  if (host_.cgroups.processes.empty()) GTEST_SKIP() << "no pids group here";
  const std::string out = output_of({.processes_max = 8}, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; echo done");
  EXPECT_THAT(out, HasSubstr("Cannot fork"));
}

TEST_F(NamespacedCell, LeavesNoProcessBehind) {
  auto box = make({});
  const auto start = std::chrono::steady_clock::now();
  run(box, "setsid sleep 30 & sleep 0.1; exit 0");  // the pipe stays open as long as anybody holds it
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(Cell, WithoutNamespacesLandlockAllowsOnlyItsFiles) {
  if (!host_.landlock_files) GTEST_SKIP() << "no Landlock here";
  host_.namespaces = host_.own_network = false;
  fs::create_directories(folder_ + "/own");
  const std::string out = output_of({.views = {{folder_ + "/own", folder_ + "/own", true}}},
                                    "echo a > " + folder_ + "/own/a && cat " + folder_ + "/own/a; cat " + folder_ + "/secret; cat /etc/passwd; echo b > /tmp/landlock-test; "
                                    "read name rest < /proc/self/stat && echo own $rest; cat /proc/" + std::to_string(getpid()) + "/cmdline; head -c 9 /proc/meminfo");
  EXPECT_THAT(out, HasSubstr("a\n"));
  EXPECT_THAT(out, Not(HasSubstr("the host's secret")));
  EXPECT_THAT(out, HasSubstr("secret: Permission denied"));
  EXPECT_THAT(out, HasSubstr("/etc/passwd: Permission denied"));
  EXPECT_THAT(out, HasSubstr("own (sh)"));
  EXPECT_THAT(out, HasSubstr("/cmdline: Permission denied"));
  EXPECT_THAT(out, HasSubstr("MemTotal:"));
  EXPECT_FALSE(fs::exists("/tmp/landlock-test"));
}

TEST_F(NamespacedCell, AStepThatFailsIsNamed) {
  const auto plan = Plan::make({.views = {{folder_ + "/not-there", "/opt/x"}}}, host_, folder_ + "/root");
  ASSERT_TRUE(plan.has_value());
  auto box = Sandbox::make(*plan, 4711);
  ASSERT_TRUE(box.has_value());
  const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto process = functions::spawn({.arguments = {"/bin/true"}, .environment = {}, .directory = "/", .output_fd = null.get(), .sandbox = *box});
  ASSERT_FALSE(process.has_value());
  EXPECT_THAT(process.error(), HasSubstr("the sandbox cannot be built: mount " + folder_ + "/not-there on"));
  EXPECT_THAT(process.error(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace parvis::sandbox
