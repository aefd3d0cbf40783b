#include "cli/remote.h"

#include <cstdlib>
#include <fstream>

#include <boost/asio/co_spawn.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <fmt/format.h>

#include "core/clock.h"

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

// One profile of a shared credentials file; nullopt when the file or the profile is not there.
std::optional<aws::SigningKeys> keys_of_file(const fs::path& file, const std::string& profile) {
  std::ifstream in(file);
  aws::SigningKeys keys;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    line = trimmed(line);
    if (line.starts_with('[')) inside = line == "[" + profile + "]";
    const auto equals = line.find('=');
    if (!inside || equals == std::string::npos) continue;
    const std::string name = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") keys.access_key_id = value;
    if (name == "aws_secret_access_key") keys.secret_access_key = value;
    if (name == "aws_session_token") keys.session_token = value;
  }
  return keys.access_key_id.empty() || keys.secret_access_key.empty() ? std::nullopt : std::optional(keys);
}

aws::SigningKeys find_keys(const fs::path& data_dir) {
  if (const std::string id = variable("AWS_ACCESS_KEY_ID"); !id.empty()) return {id, variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN")};
  if (!data_dir.empty())
    if (auto keys = keys_of_file(data_dir / "credentials", "default")) return *keys;
  const std::string given = variable("AWS_SHARED_CREDENTIALS_FILE"), profile = variable("AWS_PROFILE");
  const fs::path file = given.empty() ? fs::path(variable("HOME")) / ".aws/credentials" : fs::path(given);
  if (auto keys = keys_of_file(file, profile.empty() ? "default" : profile)) return *keys;
  return {"000000000000", "parvis", ""};
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts)
    if (!text.empty()) return text;
  return {};
}

}  // namespace

const aws::XmlNode* find(const aws::XmlNode& node, std::string_view path) {
  const aws::XmlNode* at = &node;
  while (at && !path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    const auto child = std::ranges::find(at->children, name, &aws::XmlNode::name);
    at = child == at->children.end() ? nullptr : &*child;
  }
  return at;
}

std::string text_of(const aws::XmlNode& node, std::string_view path) {
  const aws::XmlNode* found = find(node, path);
  return found ? found->text : "";
}

http::Request make_request(std::string method, std::string target, std::string body) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  return request;
}

void throw_answer(const http::Response& response) {
  std::string code, message;
  boost::system::error_code wrong;
  if (const boost::json::value value = boost::json::parse(response.body, wrong); !wrong && value.is_object()) {
    for (const char* name : {"message", "Message"})
      if (const auto* text = value.get_object().if_contains(name); text && text->is_string()) message = text->get_string();
    for (const char* name : {"__type", "code", "Code"})
      if (const auto* text = value.get_object().if_contains(name); text && text->is_string()) code = text->get_string();
    if (const auto header = response.headers.find("x-amzn-ErrorType")) code = std::string(*header);
  } else if (const auto xml = aws::parse_xml(response.body)) {
    const aws::XmlNode* error = find(*xml, "Error");
    code = text_of(error ? *error : *xml, "Code");
    message = text_of(error ? *error : *xml, "Message");
  }
  if (const auto hash = code.rfind('#'); hash != std::string::npos) code = code.substr(hash + 1);
  code = code.substr(0, code.find(':'));
  std::string said = code.empty() ? fmt::format("HTTP {}", response.status) : code;
  if (!message.empty()) said += ": " + message;
  if (response.status == 403 || code == "UnrecognizedClientException" || code == "InvalidClientTokenId" || code == "MissingAuthenticationToken")
    said += "\n  `parvis serve` needs its credentials: --data-dir D on its machine, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
  throw RemoteError(code.empty() ? fmt::format("{}", response.status) : code, said);
}

Remote::Remote(RemoteOptions options) : options_(std::move(options)), keys_(find_keys(options_.data_dir)) {
  options_.endpoint_url = first_of({options_.endpoint_url, variable("AWS_ENDPOINT_URL"), "http://127.0.0.1:4566"});
  while (options_.endpoint_url.ends_with('/')) options_.endpoint_url.pop_back();
  options_.region = first_of({options_.region, variable("AWS_REGION"), variable("AWS_DEFAULT_REGION"), "us-east-1"});
  const auto url = boost::urls::parse_uri(options_.endpoint_url);
  if (!url || url->host().empty()) throw RemoteError("", fmt::format("--endpoint-url {}: write it as http://127.0.0.1:4566", options_.endpoint_url));
  if (url->scheme() != "http")
    throw RemoteError("", fmt::format("--endpoint-url {}: this command talks plain http:// to a Parvis platform; use the AWS CLI or SAM CLI for AWS itself", options_.endpoint_url));
}

void Remote::prepare(const std::string& service, http::Request& request) {
  request.host = options_.endpoint_url.substr(std::string_view("http://").size());
  aws::sign_request(request, keys_, options_.region, service, Clock{}.wall());
}

http::Response Remote::send(const std::string& service, http::Request request, std::chrono::milliseconds timeout) {
  prepare(service, request);
  std::optional<http::Response> response;
  std::exception_ptr failed;
  context_.restart();
  asio::co_spawn(context_, client_.send(options_.endpoint_url, std::move(request), timeout), [&](std::exception_ptr error, http::Response answer) {
    failed = error;
    response = std::move(answer);
  });
  context_.run();
  try {
    if (failed) std::rethrow_exception(failed);
  } catch (const http::ClientError& error) {
    const bool nobody = error.kind() == http::ClientError::Kind::kConnect;
    throw RemoteError("", nobody ? fmt::format("nobody answers at {}: start `parvis dev` or `parvis serve`, or name another with --endpoint-url", options_.endpoint_url)
                                 : fmt::format("{}: {}", options_.endpoint_url, error.what()));
  }
  return std::move(*response);
}

void Remote::download(const std::string& service, http::Request request, std::function<void(std::string_view)> take) {
  prepare(service, request);
  http::Response response;
  std::exception_ptr failed;
  context_.restart();
  asio::co_spawn(context_, client_.download(options_.endpoint_url, std::move(request), std::chrono::seconds(60), std::move(take)),
                 [&](std::exception_ptr error, http::Response answer) {
                   failed = error;
                   response = std::move(answer);
                 });
  context_.run();
  try {
    if (failed) std::rethrow_exception(failed);
  } catch (const http::ClientError& error) {
    throw RemoteError("", fmt::format("{}: {}", options_.endpoint_url, error.what()));
  }
  if (response.status != 200) throw_answer(response);
}

boost::json::value Remote::json(const std::string& service, const std::string& target, boost::json::object input) {
  http::Request request = make_request("POST", "/", boost::json::serialize(input));
  request.headers.add("Content-Type", "application/x-amz-json-1.1");
  request.headers.add("X-Amz-Target", target);
  const http::Response response = send(service, std::move(request));
  if (response.status != 200) throw_answer(response);
  return boost::json::parse(response.body);
}

aws::XmlNode Remote::query(const std::string& service, const std::string& version, const std::string& action, const Form& parameters) {
  std::string body = "Action=" + action + "&Version=" + version;
  for (const auto& [name, value] : parameters) body += "&" + http::percent_encode(name) + "=" + http::percent_encode(value);
  http::Request request = make_request("POST", "/", std::move(body));
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  const http::Response response = send(service, std::move(request));
  if (response.status != 200) throw_answer(response);
  auto xml = aws::parse_xml(response.body);
  if (!xml) throw RemoteError("", fmt::format("{}: the answer of {} is not XML: {}", options_.endpoint_url, action, xml.error()));
  const aws::XmlNode* result = find(*xml, action + "Result");
  return result ? *result : std::move(*xml);
}

boost::json::value Remote::parvis(const std::string& method, const std::string& target) {
  const http::Response response = send("parvis", make_request(method, target));
  if (response.status != 200) throw_answer(response);
  return boost::json::parse(response.body);
}

}  // namespace parvis::cli
