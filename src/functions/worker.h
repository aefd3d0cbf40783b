// functions/worker.h: one worker process and the pipes to it.
//
// Every worker has a home: the executor of an io_context that one thread runs. Its events arrive there, and all members run
// there, except where one says otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "core/async.h"
#include "functions/frame_decoder.h"
#include "functions/process.h"

namespace parvis::functions {

using Home = asio::io_context::executor_type;

// Subclass for what the events mean. on_end comes exactly once, after every frame and all output that the process left.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  virtual ~Worker() = default;
  static constexpr std::size_t kPacketBytes = 16u << 10;  // what is sent in one piece; clients read with more room
  struct Ends {
    Fd channel;  // a socket to it: of packets, if it is to unsend()
    Fd theirs;   // the other end of that, or none
    Fd answers;  // what comes from it, another descriptor
    Fd log;
  };
  // `process` is running. Call watch() once right after, from any thread.
  Worker(const Home& home, Process process, Ends ends);
  void watch();
  pid_t pid() const { return pid_; }
  int pidfd() { return pidfd_.native_handle(); }  // before watch(), or at home
  const Home& home() const { return home_; }
  // Any thread. Writes the two parts in a row; what does not fit now is sent from home.
  void send(std::string_view head, std::string_view tail = {});
  void kill();  // any thread: SIGKILL to the whole group; on_end follows
  // Takes those of the messages back that the process has not read; they were the last ones sent, whole, in this order. None is
  // taken back while the one before them has not been read.
  std::vector<bool> unsend(const std::vector<std::string>& messages);
  void pause() { paused_ = true; }  // read no further messages, so that the process waits
  void resume();
  void close();  // no further events
  // Further events arrive at `home`, where `then` is called first. The process must not have a call open.
  void move_to(const Home& home, std::move_only_function<void()> then);
  // Reads what the process has printed so far. With `marked`, until on_log says that the mark was there.
  void drain_log(bool marked);
  // From now on output is read as it comes; until unwatch_log() only drain_log reads. Costs a wake-up per print.
  void watch_log();
  void unwatch_log();

 protected:
  virtual void on_frame(char type, unsigned flags, std::string_view body) = 0;
  virtual bool on_log(std::string_view bytes) = 0;  // true: the end-of-call mark was in it
  virtual void on_end(bool broken_protocol) = 0;    // the process has ended and is not reaped yet
  virtual void kill_process() = 0;                  // any thread: the whole group, unless it has been reaped

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Home>;
  enum class Got { kMore, kNothing, kClosed };
  void wait_answers();
  void wait_log();
  void wait_end();
  Got read_answers();
  Got read_log(bool& marked);
  void flush();
  void wait_to_flush();
  void ended();

  Home home_;
  Descriptor answers_, pidfd_;
  Fd log_;
  std::optional<Descriptor> log_watch_;  // holds log_'s number while output is watched
  pid_t pid_;
  FrameDecoder in_;
  bool paused_ = false, reading_ = false, broken_ = false, log_closed_ = false;
  std::atomic<unsigned> epoch_{0};  // counts moves: events of an earlier home that are still on their way are dropped
  std::atomic<bool> killed_{false}, closed_{false};

  std::mutex send_mutex_;  // guards what follows
  Fd channel_, theirs_;
  std::optional<Descriptor> channel_watch_;  // holds channel_'s number while a message waits for room in it
  std::string out_;
  std::size_t out_sent_ = 0;  // of out_
  bool writing_ = false;
};

}  // namespace parvis::functions
