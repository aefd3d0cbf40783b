#include "functions/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include <boost/asio/post.hpp>

#include "functions/messages.h"

namespace parvis::functions {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
thread_local char log_buffer[kReadBytes];

// Background output of a child process must not hold up an answer for ever.
constexpr int kUnmarkedReadsMax = 16;
constexpr int kMarkedReadsMax = 1 << 16;

constexpr std::string_view kFromWorker = "HREPCOFDN";

}  // namespace

Worker::Worker(const Home& home, Process process, Fd channel, Fd log)
    : home_(home), channel_(home, channel.get()), pidfd_(home, process.pidfd.release()), log_(std::move(log)), pid_(process.pid), in_(kFromWorker, kFrameBytesMax),
      channel_fd_(channel.release()) {
  fcntl(log_.get(), F_SETFL, O_NONBLOCK);
}

void Worker::watch() {
  wait_channel();
  wait_end();
}

// A process that had ended with the rest of its answer unread would lose it, so ended() reads on; here an epoch that
// has passed means that the new home waits for the same bytes.
void Worker::wait_channel() {
  if (paused_ || reading_) return;
  reading_ = true;
  channel_.async_wait(Descriptor::wait_read, [self = shared_from_this(), epoch = epoch_.load()](boost::system::error_code error) {
    if (error || epoch != self->epoch_ || self->closed_) return;
    self->reading_ = false;
    const Got got = self->read_channel();
    if (self->broken_) self->kill();
    else if (got != Got::kClosed && !self->closed_ && epoch == self->epoch_) self->wait_channel();
  });
}

void Worker::resume() {
  paused_ = false;
  if (!closed_) wait_channel();
}

void Worker::wait_log() {
  log_watch_->async_wait(Descriptor::wait_read, [self = shared_from_this(), epoch = epoch_.load()](boost::system::error_code error) {
    if (error || epoch != self->epoch_ || self->closed_ || !self->log_watch_) return;
    bool marked = false;
    if (self->read_log(marked) != Got::kClosed && !self->closed_ && self->log_watch_) self->wait_log();
  });
}

void Worker::watch_log() {
  if (closed_ || log_watch_ || log_closed_) return;
  log_watch_.emplace(home_, log_.get());
  wait_log();
}

void Worker::unwatch_log() {
  if (!log_watch_) return;
  log_watch_->release();  // keeps the pipe open
  log_watch_.reset();
}

void Worker::wait_end() {
  pidfd_.async_wait(Descriptor::wait_read, [self = shared_from_this(), epoch = epoch_.load()](boost::system::error_code error) {
    if (!error && epoch == self->epoch_ && !self->closed_) self->ended();
  });
}

void Worker::move_to(const Home& home, std::move_only_function<void()> then) {
  unwatch_log();
  ++epoch_;
  {
    const std::lock_guard lock(send_mutex_);
    channel_.release();
    channel_ = Descriptor(home, channel_fd_);
    home_ = home;
  }
  pidfd_ = Descriptor(home, pidfd_.release());
  reading_ = false;
  asio::post(home, [self = shared_from_this(), then = std::move(then)]() mutable {
    if (self->closed_) return;
    then();
    if (!self->closed_) self->watch();
  });
}

Worker::Got Worker::read_channel() {
  const auto room = in_.room();
  const ssize_t got = ::recv(channel_fd_, room.data(), room.size(), MSG_DONTWAIT);
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
  if (log_closed_) return Got::kClosed;
  const ssize_t got = ::read(log_.get(), log_buffer, kReadBytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Got::kNothing;
  if (got <= 0) {
    log_closed_ = true;
    return Got::kClosed;
  }
  marked = on_log({log_buffer, static_cast<std::size_t>(got)});
  return Got::kMore;
}

void Worker::drain_log(bool marked) {
  bool found = false;
  const int reads_max = marked ? kMarkedReadsMax : kUnmarkedReadsMax;
  for (int reads = 0; reads < reads_max && !found && read_log(found) == Got::kMore; ++reads) {}
}

void Worker::send(std::string_view head, std::string_view tail) {
  const std::lock_guard lock(send_mutex_);
  if (closed_) return;
  std::size_t sent = 0;
  if (out_.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(tail.data()), tail.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = tail.empty() ? 1 : 2;
    const ssize_t wrote = ::sendmsg(channel_fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN && errno != EINTR) return;  // it has ended: the pidfd tells
    sent = wrote < 0 ? 0 : static_cast<std::size_t>(wrote);
    if (sent == head.size() + tail.size()) return;
  }
  out_ += head.substr(std::min(sent, head.size()));
  out_ += tail.substr(sent > head.size() ? sent - head.size() : 0);
  if (writing_) return;
  writing_ = true;
  asio::post(home_, [self = shared_from_this()] { self->wait_to_flush(); });
}

void Worker::wait_to_flush() {
  if (closed_) return;
  channel_.async_wait(Descriptor::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->closed_) self->flush();
  });
}

void Worker::flush() {
  {
    const std::lock_guard lock(send_mutex_);
    const ssize_t sent = ::send(channel_fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) out_.clear();
    if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
    writing_ = !out_.empty();
    if (!writing_) {
      if (out_.capacity() > kReadBytes) std::string().swap(out_);
      return;
    }
  }
  wait_to_flush();
}

void Worker::kill() {
  if (!closed_ && !killed_.exchange(true)) kill_process();
}

void Worker::ended() {
  const auto self = shared_from_this();
  kill_process();  // what it started goes with it; its own id is not free before it is reaped
  paused_ = false;
  while (!broken_ && !closed_ && read_channel() == Got::kMore) {}
  if (closed_) return;
  drain_log(false);
  on_end(broken_);
}

void Worker::close() {
  const std::lock_guard lock(send_mutex_);
  if (closed_.exchange(true)) return;
  boost::system::error_code ignored;
  channel_.close(ignored);
  pidfd_.close(ignored);
  if (log_watch_) log_watch_->release();
  log_watch_.reset();
  log_.reset();
}

}  // namespace parvis::functions
