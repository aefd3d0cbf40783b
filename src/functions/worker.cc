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

Worker::Worker(const Home& home, Process process, Ends ends)
    : home_(home), answers_(home, ends.answers.release()), pidfd_(home, process.pidfd.release()), log_(std::move(ends.log)), pid_(process.pid), in_(kFromWorker, kFrameBytesMax),
      channel_(std::move(ends.channel)), theirs_(std::move(ends.theirs)) {
  fcntl(log_.get(), F_SETFL, O_NONBLOCK);
  answers_.native_non_blocking(true);
  if (theirs_.get() >= 0) ::shutdown(channel_.get(), SHUT_RD);  // nobody reads what a function writes there
}

void Worker::watch() {
  wait_answers();
  wait_end();
}

// A process that had ended with the rest of its answer unread would lose it, so ended() reads on; here an epoch that
// has passed means that the new home waits for the same bytes.
void Worker::wait_answers() {
  if (paused_ || reading_) return;
  reading_ = true;
  answers_.async_wait(Descriptor::wait_read, [self = shared_from_this(), epoch = epoch_.load()](boost::system::error_code error) {
    if (error || epoch != self->epoch_ || self->closed_) return;
    self->reading_ = false;
    const Got got = self->read_answers();
    if (self->broken_) self->kill();
    else if (got != Got::kClosed && !self->closed_ && epoch == self->epoch_) self->wait_answers();
  });
}

void Worker::resume() {
  paused_ = false;
  if (!closed_) wait_answers();
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
    home_ = home;
  }
  answers_ = Descriptor(home, answers_.release());
  pidfd_ = Descriptor(home, pidfd_.release());
  reading_ = false;
  asio::post(home, [self = shared_from_this(), then = std::move(then)]() mutable {
    if (self->closed_) return;
    then();
    if (!self->closed_) self->watch();
  });
}

Worker::Got Worker::read_answers() {
  const auto room = in_.room();
  const ssize_t got = ::read(answers_.native_handle(), room.data(), room.size());
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
  bool found = marked && on_log({});  // an earlier read may have brought it
  const int reads_max = marked ? kMarkedReadsMax : kUnmarkedReadsMax;
  for (int reads = 0; reads < reads_max && !found && read_log(found) == Got::kMore; ++reads) {}
}

void Worker::send(std::string_view head, std::string_view tail) {
  const std::lock_guard lock(send_mutex_);
  if (closed_) return;
  while (out_.empty() && !(head.empty() && tail.empty())) {
    const std::string_view first = head.substr(0, kPacketBytes), second = tail.substr(0, kPacketBytes - first.size());
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = second.empty() ? 1 : 2;
    const ssize_t wrote = ::sendmsg(channel_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN && errno != EINTR) return;  // it has ended: the pidfd tells
    if (wrote < 0) break;
    const std::size_t sent = static_cast<std::size_t>(wrote), of_head = std::min(sent, head.size());
    head.remove_prefix(of_head);
    tail.remove_prefix(sent - of_head);
  }
  if (head.empty() && tail.empty()) return;
  out_ += head;
  out_ += tail;
  if (writing_) return;
  writing_ = true;
  asio::post(home_, [self = shared_from_this()] { self->wait_to_flush(); });
}

void Worker::wait_to_flush() {
  const std::lock_guard lock(send_mutex_);
  if (closed_) return;
  if (!channel_watch_) channel_watch_.emplace(home_, channel_.get());
  channel_watch_->async_wait(Descriptor::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->closed_) self->flush();
  });
}

void Worker::flush() {
  {
    const std::lock_guard lock(send_mutex_);
    ssize_t sent = 0;
    for (; sent >= 0 && out_sent_ < out_.size(); out_sent_ += static_cast<std::size_t>(std::max<ssize_t>(sent, 0)))
      sent = ::send(channel_.get(), out_.data() + out_sent_, std::min(out_.size() - out_sent_, kPacketBytes), MSG_DONTWAIT | MSG_NOSIGNAL);
    const bool has_ended = sent < 0 && errno != EAGAIN && errno != EINTR;
    writing_ = out_sent_ < out_.size() && !has_ended;
    if (!writing_) {
      out_.clear();
      out_sent_ = 0;
      if (channel_watch_) channel_watch_->release();  // keeps the socket open
      channel_watch_.reset();
      if (out_.capacity() > kReadBytes) std::string().swap(out_);
      return;
    }
  }
  wait_to_flush();
}

// The process reads from the same queue at the same time, so what is taken may be a later message than the one that was seen. It is
// never an earlier one: once the first of `messages` has been seen, nothing older is left.
std::vector<bool> Worker::unsend(const std::vector<std::string>& messages) {
  std::vector<bool> taken(messages.size());
  const std::lock_guard lock(send_mutex_);
  if (closed_ || theirs_.get() < 0 || !out_.empty()) return taken;
  char seen[kPacketBytes];
  const auto next = [&](int flags) -> std::size_t {  // its place in `messages`, or their number: none of them
    const ssize_t got = ::recv(theirs_.get(), seen, sizeof seen, MSG_DONTWAIT | flags);
    std::size_t at = 0;
    while (at < messages.size() && (taken[at] || got < 0 || messages[at] != std::string_view(seen, static_cast<std::size_t>(got)))) ++at;
    return at;
  };
  while (next(MSG_PEEK) < messages.size()) {
    if (const std::size_t at = next(0); at < messages.size()) taken[at] = true;
  }
  return taken;
}

void Worker::kill() {
  if (!closed_ && !killed_.exchange(true)) kill_process();
}

void Worker::ended() {
  const auto self = shared_from_this();
  kill_process();  // what it started goes with it; its own id is not free before it is reaped
  paused_ = false;
  while (!broken_ && !closed_ && read_answers() == Got::kMore) {}
  if (closed_) return;
  drain_log(false);
  on_end(broken_);
}

void Worker::close() {
  const std::lock_guard lock(send_mutex_);
  if (closed_.exchange(true)) return;
  boost::system::error_code ignored;
  if (channel_watch_) channel_watch_->release();
  channel_watch_.reset();
  channel_.reset();
  theirs_.reset();
  answers_.close(ignored);
  pidfd_.close(ignored);
  if (log_watch_) log_watch_->release();
  log_watch_.reset();
  log_.reset();
}

}  // namespace parvis::functions
