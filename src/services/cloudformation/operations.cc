#include "services/cloudformation/operations.h"

#include <expected>

#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <spdlog/spdlog.h>

#include "services/cloudformation/request.h"
#include "templates/includes.h"

namespace parvis::cloudformation {

CloudFormationService::CloudFormationService(Dependencies dependencies) : with_(std::move(dependencies)), change_sets_({with_.store, with_.entropy, with_.key}) {}

void CloudFormationService::bind(aws::Registry& registry) {
  const auto to = [this](auto member) { return [this, member](aws::CallContext call, auto in) { return (this->*member)(std::move(call), std::move(in)); }; };
  registry.bind<model::CreateStack>(to(&CloudFormationService::create_stack));
  registry.bind<model::UpdateStack>(to(&CloudFormationService::update_stack));
  registry.bind<model::DeleteStack>(to(&CloudFormationService::delete_stack));
  registry.bind<model::UpdateTerminationProtection>(to(&CloudFormationService::update_termination_protection));
  registry.bind<model::DescribeStacks>(to(&CloudFormationService::describe_stacks));
  registry.bind<model::ListStacks>(to(&CloudFormationService::list_stacks));
  registry.bind<model::DescribeStackEvents>(to(&CloudFormationService::describe_stack_events));
  registry.bind<model::DescribeStackResource>(to(&CloudFormationService::describe_stack_resource));
  registry.bind<model::DescribeStackResources>(to(&CloudFormationService::describe_stack_resources));
  registry.bind<model::ListStackResources>(to(&CloudFormationService::list_stack_resources));
  registry.bind<model::ListExports>(to(&CloudFormationService::list_exports));
  registry.bind<model::ListImports>(to(&CloudFormationService::list_imports));
  registry.bind<model::GetTemplate>(to(&CloudFormationService::get_template));
  registry.bind<model::GetTemplateSummary>(to(&CloudFormationService::get_template_summary));
  registry.bind<model::ValidateTemplate>(to(&CloudFormationService::validate_template));
  registry.bind<model::CreateChangeSet>(to(&CloudFormationService::create_change_set));
  registry.bind<model::DescribeChangeSet>(to(&CloudFormationService::describe_change_set));
  registry.bind<model::ExecuteChangeSet>(to(&CloudFormationService::execute_change_set));
  registry.bind<model::DeleteChangeSet>(to(&CloudFormationService::delete_change_set));
  registry.bind<model::ListChangeSets>(to(&CloudFormationService::list_change_sets));
}

awaitable<templates::Stack> CloudFormationService::launch(std::function<awaitable<std::vector<templates::Diagnostic>>(Started)> operation) {
  using Outcome = std::expected<templates::Stack, std::vector<templates::Diagnostic>>;
  using Channel = asio::experimental::concurrent_channel<void(boost::system::error_code, Outcome)>;
  // Two places: the start, and an end that nobody waits for any more.
  auto channel = std::make_shared<Channel>(co_await asio::this_coro::executor, 2);
  asio::co_spawn(with_.background, [operation = std::move(operation), channel]() -> awaitable<> {
    std::vector<templates::Diagnostic> errors;
    try {
      errors = co_await operation([channel](const templates::Stack& stack) { channel->try_send(boost::system::error_code(), Outcome(stack)); });
    } catch (const std::exception& error) {
      spdlog::error("an operation on a stack ended with: {}", error.what());
      errors.emplace_back().what = error.what();
    }
    channel->try_send(boost::system::error_code(), Outcome(std::unexpected(std::move(errors))));
  }, asio::detached);
  Outcome outcome = co_await channel->async_receive(use_awaitable);
  if (!outcome) refuse(outcome.error());
  co_return std::move(*outcome);
}

awaitable<templates::Stack> CloudFormationService::deploy(aws::CallContext call, std::string name, templates::Document document, templates::DeployOptions options) {
  // The document is moved in at the one run of the operation; std::function wants it copyable.
  auto shared = std::make_shared<std::pair<templates::Document, templates::DeployOptions>>(std::move(document), std::move(options));
  co_return co_await launch([this, call = std::move(call), name = std::move(name), shared](Started started) -> awaitable<std::vector<templates::Diagnostic>> {
    auto& [template_, deploying] = *shared;
    deploying.on_started = std::move(started);
    auto done = co_await with_.stacks.deploy(std::move(template_), name, std::move(deploying), call);
    co_return done ? std::vector<templates::Diagnostic>() : done.error();
  });
}

awaitable<templates::Stack> CloudFormationService::need_stack(const aws::Scope& scope, std::string name) {
  auto stack = co_await with_.stacks.describe(scope, name);
  if (!stack) refuse("Stack with id " + name + " does not exist");
  co_return std::move(*stack);
}

awaitable<std::map<std::string, std::string>> CloudFormationService::included_files(aws::CallContext call, std::string text) {
  std::map<std::string, std::string> files;
  const std::set<std::string> locations = templates::included_files(parse_template(text));
  if (locations.size() > templates::kIncludedFilesMax) refuse(fmt::format("the template includes more than {} files", templates::kIncludedFilesMax));
  for (const std::string& location : locations) {
    if (!location.starts_with("s3://")) continue;  // refused where the template names it
    const std::string path = location.substr(5, location.find("?versionId=") - 5);
    const std::size_t slash = path.find('/');
    const std::string version = location.find("?versionId=") == location.npos ? "" : location.substr(location.find("?versionId=") + 11);
    std::string failure;
    try {
      if (slash != path.npos) files[location] = co_await with_.fetch_object(call, path.substr(0, slash), path.substr(slash + 1), version, kTemplateUrlBytesMax);
    } catch (const aws::ApiError& error) {
      failure = error.message();
    }
    if (!failure.empty()) refuse(fmt::format("{}: S3 error: {}", location, failure));
  }
  co_return files;
}

awaitable<std::string> CloudFormationService::template_text(aws::CallContext call, std::optional<std::string> body, std::optional<std::string> url) {
  if (body && url) refuse("Only one of TemplateBody or TemplateURL can be specified");
  if (body) {
    if (body->size() > kTemplateBodyMax) {
      refuse("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200");
    }
    co_return std::move(*body);
  }
  if (!url) refuse("Either Template URL or Template Body must be specified.");
  S3Place place = place_of(*url);
  std::string failure;
  std::string text;
  try {
    text = co_await with_.fetch_object(std::move(call), std::move(place.bucket), std::move(place.key), std::move(place.version), kTemplateUrlBytesMax);
  } catch (const aws::ApiError& error) {
    failure = error.message();
  }
  if (!failure.empty()) refuse("S3 error: " + failure);
  co_return text;
}

}  // namespace parvis::cloudformation
