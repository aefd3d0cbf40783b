#include "cli/deploy.h"

#include <cstdio>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "cli/zip_folder.h"
#include "core/entropy.h"
#include "core/hash.h"
#include "platform/bundler.h"
#include "platform/project.h"
#include "services/lambda/code.h"
#include "templates/document.h"

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kVersion = "2010-05-15";
constexpr std::size_t kBodyBytesMax = 51'200;  // of a template in the request
constexpr std::chrono::milliseconds kPollFirst{100}, kPollMost{1000};

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

templates::Document bundled_template(const DeployArguments& arguments) {
  const auto project = platform::load_project(arguments.place);
  if (!project) throw Wrong("parvis: " + project.error());
  if (!project->note.empty()) std::fprintf(stderr, "warning: %s\n", project->note.c_str());
  std::ifstream in(project->template_file, std::ios::binary);
  auto document = templates::parse_document(std::string(std::istreambuf_iterator<char>(in), {}), project->template_file.string());
  if (!document) throw Wrong(document.error().str());
  platform::TemplateBundler bundler(arguments.tools_dir / "node_modules/@esbuild/linux-x64/bin/esbuild", project->folder / ".parvis/bundles");
  auto bundled = bundler.bundle(std::move(*document));
  for (const auto& warning : bundled.warnings) std::fprintf(stderr, "warning: %s\n", warning.str().c_str());
  std::string errors;
  for (const auto& error : bundled.errors) errors += (errors.empty() ? "" : "\n") + error.str();
  if (!errors.empty()) throw Wrong(errors);
  return std::move(bundled.document);
}

class Deployment {
 public:
  Deployment(const DeployArguments& arguments, Remote& remote) : arguments_(arguments), remote_(remote) {}

  int run() {
    document_ = bundled_template(arguments_);
    upload_code();
    const std::optional<aws::XmlNode> before = describe();
    const std::string status = before ? text_of(*before, "StackStatus") : "";
    if (status == "ROLLBACK_COMPLETE" || status == "ROLLBACK_FAILED" || status == "DELETE_FAILED")
      throw Wrong(fmt::format("the stack {} is in {} and cannot be updated; delete it first: aws cloudformation delete-stack --stack-name {} --endpoint-url {}",
                              arguments_.stack_name, status, arguments_.stack_name, remote_.endpoint()));
    if (before && status != "REVIEW_IN_PROGRESS" && !update(*before)) return 0;
    if (!before || status == "REVIEW_IN_PROGRESS") create();
    return watch();
  }

 private:
  // Bundles are named by their folder after bundling; they become objects named by their contents.
  void upload_code() {
    auto* resources = document_.root.is_object() ? document_.root.get_object().if_contains("Resources") : nullptr;
    if (!resources || !resources->is_object()) return;
    for (auto& [id, resource] : resources->get_object()) {
      auto* properties = resource.is_object() ? resource.get_object().if_contains("Properties") : nullptr;
      if (!properties || !properties->is_object()) continue;
      for (const auto& [property, bucket_name, key_name] : {std::tuple{"CodeUri", "Bucket", "Key"}, std::tuple{"Code", "S3Bucket", "S3Key"}}) {
        auto* code = properties->get_object().if_contains(property);
        const auto* bucket = code && code->is_object() ? code->get_object().if_contains(bucket_name) : nullptr;
        if (!bucket || !templates::is_text(*bucket, lambda::kLocalBucket)) continue;
        const fs::path folder(templates::scalar_text(code->get_object().at(key_name)));
        const auto zip = zip_folder(folder);
        if (!zip) throw Wrong(zip.error());
        const std::string key = put(*zip, ".zip", std::string(id));
        *code = json::object{{bucket_name, bucket_}, {key_name, key}};
      }
    }
  }

  // Uploads what is not there yet; the key.
  std::string put(const std::string& bytes, std::string_view ending, const std::string& what) {
    make_bucket();
    const std::string key = "parvis-deploy/" + hex_encode(sha256(bytes)) + std::string(ending);
    const std::string target = "/" + bucket_ + "/" + key;
    if (remote_.send("s3", make_request("HEAD", target)).status == 200) return key;
    const auto response = remote_.send("s3", make_request("PUT", target, bytes), std::chrono::minutes(5));
    if (response.status != 200) throw_answer(response);
    say(fmt::format("uploaded {} ({} KiB)", what, bytes.size() / 1024 + 1));
    return key;
  }

  void make_bucket() {
    if (!bucket_.empty()) return;
    const std::string account = text_of(remote_.query("sts", "2011-06-15", "GetCallerIdentity", {}), "Account");
    bucket_ = fmt::format("parvis-deploy-{}-{}", account, remote_.region());
    if (remote_.send("s3", make_request("HEAD", "/" + bucket_)).status == 200) return;
    http::Request request = make_request("PUT", "/" + bucket_);
    if (remote_.region() != "us-east-1")
      request.body = fmt::format("<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}</LocationConstraint>"
                                 "</CreateBucketConfiguration>", remote_.region());
    const auto response = remote_.send("s3", std::move(request));
    if (response.status != 200) throw_answer(response);
  }

  std::optional<aws::XmlNode> describe() {
    try {
      const aws::XmlNode result = query("DescribeStacks", {{"StackName", arguments_.stack_name}});
      const aws::XmlNode* stack = find(result, "Stacks/member");
      return stack ? std::optional(*stack) : std::nullopt;
    } catch (const RemoteError& error) {
      if (error.code() == "ValidationError" && std::string_view(error.what()).find("does not exist") != std::string_view::npos) return std::nullopt;
      throw;
    }
  }

  Form form(const aws::XmlNode* before) {
    Form form{{"StackName", arguments_.stack_name}, {"ClientRequestToken", token_}};
    std::string body = json::serialize(document_.root);
    if (body.size() <= kBodyBytesMax) form.emplace_back("TemplateBody", std::move(body));
    else form.emplace_back("TemplateURL", fmt::format("{}/{}/{}", remote_.endpoint(), bucket_name(), put(body, ".template", "the template")));
    int number = 0;
    for (const char* capability : {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"})
      form.emplace_back(fmt::format("Capabilities.member.{}", ++number), capability);
    number = 0;
    const auto add = [&](const std::string& key, const char* member, const std::string& value) {
      form.emplace_back(fmt::format("Parameters.member.{}.ParameterKey", ++number), key);
      form.emplace_back(fmt::format("Parameters.member.{}.{}", number, member), value);
    };
    for (const auto& [key, value] : arguments_.parameters) add(key, "ParameterValue", value);
    // A parameter that is not given keeps the value of the last deployment.
    const auto* declared = document_.root.is_object() ? document_.root.get_object().if_contains("Parameters") : nullptr;
    const aws::XmlNode* known = before ? find(*before, "Parameters") : nullptr;
    if (known && declared && declared->is_object())
      for (const aws::XmlNode& parameter : known->children) {
        const std::string key = text_of(parameter, "ParameterKey");
        if (!arguments_.parameters.contains(key) && declared->get_object().contains(key)) add(key, "UsePreviousValue", "true");
      }
    return form;
  }

  const std::string& bucket_name() {
    make_bucket();
    return bucket_;
  }

  void create() {
    say(fmt::format("creating stack {} at {}", arguments_.stack_name, remote_.endpoint()));
    query("CreateStack", form(nullptr));
  }

  // False: nothing is different.
  bool update(const aws::XmlNode& before) {
    try {
      query("UpdateStack", form(&before));
    } catch (const RemoteError& error) {
      if (std::string_view(error.what()).find("No updates are to be performed") == std::string_view::npos) throw;
      say(fmt::format("stack {}: nothing to change", arguments_.stack_name));
      print_outputs(before);
      return false;
    }
    say(fmt::format("updating stack {} at {}", arguments_.stack_name, remote_.endpoint()));
    return true;
  }

  // Prints events of this deployment until it has ended.
  int watch() {
    std::set<std::string> shown;
    for (auto pause = kPollFirst;; pause = std::min(pause * 2, kPollMost)) {
      const auto stack = describe();
      print_events(shown);
      const std::string status = stack ? text_of(*stack, "StackStatus") : "";
      if (!status.ends_with("_IN_PROGRESS")) {
        print_events(shown);
        if (stack && (status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE")) return print_outputs(*stack), 0;
        std::fprintf(stderr, "parvis: the stack %s is in %s\n%s", arguments_.stack_name.c_str(), status.empty() ? "no state: it is gone" : status.c_str(), failures_.c_str());
        return 1;
      }
      std::this_thread::sleep_for(pause);
    }
  }

  void print_events(std::set<std::string>& shown) {
    std::vector<aws::XmlNode> fresh;  // newest first, as they are given
    std::string next;
    do {
      Form parameters{{"StackName", arguments_.stack_name}};
      if (!next.empty()) parameters.emplace_back("NextToken", next);
      const aws::XmlNode result = query("DescribeStackEvents", parameters);
      next = text_of(result, "NextToken");
      const aws::XmlNode* events = find(result, "StackEvents");
      for (const aws::XmlNode& event : events ? events->children : std::vector<aws::XmlNode>{}) {
        if (text_of(event, "ClientRequestToken") != token_) next.clear();
        else if (shown.insert(text_of(event, "EventId")).second) fresh.push_back(event);
      }
    } while (!next.empty());
    for (auto event = fresh.rbegin(); event != fresh.rend(); ++event) print_event(*event);
  }

  void print_event(const aws::XmlNode& event) {
    const std::string status = text_of(event, "ResourceStatus"), reason = text_of(event, "ResourceStatusReason"), id = text_of(event, "LogicalResourceId");
    const std::string time = text_of(event, "Timestamp");
    say(fmt::format("{}  {:<28} {:<32} {}{}", time.size() > 18 ? time.substr(11, 8) : time, status, id, text_of(event, "ResourceType"),
                    reason.empty() ? "" : "  " + reason));
    if (status.ends_with("_FAILED") && !reason.empty() && reason.find("cancelled") == std::string::npos)
      failures_ += fmt::format("  {} ({}): {}\n", id, text_of(event, "ResourceType"), reason);
  }

  static void print_outputs(const aws::XmlNode& stack) {
    const aws::XmlNode* outputs = find(stack, "Outputs");
    if (!outputs || outputs->children.empty()) return;
    say("outputs");
    for (const aws::XmlNode& output : outputs->children) say(fmt::format("  {:<24} {}", text_of(output, "OutputKey"), text_of(output, "OutputValue")));
  }

  aws::XmlNode query(const std::string& action, const Form& parameters) { return remote_.query("cloudformation", std::string(kVersion), action, parameters); }

  const DeployArguments& arguments_;
  Remote& remote_;
  Entropy entropy_;
  const std::string token_ = "parvis-deploy-" + entropy_.uuid();
  templates::Document document_;
  std::string bucket_, failures_;
};

}  // namespace

int run_deploy(const DeployArguments& arguments) {
  try {
    Remote remote(arguments.remote);
    return Deployment(arguments, remote).run();
  } catch (const Wrong& wrong) {
    std::fprintf(stderr, "%s\n", wrong.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parvis: %s\n", error.what());
    return 1;
  }
}

}  // namespace parvis::cli
