// cli/remote.h: a running platform as the thin commands see it: signed calls over HTTP, as any AWS client makes them.
//
// Endpoint: --endpoint-url, AWS_ENDPOINT_URL, else http://127.0.0.1:4566. Region: --region, AWS_REGION, AWS_DEFAULT_REGION, else us-east-1.
// Credentials: AWS_ACCESS_KEY_ID and its companions; <data-dir>/credentials with --data-dir; the profile of AWS_SHARED_CREDENTIALS_FILE or
// ~/.aws/credentials; else the default account, which `parvis dev` accepts.
#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "aws/sign.h"
#include "aws/xml.h"
#include "http/client.h"

namespace parvis::cli {

struct RemoteOptions {
  std::string endpoint_url, region;
  std::filesystem::path data_dir;
};

// What a call came to when it was no success; what() is a sentence for the user.
class RemoteError : public std::runtime_error {
 public:
  RemoteError(std::string code, const std::string& what) : std::runtime_error(what), code_(std::move(code)) {}
  const std::string& code() const { return code_; }  // AWS's error code; empty when there was no answer

 private:
  std::string code_;
};

using Form = std::vector<std::pair<std::string, std::string>>;

class Remote {  // one thread
 public:
  explicit Remote(RemoteOptions options);
  const std::string& endpoint() const { return options_.endpoint_url; }
  const std::string& region() const { return options_.region; }

  // Signed for `service`; any status. Throws RemoteError when nobody answers.
  http::Response send(const std::string& service, http::Request request, std::chrono::milliseconds timeout = std::chrono::seconds(60));
  // The pieces of a 200 go to `take`; other answers are RemoteErrors.
  void download(const std::string& service, http::Request request, std::function<void(std::string_view)> take);
  // Errors of the service are RemoteErrors.
  boost::json::value json(const std::string& service, const std::string& target, boost::json::object input);
  aws::XmlNode query(const std::string& service, const std::string& version, const std::string& action, const Form& parameters);
  boost::json::value parvis(const std::string& method, const std::string& target);  // below /_parvis/

 private:
  RemoteOptions options_;
  aws::SigningKeys keys_;
  boost::asio::io_context context_;
  http::Client client_;
  void prepare(const std::string& service, http::Request& request);
};

http::Request make_request(std::string method, std::string target, std::string body = {});
// The first child of that name at each step: find(node, "DescribeStacksResult/Stacks"). nullptr: there is none.
const aws::XmlNode* find(const aws::XmlNode& node, std::string_view path);
std::string text_of(const aws::XmlNode& node, std::string_view path);
[[noreturn]] void throw_answer(const http::Response& response);  // the error of any of AWS's protocols

}  // namespace parvis::cli
