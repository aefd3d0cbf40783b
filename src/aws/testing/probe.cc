// The interpreters on a pipe, for tests/conformance/protocols: stock botocore makes the requests and reads the answers.
// One JSON object a line in: {"method","target","headers":{…},"body":base64,"output":{…}}; out: {"service","operation",
// "input":{…} as decoded, "ignored":[…], "status","headers":{…},"body":base64} or {"error"}. The registry holds every
// operation of the linked models with a handler that answers with "output".
#include <deque>
#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "aws/json_codec.h"
#include "aws/pipeline.h"
#include "core/hash.h"

#include "probe_models.inc"

namespace json = boost::json;
using namespace parvis;

namespace {

struct Exchange {
  json::value output;   // what the handler answers with
  std::string service, operation, input;
} exchange;

awaitable<std::shared_ptr<void>> answer(const aws::OperationModel& op, std::shared_ptr<void> input) {
  exchange.service = op.service;
  exchange.operation = op.name;
  exchange.input.clear();
  aws::encode_json(*op.input, input.get(), exchange.input, aws::JsonNames::kModelled);
  std::shared_ptr<void> output = op.make_output();
  std::vector<std::string> ignored;
  aws::decode_json(*op.output, exchange.output, output.get(), ignored, aws::JsonNames::kModelled);
  if (!ignored.empty()) throw std::runtime_error("the test's output has unknown members: " + ignored[0]);
  co_return output;
}

awaitable<> serve(aws::Pipeline& pipeline, http::Request request, json::object& reply) {
  http::Response response = co_await pipeline.handle(std::move(request));
  reply["status"] = response.status;
  json::object headers;
  for (const auto& [name, value] : response.headers) headers[std::string(name)] = std::string(value);
  reply["headers"] = headers;
  reply["body"] = base64_encode(response.body);
}

}  // namespace

int main() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("probe"));  // stdout carries the answers
  aws::Registry registry;
  // Without the manifests' rules: a member that is refused here must still be read as it was sent.
  std::deque<aws::OperationModel> bare;
  for (const auto& models : probe_models()) {
    for (const aws::OperationModel* op : models) {
      aws::OperationModel& copy = bare.emplace_back(*op);
      copy.rules = {};
      registry.bind_erased(copy, [op](aws::CallContext, std::shared_ptr<void> input) { return answer(*op, std::move(input)); });
    }
  }
  Clock clock;
  Entropy entropy;
  std::vector<std::string> ignored;
  aws::Pipeline pipeline(registry, clock, entropy, {.observe = [&](const aws::CallRecord& r) { ignored = r.ignored; }});
  for (std::string line; std::getline(std::cin, line);) {
    json::object in = json::parse(line).as_object();
    http::Request request;
    request.method = std::string(in["method"].as_string());
    request.target = std::string(in["target"].as_string());
    for (const auto& [name, value] : in["headers"].as_object()) request.headers.add(std::string(name), std::string(value.as_string()));
    request.body = base64_decode(std::string(in["body"].as_string())).value();
    exchange = {.output = in["output"], .service = {}, .operation = {}, .input = "null"};
    json::object reply;
    asio::io_context context;
    asio::co_spawn(context, serve(pipeline, std::move(request), reply), [](std::exception_ptr e) { if (e) std::rethrow_exception(e); });
    context.run();
    reply["service"] = exchange.service;
    reply["operation"] = exchange.operation;
    reply["input"] = json::parse(exchange.input, {}, {.max_depth = 300});
    reply["ignored"] = json::value_from(ignored);
    std::cout << json::serialize(reply) << std::endl;
  }
}
