#include "functions/zygote.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/hash.h"
#include "functions/descriptor_passing.h"
#include "functions/node_client.h"

namespace parvis::functions {
namespace {

constexpr int kAnswerMillisecondsMax = 5000;

std::string failed(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// Whoever watches the descriptor has made it one that does not block.
std::string receive(int fd, Fd& with) {
  char text[4096];
  pollfd wait{fd, POLLIN, 0};
  while (poll(&wait, 1, kAnswerMillisecondsMax) < 0 && errno == EINTR) {}
  const ssize_t got = receive_with(fd, text, MSG_DONTWAIT, with);
  return {text, got > 0 ? static_cast<std::size_t>(got) : 0};
}
std::string receive(int fd) {
  Fd unwanted;
  return receive(fd, unwanted);
}

// What the kernel says of a worker that claims to have given everything up. Empty: it has.
// Source: proc(5), /proc/pid/status.
std::string verify(pid_t pid, const sandbox::Sandbox& box) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  unsigned seen = 0;
  while (std::getline(status, line)) {
    const auto value = [&] { return std::string_view(line).substr(std::min(line.size(), line.find('\t') + 1)); };
    const bool capability = line.starts_with("CapInh:") || line.starts_with("CapPrm:") || line.starts_with("CapEff:") || line.starts_with("CapBnd:") || line.starts_with("CapAmb:");
    if (capability && box.isolated() && value().find_first_not_of('0') != std::string_view::npos) return line;
    if (capability) ++seen;
    if (line.starts_with("NoNewPrivs:") && ++seen && value() != "1") return line;
    if (line.starts_with("Seccomp:") && ++seen && box.filter() && value() != "2") return line;
    if (line.starts_with("Uid:") && ++seen && box.isolated()) {
      const std::string id = std::to_string(box.outer_id());
      if (value() != fmt::format("{0}\t{0}\t{0}\t{0}", id)) return line;
    }
  }
  return seen == 8 ? "" : "/proc/pid/status cannot be read";
}

}  // namespace

std::expected<std::unique_ptr<Zygote>, std::string> Zygote::start(const Setup& setup) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return std::unexpected(failed("socketpair"));
  std::unique_ptr<Zygote> zygote(new Zygote);
  zygote->control_ = Fd(pair[0]);
  const Fd theirs(pair[1]);
  const Fd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  ProcessSpec spec;
  spec.arguments = {setup.interpreter, "-B", "-u", "-c", "import os\nexec(os.read(3,1<<20))"};  // no path of the host: workers see their command line
  spec.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "en_US.UTF-8"}, {"TZ", ":UTC"}};
  spec.directory = "/";
  spec.output_fd = nothing.get();
  spec.channel_fd = theirs.get();
  auto process = spawn(spec);
  if (!process) return std::unexpected(process.error());
  zygote->process_ = std::move(*process);
  const std::string text(kPythonPrepared);
  const std::string order = boost::json::serialize(boost::json::object{
      {"client", setup.client}, {"clientSeen", setup.client_seen}, {"sdkDir", setup.sdk_dir}, {"sdkSeen", setup.sdk_seen}});
  send_with(zygote->control_.get(), text, {});
  send_with(zygote->control_.get(), order, {});
  return zygote;
}

Zygote::~Zygote() = default;

bool Zygote::became_ready() {
  ready_ = receive(control_.get()) == R"({"ready":true})";
  return ready_;
}

std::expected<pid_t, std::string> Zygote::order(const ProcessSpec& spec) {
  boost::json::object environment;
  for (const auto& [name, value] : spec.environment) environment[name] = value;
  const sandbox::Sandbox* box = spec.sandbox.get();
  std::string filter;
  std::vector<int> descriptors{spec.channel_fd, spec.output_fd, spec.answers_fd};
  if (box && box->filter()) filter = base64_encode({reinterpret_cast<const char*>(box->filter()->data()), box->filter()->size() * sizeof(sock_filter)});
  if (box && box->landlock_fd() >= 0) descriptors.push_back(box->landlock_fd());
  const std::string text = boost::json::serialize(boost::json::object{
      {"flags", box ? box->flags() : 0}, {"namespaces", box && box->isolated()}, {"ownIds", box && box->own_ids()}, {"id", sandbox::kInnerId}, {"parent", getpid()},
      {"watch", box && box->watches_connects()}, {"directory", spec.directory}, {"env", std::move(environment)}, {"filter", filter},
      {"showsOwnProc", box && box->shows_own_proc()},
      {"calls", boost::json::object{{"landlockRule", SYS_landlock_add_rule}, {"clone", SYS_clone}, {"capset", SYS_capset}, {"landlock", SYS_landlock_restrict_self}, {"seccomp", SYS_seccomp}, {"close_range", SYS_close_range}}}});
  if (!send_with(control_.get(), text, descriptors)) return std::unexpected(failed("the prepared interpreter does not listen"));
  boost::system::error_code error;
  const auto answer = boost::json::parse(receive(control_.get()), error);
  if (error || !answer.is_object()) return std::unexpected("the prepared interpreter does not answer");
  if (const auto* why = answer.get_object().if_contains("error")) return std::unexpected("the prepared interpreter cannot fork: " + std::string(why->as_string()));
  return static_cast<pid_t>(answer.at("pid").as_int64());
}

std::expected<Process, std::string> Zygote::fork(const ProcessSpec& spec, int our_channel) {
  const auto pid = order(spec);
  if (!pid) {
    ready_ = false;
    return std::unexpected(pid.error());
  }
  const auto give_up = [&](std::string why) {
    kill_group(*pid);
    reap(*pid, true);
    return std::unexpected(std::move(why));
  };
  Process process{*pid, Fd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)))};  // our own child, not reaped: the number is its
  if (process.pidfd.get() < 0) return give_up(failed("cannot watch a worker process (pidfd_open)"));
  if (spec.sandbox) {
    auto admitted = spec.sandbox->admit(*pid);
    if (admitted && spec.admitted) admitted = spec.admitted(*pid);
    if (!admitted) return give_up(admitted.error());
    if (auto furnished = spec.sandbox->furnish(process.pidfd.get()); !furnished) return give_up("the sandbox cannot be built: " + furnished.error());
  }
  if (spec.sandbox && spec.sandbox->isolated() && ::send(our_channel, "g", 1, MSG_NOSIGNAL) != 1) return give_up(failed("the forked worker has ended"));
  const std::string first = receive(our_channel, process.connects);
  if (first.empty()) return give_up("the forked worker has ended before it was in its cell");
  if (spec.sandbox && spec.sandbox->watches_connects() && process.connects.get() < 0) return give_up("a forked worker has not handed over its connects");
  if (first != "k") return give_up("the forked worker cannot enter its cell: " + first);
  if (spec.sandbox) {
    if (const std::string wrong = verify(*pid, *spec.sandbox); !wrong.empty()) return give_up("a forked worker has not given up what it must: " + wrong);
  }
  return process;
}

}  // namespace parvis::functions
