#include "cli/functions.h"

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/signals.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/time_format.h"

namespace parvis::cli {
namespace {
namespace json = boost::json;

constexpr std::int64_t kSinceDefaultMs = 600'000;
constexpr std::size_t kSeenMax = 100'000;
constexpr std::string_view kFunctionGroups = "/aws/lambda/";

int fail(std::string_view message) {
  std::fprintf(stderr, "parvis: %.*s\n", static_cast<int>(message.size()), message.data());
  return 1;
}

std::string member(const json::value& object, std::string_view name) {
  const auto* value = object.is_object() ? object.get_object().if_contains(name) : nullptr;
  return value && value->is_string() ? std::string(value->get_string()) : "";
}

// The physical names of every resource with this logical id, by stack.
std::map<std::string, std::string> resources_of(Remote& remote, const std::string& logical_id, const std::string& stack) {
  std::vector<std::string> stacks{stack};
  if (stack.empty()) {
    stacks.clear();
    const aws::XmlNode all = remote.query("cloudformation", "2010-05-15", "DescribeStacks", {});
    if (const aws::XmlNode* list = find(all, "Stacks"))
      for (const aws::XmlNode& one : list->children) stacks.push_back(text_of(one, "StackName"));
  }
  std::map<std::string, std::string> found;
  for (const std::string& name : stacks) {
    try {
      const aws::XmlNode detail = remote.query("cloudformation", "2010-05-15", "DescribeStackResource", {{"StackName", name}, {"LogicalResourceId", logical_id}});
      found[name] = text_of(detail, "StackResourceDetail/PhysicalResourceId");
    } catch (const RemoteError& error) {
      if (error.code() != "ValidationError") throw;
    }
  }
  return found;
}

// Throws RemoteError: there is none, or there are several.
std::string physical_name(Remote& remote, const std::string& logical_id, const std::string& stack) {
  const auto found = resources_of(remote, logical_id, stack);
  if (found.size() == 1) return found.begin()->second;
  if (found.empty())
    throw RemoteError("NotFound", fmt::format("there is no function {} at {} in {}, and no stack{} has a resource of that logical id", logical_id,
                                              remote.endpoint(), remote.region(), stack.empty() ? "" : " " + stack));
  std::string names;
  for (const auto& [name, physical] : found) names += fmt::format("\n  --stack-name {}  {}", name, physical);
  throw RemoteError("Ambiguous", fmt::format("several stacks have {}; choose one:{}", logical_id, names));
}

http::Response invoke_once(Remote& remote, const InvokeArguments& arguments, const std::string& name, const std::string& payload) {
  http::Request request = make_request("POST", "/2015-03-31/functions/" + http::percent_encode(name) + "/invocations", payload);
  request.headers.add("Content-Type", "application/json");
  request.headers.add("X-Amz-Invocation-Type", arguments.async ? "Event" : "RequestResponse");
  if (arguments.log) request.headers.add("X-Amz-Log-Type", "Tail");
  return remote.send("lambda", std::move(request), std::chrono::minutes(16));  // the longest timeout of a function, and a little
}

class LogReader {
 public:
  LogReader(Remote& remote, const LogsArguments& arguments, std::int64_t since) : remote_(remote), arguments_(arguments), since_(since) {}

  void run() {
    const bool all = arguments_.source.empty();
    std::vector<std::string> groups = all ? function_groups() : std::vector{group_of(arguments_.source)};
    for (;;) {
      for (const std::string& group : groups) read(group, all);
      std::fflush(stdout);
      if (!arguments_.follow) return;
      for (int i = 0; i < 10 && !stop_requested(); ++i) ::usleep(100'000);
      if (stop_requested()) return;
      if (all) groups = function_groups();
    }
  }

 private:
  std::vector<std::string> function_groups() {
    std::vector<std::string> groups;
    json::object input{{"logGroupNamePrefix", kFunctionGroups}};
    for (;;) {
      const json::value page = remote_.json("logs", "Logs_20140328.DescribeLogGroups", input);
      for (const auto& group : page.at("logGroups").as_array()) groups.push_back(member(group, "logGroupName"));
      if (member(page, "nextToken").empty()) return groups;
      input["nextToken"] = member(page, "nextToken");
    }
  }

  // A function that has not run has no group yet: with -f its first lines are waited for.
  std::string group_of(const std::string& source) {
    if (source.starts_with('/')) return source;
    const http::Response known = remote_.send("lambda", make_request("GET", "/2015-03-31/functions/" + http::percent_encode(source) + "/configuration"));
    std::string name = known.status == 200 ? source : "";
    if (known.status == 404 || known.status == 400) name = physical_name(remote_, source, arguments_.stack);
    if (name.empty()) throw_answer(known);
    const http::Response now = remote_.send("lambda", make_request("GET", "/2015-03-31/functions/" + http::percent_encode(name) + "/configuration"));
    boost::system::error_code wrong;
    const json::value configuration = json::parse(now.body, wrong);
    if (!wrong && configuration.is_object() && configuration.get_object().contains("LoggingConfig"))
      if (const std::string group = member(configuration.at("LoggingConfig"), "LogGroup"); !group.empty()) return group;
    return std::string(kFunctionGroups) + name;
  }

  void read(const std::string& group, bool name_it) {
    std::int64_t& from = from_.try_emplace(group, since_).first->second;
    std::set<std::string>& seen = seen_[group];
    if (seen.size() > kSeenMax) seen.clear();
    json::object input{{"logGroupName", group}, {"startTime", from}};
    if (!arguments_.filter.empty()) input["filterPattern"] = pattern();
    for (;;) {
      json::value page;
      try {
        page = remote_.json("logs", "Logs_20140328.FilterLogEvents", input);
      } catch (const RemoteError& error) {
        if (error.code() == "ResourceNotFoundException" && arguments_.follow) return;  // not yet
        throw;
      }
      for (const auto& event : page.at("events").as_array()) {
        if (!seen.insert(member(event, "eventId")).second) continue;
        const std::int64_t at = event.at("timestamp").to_number<std::int64_t>();
        // What arrives a little late is still seen: a worker's lines are stored each second.
        from = std::max(from, at - 5000);
        print(at, name_it ? group : "", member(event, "message"));
      }
      if (member(page, "nextToken").empty()) return;
      input["nextToken"] = member(page, "nextToken");
    }
  }

  // Several words are a phrase.
  std::string pattern() const {
    const std::string& text = arguments_.filter;
    const bool plain = text.find_first_of(" {}[]?\"%-*") == std::string::npos;
    return plain || text.starts_with('"') ? text : "\"" + text + "\"";
  }

  static void print(std::int64_t at, std::string group, std::string message) {
    while (message.ends_with('\n')) message.pop_back();
    for (char& letter : message)
      if (letter == '\r') letter = '\n';
      else if ((letter > 0 && letter < ' ' && letter != '\n' && letter != '\t') || letter == 0x7f) letter = '?';  // foreign text must not drive the terminal
    if (group.starts_with(kFunctionGroups)) group = group.substr(kFunctionGroups.size());
    std::fputs(fmt::format("{} {}{}\n", format_iso8601(Millis{std::chrono::milliseconds{at}}), group.empty() ? "" : group + " ", message).c_str(), stdout);
  }

  Remote& remote_;
  const LogsArguments& arguments_;
  const std::int64_t since_;
  std::map<std::string, std::int64_t> from_;
  std::map<std::string, std::set<std::string>> seen_;
};

}  // namespace

std::optional<std::int64_t> parse_span(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc{} || number < 0 || number > 1'000'000 || end + 1 != text.data() + text.size()) return std::nullopt;
  switch (*end) {
    case 's': return number * 1000;
    case 'm': return number * 60'000;
    case 'h': return number * 3'600'000;
    case 'd': return number * 86'400'000;
    default: return std::nullopt;
  }
}

int run_invoke(const InvokeArguments& arguments) {
  std::string payload = "{}";
  if (arguments.event_file == "-") {
    payload.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (!arguments.event_file.empty()) {
    std::ifstream in(arguments.event_file, std::ios::binary);
    payload.assign(std::istreambuf_iterator<char>(in), {});
    if (!in.is_open()) return fail(arguments.event_file + ": cannot be read"), 2;
  }
  try {
    Remote remote(arguments.remote);
    http::Response response = invoke_once(remote, arguments, arguments.function, payload);
    if (response.status == 404) response = invoke_once(remote, arguments, physical_name(remote, arguments.function, arguments.stack), payload);
    if (response.status >= 300) throw_answer(response);
    if (const auto log = response.headers.find("X-Amz-Log-Result")) {
      const std::string text = base64_decode(*log).value_or("");
      std::fwrite(text.data(), 1, text.size(), stderr);
    }
    if (arguments.async) {
      std::fprintf(stderr, "accepted, request %s\n", std::string(response.headers.get("x-amzn-RequestId")).c_str());
      return 0;
    }
    std::fwrite(response.body.data(), 1, response.body.size(), stdout);
    std::fputs("\n", stdout);
    const auto error = response.headers.find("X-Amz-Function-Error");
    if (error) std::fprintf(stderr, "parvis: the function failed (%s)\n", std::string(*error).c_str());
    return error ? 1 : 0;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

int run_logs(const LogsArguments& arguments) {
  const auto span = arguments.since.empty() ? std::optional(kSinceDefaultMs) : parse_span(arguments.since);
  if (!span) return fail(fmt::format("--since {}: write a number and s, m, h or d, as in 5m", arguments.since)), 2;
  catch_signals();
  try {
    Remote remote(arguments.remote);
    LogReader(remote, arguments, Clock{}.wall().time_since_epoch().count() - *span).run();
    return 0;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace parvis::cli
