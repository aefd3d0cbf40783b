#include "functions/worker.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace parvis::functions {
namespace {

// A worker whose other end the test reads itself.
struct Pretended : Worker {
  using Worker::Worker;
  void on_frame(char, unsigned, std::string_view) override {}
  bool on_log(std::string_view) override { return false; }
  void on_end(bool) override {}
  void kill_process() override {}
};

struct WorkerTest : testing::Test {
  WorkerTest() {
    int channel[2], answers[2], log[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
    EXPECT_EQ(pipe(answers), 0);
    EXPECT_EQ(pipe(log), 0);
    far_end = Fd(dup(channel[1]));
    answers_write = Fd(answers[1]);
    log_write = Fd(log[1]);
    Process process{getpid(), Fd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)))};
    worker = std::make_shared<Pretended>(context.get_executor(), std::move(process), Worker::Ends{Fd(channel[0]), Fd(channel[1]), Fd(answers[0]), Fd(log[0])});
  }
  ~WorkerTest() override { worker->close(); }

  asio::io_context context;
  Fd far_end, answers_write, log_write;
  std::shared_ptr<Pretended> worker;
};

TEST_F(WorkerTest, TakesBackNothingBehindAnUnreadMessage) {
  worker->send("open");
  worker->send("next");
  EXPECT_EQ(worker->unsend({"next"}), std::vector<bool>{false});
  char bytes[64];
  ASSERT_EQ(recv(far_end.get(), bytes, sizeof bytes, 0), 4);
  EXPECT_EQ(worker->unsend({"next", "later"}), (std::vector<bool>{true, false}));
  EXPECT_LT(recv(far_end.get(), bytes, sizeof bytes, MSG_DONTWAIT), 0);
}

// The process reads while messages are taken back: each is either read or taken, and what is read keeps its order.
TEST_F(WorkerTest, EachMessageIsEitherReadOrTakenBack) {
  std::vector<std::string> read;
  std::atomic<std::size_t> count{0};
  std::thread process([&] {
    char bytes[64];
    for (ssize_t got; (got = recv(far_end.get(), bytes, sizeof bytes, 0)) > 0 && bytes[0] != 'e'; ++count) read.emplace_back(bytes, static_cast<std::size_t>(got));
  });
  std::vector<std::string> expected;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> sent;
    for (int i = 0; i < 4; ++i) worker->send(sent.emplace_back("m" + std::to_string(round * 4 + i)));
    const std::vector<bool> taken = worker->unsend({sent.begin() + 1, sent.end()});
    expected.push_back(sent[0]);
    for (std::size_t i = 0; i < taken.size(); ++i)
      if (!taken[i]) expected.push_back(sent[i + 1]);
    for (int wait = 0; count < expected.size() && wait < 10'000'000; ++wait) std::this_thread::yield();
    if (count < expected.size()) break;  // one is lost
  }
  worker->send("e");
  process.join();
  EXPECT_EQ(read, expected);
  EXPECT_LT(read.size(), 12000u);
}

}  // namespace
}  // namespace parvis::functions
