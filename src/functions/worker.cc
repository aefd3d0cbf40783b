#include "functions/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "functions/messages.h"

namespace parvis::functions {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
thread_local char read_buffer[kReadBytes];

// Background output of a child process must not hold up an answer for ever.
constexpr int kUnmarkedReadsMax = 16;
constexpr int kMarkedReadsMax = 1 << 16;

constexpr std::string_view kFromWorker = "HREPCOF";

}  // namespace

Worker::Worker(const Strand& strand, Process process, Fd channel, Fd log)
    : channel_(strand, channel.release()), log_(strand, log.release()), pidfd_(strand, process.pidfd.release()), pid_(process.pid), in_(kFromWorker, kFrameBytesMax) {
  fcntl(log_.native_handle(), F_SETFL, O_NONBLOCK);
}

void Worker::watch() {
  wait_channel();
  wait_log();
  wait_end();
}

void Worker::wait_channel() {
  if (paused_ || reading_) return;
  reading_ = true;
  channel_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    self->reading_ = false;
    if (error || self->closed_) return;
    const Got got = self->read_channel();
    if (self->broken_) self->kill();
    else if (got != Got::kClosed && !self->closed_) self->wait_channel();
  });
}

void Worker::resume() {
  paused_ = false;
  if (!closed_) wait_channel();
}

void Worker::wait_log() {
  log_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (error || self->closed_) return;
    bool marked = false;
    if (self->read_log(marked) != Got::kClosed && !self->closed_) self->wait_log();
  });
}

void Worker::wait_end() {
  pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->closed_) self->ended();
  });
}

Worker::Got Worker::read_channel() {
  const auto room = in_.room();
  const ssize_t got = ::recv(channel_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
  if (got == 0) return Got::kClosed;
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Got::kNothing : Got::kClosed;
  in_.commit(static_cast<std::size_t>(got));
  FrameView view;
  FrameDecoder::State state;
  while (!closed_ && (state = in_.next(view)) != FrameDecoder::State::kMore) {
    if (state == FrameDecoder::State::kBroken) {
      broken_ = true;
      break;
    }
    on_frame(view.type, view.flags, view.body);
  }
  return Got::kMore;
}

Worker::Got Worker::read_log(bool& marked) {
  const ssize_t got = ::read(log_.native_handle(), read_buffer, kReadBytes);
  if (got == 0) return Got::kClosed;
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Got::kNothing : Got::kClosed;
  marked = on_log({read_buffer, static_cast<std::size_t>(got)});
  return Got::kMore;
}

void Worker::drain_log(bool marked) {
  bool found = false;
  const int reads_max = marked ? kMarkedReadsMax : kUnmarkedReadsMax;
  for (int reads = 0; reads < reads_max && !found && read_log(found) == Got::kMore; ++reads) {}
}

void Worker::send(std::string bytes) {
  out_ = out_.empty() ? std::move(bytes) : out_ + bytes;
  if (!writing_) flush();
}

void Worker::flush() {
  const ssize_t sent = ::send(channel_.native_handle(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {  // it has ended: the pidfd tells
    out_.clear();
    writing_ = false;
    return;
  }
  if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
  writing_ = !out_.empty();
  if (!writing_) return;
  channel_.async_wait(asio::posix::stream_descriptor::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->closed_) self->flush();
  });
}

void Worker::kill() {
  if (killed_ || closed_) return;
  killed_ = true;
  kill_group(pid_);
}

void Worker::ended() {
  const auto self = shared_from_this();
  kill_group(pid_);  // what it started goes with it; its own id is not free before it is reaped
  while (!broken_ && !closed_ && read_channel() == Got::kMore) {}
  if (closed_) return;
  drain_log(false);
  on_end(broken_);
}

void Worker::close() {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  channel_.close(ignored);
  log_.close(ignored);
  pidfd_.close(ignored);
}

}  // namespace parvis::functions
