// functions/worker.h: one worker process and the pipes to it. All members run on the engine's strand.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/strand.hpp>

#include "core/async.h"
#include "functions/frame_decoder.h"
#include "functions/process.h"

namespace parvis::functions {

using Strand = asio::strand<asio::io_context::executor_type>;

// Subclass for what the events mean. on_end comes exactly once, after every frame and all output that the process left.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  virtual ~Worker() = default;
  // Takes both ends of ours; `process` is running. Call watch() once right after.
  Worker(const Strand& strand, Process process, Fd channel, Fd log);
  void watch();
  pid_t pid() const { return pid_; }
  void send(std::string bytes);
  void pause() { paused_ = true; }  // read no further messages, so that the process waits
  void resume();
  void kill();  // SIGKILL to the whole group; on_end follows
  void close();  // no further events
  // Reads what the process has printed so far. With `marked`, until on_log says that the mark was there.
  void drain_log(bool marked);

 protected:
  virtual void on_frame(char type, unsigned flags, std::string_view body) = 0;
  virtual bool on_log(std::string_view bytes) = 0;  // true: the end-of-call mark was in it
  virtual void on_end(bool broken_protocol) = 0;    // the process has ended and is not reaped yet

 private:
  enum class Got { kMore, kNothing, kClosed };
  void wait_channel();
  void wait_log();
  void wait_end();
  Got read_channel();
  Got read_log(bool& marked);
  void flush();
  void ended();

  asio::posix::stream_descriptor channel_, log_, pidfd_;
  pid_t pid_;
  FrameDecoder in_;
  std::string out_;
  bool paused_ = false, reading_ = false, writing_ = false, killed_ = false, broken_ = false, closed_ = false;
};

}  // namespace parvis::functions
