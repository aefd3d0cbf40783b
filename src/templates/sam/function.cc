// AWS::Serverless::Function: the function, its role, version, alias, URL and what its events need.
// Source: AWS SAM Developer Guide, "AWS::Serverless::Function"; aws-sam-translator 1.115.0, model/sam_resources.py.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/ascii.h"
#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {

class FunctionTransform {
 public:
  FunctionTransform(Context& context, const std::string& id)
      : context_(context), id_(id), source_(*context.resource(id)), properties_(context.properties(id)), passed_(passed_attributes(source_)) {}

  void run() {
    check_properties(context_, id_,
                     {"FunctionName", "Handler", "Runtime", "CodeUri", "ImageUri", "PackageType", "InlineCode", "DeadLetterQueue", "Description", "MemorySize",
                      "Timeout", "VpcConfig", "Role", "AssumeRolePolicyDocument", "Policies", "RolePath", "PermissionsBoundary", "Environment", "Events", "Tags",
                      "PropagateTags", "Tracing", "KmsKeyArn", "ReservedConcurrentExecutions", "Layers", "EventInvokeConfig", "EphemeralStorage",
                      "AutoPublishAlias", "AutoPublishCodeSha256", "VersionDescription", "ProvisionedConcurrencyConfig", "FileSystemConfigs", "ImageConfig",
                      "CodeSigningConfigArn", "Architectures", "SnapStart", "FunctionUrlConfig", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop",
                      "SourceKMSKeyArn", "VersionDeletionPolicy", "PublishToLatestPublished", "TenancyConfig"});
    json::object function = construct();
    function_ = function;
    make_alias(function);
    if (has("FunctionUrlConfig")) make_url();
    if (has("EventInvokeConfig")) make_event_invoke();
    json::object role = construct_role();
    if (!has("Role")) {
      function["Role"] = get_att(id_ + "Role", "Arn");
      if (propagates()) role["Tags"] = tag_list(properties_["Tags"].as_object());
      context_.add(id_ + "Role", "AWS::IAM::Role", std::move(role), passed_);
    } else if (properties_["Role"].is_object() && properties_["Role"].as_object().contains("Fn::If")) {
      refuse("Role", "Role with Fn::If is not supported", "put the condition into a role resource");
    }
    if (propagates()) function["Tags"] = tag_list(properties_["Tags"].as_object());
    json::object attributes = all_attributes(source_);
    if (source_.contains("DependsOn")) attributes["DependsOn"] = source_.at("DependsOn");
    context_.add(id_, "AWS::Lambda::Function", std::move(function), attributes);
    make_events();
  }

 private:
  bool has(std::string_view name) const { return truthy(properties_.if_contains(name)); }
  bool propagates() const { return has("PropagateTags") && has("Tags"); }
  [[noreturn]] void refuse(std::string_view property, std::string_view what, std::string hint) const {
    context_.fail(context_.pointer(id_, property), fmt::format("resource {}: {}", id_, what), std::move(hint));
  }
  json::array tags() const {
    json::array out{json::object{{"Key", "lambda:createdBy"}, {"Value", "SAM"}}};
    if (const json::value* given = properties_.if_contains("Tags"); given != nullptr && given->is_object()) {
      for (auto& tag : tag_list(given->as_object())) out.push_back(tag);
    }
    return out;
  }

  json::value code() const {
    if (scalar_text_or("PackageType", "Zip") == "Image") {
      if (!has("ImageUri")) refuse("ImageUri", "'ImageUri' must be set.", "name the image");
      return json::object{{"ImageUri", properties_.at("ImageUri")}};
    }
    if (has("ImageUri")) refuse("ImageUri", "ImageUri is not supported: container images are not available", "use a Zip package: CodeUri or InlineCode");
    json::value out;
    if (set("InlineCode")) out = json::object{{"ZipFile", properties_.at("InlineCode")}};
    else if (set("CodeUri")) out = code_location(context_, properties_.at("CodeUri"), context_.pointer(id_, "CodeUri"), "CodeUri");
    else refuse("", "neither 'InlineCode' nor 'CodeUri' is set", "name the folder of the code: CodeUri: src/");
    if (has("SourceKMSKeyArn") && out.is_object()) out.as_object()["SourceKMSKeyArn"] = properties_.at("SourceKMSKeyArn");
    return out;
  }
  bool set(std::string_view name) const {
    const json::value* value = properties_.if_contains(name);
    return value != nullptr && !value->is_null();
  }
  std::string scalar_text_or(std::string_view name, std::string fallback) const { return has(name) ? scalar_text(properties_.at(name)) : fallback; }

  bool traced() const {
    if (!has("Tracing")) return false;
    const json::value mode = context_.resolve(properties_.at("Tracing"));
    return mode != json::value("Disabled");
  }

  json::object construct() const {
    json::object out{{"Code", code()}};
    for (std::string_view name : {"Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment", "KmsKeyArn", "ReservedConcurrentExecutions",
                                  "Layers", "FileSystemConfigs", "ImageConfig", "PackageType", "Architectures", "SnapStart", "EphemeralStorage", "CodeSigningConfigArn",
                                  "RuntimeManagementConfig", "LoggingConfig", "TenancyConfig", "RecursiveLoop", "PublishToLatestPublished"}) {
      if (set(name)) out[name] = properties_.at(name);
    }
    if (has("FunctionName")) out["FunctionName"] = properties_.at("FunctionName");
    out["Tags"] = tags();
    if (traced()) out["TracingConfig"] = json::object{{"Mode", properties_.at("Tracing")}};
    if (has("DeadLetterQueue")) {
      const json::value& queue = properties_.at("DeadLetterQueue");
      if (!queue.is_object() || !truthy(queue.as_object().if_contains("Type")) || !truthy(queue.as_object().if_contains("TargetArn"))) {
        refuse("DeadLetterQueue", "'DeadLetterQueue' requires Type and TargetArn properties to be specified.", "write both");
      }
      const std::string type = scalar_text(queue.as_object().at("Type"));
      if (type != "SQS" && type != "SNS") refuse("DeadLetterQueue", "'DeadLetterQueue' requires Type of ['SQS', 'SNS']", "use one of the two");
      out["DeadLetterConfig"] = json::object{{"TargetArn", queue.as_object().at("TargetArn")}};
    }
    if (scalar_text_or("PackageType", "Zip") == "Zip") {
      if (!has("Runtime")) refuse("", "Runtime is required", "for example Runtime: nodejs22.x");
      if (!has("Handler")) refuse("", "Handler is required", "for example Handler: index.handler");
    }
    return out;
  }

  void make_alias(json::object& function) {
    if (!has("AutoPublishAlias")) {
      if (has("ProvisionedConcurrencyConfig")) refuse("ProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfig needs AutoPublishAlias", "add AutoPublishAlias");
      return;
    }
    const json::value resolved = context_.resolve(properties_["AutoPublishAlias"]);
    if (!resolved.is_string()) refuse("AutoPublishAlias", "'AutoPublishAlias' must be a string or a Ref to a template parameter", "write a name");
    const std::string name(resolved.as_string());
    std::string sha;
    if (has("AutoPublishCodeSha256")) {
      sha = scalar_text(context_.resolve(properties_["AutoPublishCodeSha256"]));
      if (sha.empty()) refuse("AutoPublishCodeSha256", "AutoPublishCodeSha256 must be a string", "write the digest");
      const json::value description = set("Description") ? context_.resolve(properties_["Description"]) : json::value();
      if (!truthy(&description)) function["Description"] = sha;
      else if (description.is_string()) function["Description"] = fmt::format("{} {}", scalar_text(description), sha);
      else function["Description"] = json::object{{"Fn::Join", json::array{" ", json::array{description, sha}}}};
    }
    json::value code = context_.resolve(function["Code"]);
    json::object hashed = code.is_object() ? code.as_object() : json::object{{"Code", code}};
    if (has("Environment") && properties_["Environment"].is_object()) {
      for (const auto& [key, value] : properties_["Environment"].as_object()) hashed[key] = value;
    }
    if (has("MemorySize")) hashed["MemorySize"] = properties_["MemorySize"];
    if (has("SnapStart") && properties_["SnapStart"].is_object()) {
      const json::value* on = properties_["SnapStart"].as_object().if_contains("ApplyOn");
      if (on != nullptr && *on != "None") hashed["SnapStart"] = properties_["SnapStart"];
    }
    const std::string version = sha.empty() ? hashed_id(id_ + "Version", py_dumps(hashed)) : id_ + "Version" + sha.substr(0, 10);
    json::object attributes = passed_;
    if (!attributes.contains("DeletionPolicy")) attributes["DeletionPolicy"] = has("VersionDeletionPolicy") ? properties_["VersionDeletionPolicy"] : json::value("Retain");
    json::object version_properties{{"FunctionName", make_ref(id_)}};
    if (set("VersionDescription")) version_properties["Description"] = properties_["VersionDescription"];
    context_.add(version, "AWS::Lambda::Version", std::move(version_properties), attributes);

    const bool only_digits = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
    const bool allowed = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
    if (name.empty() || only_digits || !allowed) refuse("AutoPublishAlias", fmt::format("AutoPublishAlias name ('{}') is not valid", name), "use letters, digits, - and _, not digits alone");
    std::string suffix;
    for (char c : name) suffix += c == '-' ? 'D' : c == '_' ? 'U' : c;
    alias_ = fmt::format("{}Alias{}", id_, suffix);
    json::object alias{{"Name", name}, {"FunctionName", make_ref(id_)}, {"FunctionVersion", get_att(version, "Version")}};
    if (has("ProvisionedConcurrencyConfig")) alias["ProvisionedConcurrencyConfig"] = properties_["ProvisionedConcurrencyConfig"];
    context_.add(alias_, "AWS::Lambda::Alias", std::move(alias), passed_);
    context_.refs[id_ + ".Alias"] = alias_;
    context_.refs[id_ + ".Version"] = version;
    alias_name_ = name;
  }

  void make_url() {
    const json::value& config = properties_["FunctionUrlConfig"];
    if (!config.is_object() || is_intrinsic(config)) refuse("FunctionUrlConfig", "FunctionUrlConfig is not a mapping", "write AuthType under it");
    const json::object& url = config.as_object();
    const json::value* auth = url.if_contains("AuthType");
    if (auth == nullptr || (!is_intrinsic(*auth) && *auth != "AWS_IAM" && *auth != "NONE")) {
      refuse("FunctionUrlConfig", "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.", "add AuthType");
    }
    for (const auto& [key, value] : url) {
      if (key != "AuthType" && key != "Cors" && key != "InvokeMode") {
        context_.fail(child(context_.pointer(id_, "FunctionUrlConfig"), key), fmt::format("resource {}: FunctionUrlConfig.{} is not supported", id_, std::string_view(key)), "remove it");
      }
    }
    const json::object target = make_ref(alias_.empty() ? id_ : alias_);
    json::object out{{"TargetFunctionArn", target}, {"AuthType", *auth}};
    if (truthy(url.if_contains("Cors"))) out["Cors"] = url.at("Cors");
    if (url.contains("InvokeMode")) out["InvokeMode"] = url.at("InvokeMode");
    context_.add(id_ + "Url", "AWS::Lambda::Url", std::move(out), passed_);
    if (*auth != "NONE") return;
    context_.add(id_ + "UrlPublicPermissions", "AWS::Lambda::Permission",
                 {{"Action", "lambda:InvokeFunctionUrl"}, {"FunctionName", target}, {"Principal", "*"}, {"FunctionUrlAuthType", "NONE"}}, passed_);
    context_.add(id_ + "URLInvokeAllowPublicAccess", "AWS::Lambda::Permission",
                 {{"Action", "lambda:InvokeFunction"}, {"FunctionName", target}, {"Principal", "*"}, {"InvokedViaFunctionUrl", true}}, passed_);
  }

  void make_event_invoke() {
    const json::value config = context_.resolve(properties_["EventInvokeConfig"]);
    if (!config.is_object()) refuse("EventInvokeConfig", "EventInvokeConfig is not a mapping", "write its properties under it");
    const std::string at = context_.pointer(id_, "EventInvokeConfig");
    check_members(context_, config.as_object(), at, "EventInvokeConfig", {"DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"});
    json::object destinations;
    if (const json::value* given = config.as_object().if_contains("DestinationConfig"); truthy(given)) {
      if (!given->is_object()) context_.fail(at + "/DestinationConfig", fmt::format("resource {}: DestinationConfig is not a mapping", id_), "write OnSuccess or OnFailure under it");
      check_members(context_, given->as_object(), at + "/DestinationConfig", "DestinationConfig", {"OnFailure", "OnSuccess"});
      for (const char* name : {"OnSuccess", "OnFailure"})
        if (const json::value* one = given->as_object().if_contains(name); one != nullptr && !one->is_null()) destinations[name] = json::object{{"Destination", destination(*one, name, at)}};
    }
    json::object out{{"FunctionName", make_ref(id_)}, {"Qualifier", json::value(alias_name_.empty() ? "$LATEST" : alias_name_)}, {"DestinationConfig", std::move(destinations)}};
    for (std::string_view name : {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}) {
      if (const json::value* value = config.as_object().if_contains(name)) out[name] = *value;
    }
    json::object attributes = all_attributes(source_);
    if (!alias_.empty()) attributes["DependsOn"] = json::array{alias_};
    context_.add(id_ + "EventInvokeConfig", "AWS::Lambda::EventInvokeConfig", std::move(out), attributes);
  }

  // A destination of asynchronous calls; the role may call it.
  json::value destination(const json::value& given, const std::string& name, const std::string& config_at) {
    const std::string at = child(config_at + "/DestinationConfig", name);
    if (!given.is_object()) context_.fail(at, fmt::format("resource {}: {} is not a mapping", id_, name), "write Type and Destination under it");
    const json::object& one = given.as_object();
    check_members(context_, one, at, name, {"Destination", "Type"});
    const std::string type = one.contains("Type") ? scalar_text(one.at("Type")) : "";
    if (type != "Lambda") context_.fail(at + "/Type", fmt::format("resource {}: {}: a destination of the type '{}' is not supported", id_, name, type), "use Type: Lambda and the ARN of a function");
    if (!truthy(one.if_contains("Destination"))) context_.fail(at, fmt::format("resource {}: {}: Destination is required if Type is not ['SQS', 'SNS']", id_, name), "write the ARN of a function");
    destination_policies_.push_back(json::object{
        {"PolicyName", fmt::format("{}EventInvokeConfig{}LambdaPolicy", id_, name)},
        {"PolicyDocument", json::object{{"Statement", json::array{json::object{{"Action", "lambda:InvokeFunction"}, {"Effect", "Allow"}, {"Resource", one.at("Destination")}}}}}}});
    return one.at("Destination");
  }

  void add_policy(const json::value& policy, std::size_t index, json::array& arns, json::array& documents) const {
    const std::string at = child(context_.pointer(id_, "Policies"), index);
    const std::string name = fmt::format("{}RolePolicy{}", id_, index);
    const auto add_arn = [&](json::value arn) { if (std::find(arns.begin(), arns.end(), arn) == arns.end()) arns.push_back(std::move(arn)); };
    const auto branch = [&](const json::value& value) -> json::value {
      if (is_no_value(value)) return value;
      if (value.is_string()) return json::string(managed_policy_arn(context_, value.as_string()));
      const json::value document = is_policy_template(value) ? expand_policy_template(context_, value, at) : value;
      return json::object{{"PolicyName", name}, {"PolicyDocument", document}};
    };
    if (policy.is_string()) return add_arn(json::string(managed_policy_arn(context_, policy.as_string())));
    if (policy.is_object() && policy.as_object().contains("Fn::If")) {
      const json::value& parts = policy.as_object().at("Fn::If");
      if (!parts.is_array() || parts.as_array().size() != 3) context_.fail(at, fmt::format("resource {}: Fn::If needs three values", id_), "write [condition, then, else]");
      const json::value& sample = is_no_value(parts.as_array()[1]) ? parts.as_array()[2] : parts.as_array()[1];
      json::object made{{"Fn::If", json::array{parts.as_array()[0], branch(parts.as_array()[1]), branch(parts.as_array()[2])}}};
      if (sample.is_string() || (is_intrinsic(sample) && !sample.as_object().contains("Statement"))) {
        if (!sample.is_string()) made = policy.as_object();
        return add_arn(made);
      }
      documents.push_back(std::move(made));
      return;
    }
    if (is_intrinsic(policy)) return add_arn(policy);
    if (is_policy_template(policy)) { documents.push_back(branch(policy)); return; }
    if (policy.is_object() && policy.as_object().contains("Statement")) { documents.push_back(branch(policy)); return; }
    context_.fail(at, fmt::format("resource {}: Policy at index {} in the 'Policies' property is not valid", id_, index),
                  "use a managed policy's name, a SAM policy template or a document with Statement");
  }

  json::object construct_role() const {
    const std::string base = fmt::format("arn:{}:iam::aws:policy/", context_.partition());
    json::array arns{base + "service-role/AWSLambdaBasicExecutionRole"}, documents;
    if (traced()) arns.push_back(json::string(base + (context_.partition() == "aws" ? "AWSXrayWriteOnlyAccess" : "AWSXRayDaemonWriteAccess")));
    if (has("VpcConfig")) arns.push_back(json::string(base + "service-role/AWSLambdaVPCAccessExecutionRole"));
    if (has("DeadLetterQueue")) {
      const json::object& queue = properties_.at("DeadLetterQueue").as_object();
      documents.push_back(json::object{
          {"PolicyName", "DeadLetterQueuePolicy"},
          {"PolicyDocument", json::object{{"Version", "2012-10-17"},
                                          {"Statement", json::array{json::object{{"Action", queue.at("Type") == "SQS" ? "sqs:SendMessage" : "sns:Publish"},
                                                                                 {"Resource", queue.at("TargetArn")}, {"Effect", "Allow"}}}}}}});
    }
    documents.insert(documents.end(), destination_policies_.begin(), destination_policies_.end());
    if (has("Policies")) {
      const json::value& given = properties_.at("Policies");
      const json::array policies = given.is_array() ? given.as_array() : json::array{given};
      for (std::size_t i = 0; i < policies.size(); ++i) add_policy(policies[i], i, arns, documents);
    }
    json::object out;
    out["AssumeRolePolicyDocument"] = set("AssumeRolePolicyDocument")
        ? properties_.at("AssumeRolePolicyDocument")
        : json::value(json::object{{"Version", "2012-10-17"},
                                   {"Statement", json::array{json::object{{"Action", json::array{"sts:AssumeRole"}}, {"Effect", "Allow"},
                                                                          {"Principal", json::object{{"Service", json::array{"lambda.amazonaws.com"}}}}}}}});
    out["ManagedPolicyArns"] = std::move(arns);
    if (!documents.empty()) out["Policies"] = std::move(documents);
    if (set("RolePath")) out["Path"] = properties_.at("RolePath");
    if (set("PermissionsBoundary")) out["PermissionsBoundary"] = properties_.at("PermissionsBoundary");
    out["Tags"] = tags();
    return out;
  }

  void add_permission(const std::string& event_id, std::string_view suffix, std::string_view principal, json::object source_arn) {
    const std::string base = event_id + "Permission";
    const std::string id = is_alnum(suffix) ? base + std::string(suffix) : hashed_id(base, suffix);
    context_.add(id, "AWS::Lambda::Permission",
                 {{"Action", "lambda:InvokeFunction"}, {"FunctionName", make_ref(alias_.empty() ? id_ : alias_)}, {"Principal", principal}, {"SourceArn", std::move(source_arn)}}, passed_);
  }

  void make_events() {
    if (!has("Events")) return;
    const json::object& events = properties_["Events"].as_object();
    std::vector<std::string> names;
    if (auto it = context_.events.find(id_); it != context_.events.end()) names = it->second.dict()->keys();
    else for (const auto& [key, value] : events) names.emplace_back(key);
    const auto sort_key = [&](const std::string& name) -> std::string {
      const json::value& event = events.at(name);
      if (!event.is_object()) return name;
      const json::value* properties = event.as_object().if_contains("Properties");
      const json::value* path = properties != nullptr && properties->is_object() ? properties->as_object().if_contains("Path") : nullptr;
      return path != nullptr ? scalar_text(*path) : name;
    };
    std::multimap<std::string, std::string> sorted;  // equal keys keep their order
    for (const std::string& name : names) sorted.emplace(sort_key(name), name);
    for (const auto& [key, name] : sorted) make_event(name, json::value(events.at(name)));
  }

  void make_event(const std::string& name, const json::value& event) {
    const std::string at = child(context_.pointer(id_, "Events"), name);
    if (!event.is_object()) context_.fail(at, fmt::format("resource {}: event {} is not a mapping", id_, name), "write Type and Properties");
    check_members(context_, event.as_object(), at, fmt::format("the event {}", name), {"Type", "Properties"});
    const std::string type = event.as_object().contains("Type") ? scalar_text(event.as_object().at("Type")) : "";
    const json::object properties = event.as_object().contains("Properties") && event.as_object().at("Properties").is_object()
                                        ? event.as_object().at("Properties").as_object() : json::object();
    const auto known = [&](std::initializer_list<std::string_view> names) {
      for (const auto& [key, value] : properties) {
        if (std::find(names.begin(), names.end(), key) == names.end()) {
          context_.fail(child(at + "/Properties", key), fmt::format("resource {}: property '{}' of the {} event {} is not supported", id_, std::string_view(key), type, name), "remove it");
        }
      }
    };
    if (type == "Api") {
      known({"Path", "Method", "RestApiId", "TimeoutInMillis"});
      api_event(name, at, properties);
    } else if (type == "HttpApi") {
      known({"Path", "Method", "ApiId", "TimeoutInMillis", "PayloadFormatVersion", "RouteSettings"});
      http_api_event(name, at, properties);
    } else if (type == "Schedule") {
      known({"Schedule", "Input", "Enabled", "State", "Name", "Description", "RetryPolicy"});
      schedule_event(name, at, properties);
    } else {
      context_.fail(at, fmt::format("resource {}: event {} has the type '{}', which is not supported", id_, name, type), "supported: Api, HttpApi, Schedule");
    }
  }

  // API Gateway would refuse the whole definition; here the event is named.
  void check_route(const std::string& name, const std::string& at, const json::object& properties, bool http) const {
    static constexpr std::array<std::string_view, 9> kMethods = {"any", "delete", "get", "head", "options", "patch", "post", "put", kAnyMethod};
    const std::string method = to_lower(scalar_text(properties.at("Method"))), path = scalar_text(properties.at("Path"));
    if (!is_intrinsic(properties.at("Method")) && std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end())
      context_.fail(at + "/Properties/Method", fmt::format("resource {}: event {}: '{}' is not a method", id_, name, method), "use get, post, put, patch, delete, head, options or any");
    if (!is_intrinsic(properties.at("Path")) && !path.starts_with('/') && !(http && path == "$default"))
      context_.fail(at + "/Properties/Path", fmt::format("resource {}: event {}: the path '{}' does not begin with '/'", id_, name, path), "write /" + path);
  }

  static std::string api_id_of(const json::value& value) {
    return scalar_text(value.is_object() && value.as_object().contains("Ref") ? value.as_object().at("Ref") : value);
  }
  // {a}/{proxy+} become *; HTTP APIs leave other greedy parameters as they are.
  static std::string starred(std::string path, bool http) {
    if (path.size() > 1 && path.ends_with('/')) path.pop_back();
    std::string out;
    for (std::size_t i = 0; i < path.size();) {
      const auto end = path[i] == '{' ? path.find('}', i) : std::string::npos;
      if (end == std::string::npos) { out += path[i++]; continue; }
      std::string inner = path.substr(i + 1, end - i - 1);
      const bool greedy = inner.ends_with('+');
      if (greedy) inner.pop_back();
      const bool plain = !inner.empty() && std::all_of(inner.begin(), inner.end(), [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; });
      if (!plain || (greedy && http && inner != "proxy")) { out += path[i++]; continue; }
      out += '*';
      i = end + 1;
    }
    return out;
  }
  PyText integration_uri(std::string_view partition) const {
    const std::string uri = fmt::format("arn:{}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{}}}/invocations", partition, alias_.empty() ? id_ + ".Arn" : alias_);
    return {uri, context_.py27 && alias_.empty()};  // the id of an alias is made, not from the template
  }
  std::optional<std::string> condition() const {
    const json::value* name = source_.if_contains("Condition");
    return name != nullptr && name->is_string() ? std::optional<std::string>(name->as_string()) : std::nullopt;
  }

  void api_event(const std::string& name, const std::string& at, const json::object& properties) {
    for (std::string_view needed : {"Path", "Method", "RestApiId"}) {
      if (!properties.contains(needed)) context_.fail(at, fmt::format("resource {}: the Api event {} has no '{}'", id_, name, needed), "add it");
    }
    check_route(name, at, properties, false);
    const std::string api_id = api_id_of(properties.at("RestApiId"));
    const json::value* stage = context_.properties(api_id).if_contains("StageName");
    const std::string suffix = stage != nullptr && stage->is_string() ? std::string(stage->as_string()) : "Stage";
    std::string method, upper;
    for (char c : scalar_text(properties.at("Method"))) {
      method += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    const std::string path = scalar_text(properties.at("Path"));
    add_permission(id_ + name, suffix, "apigateway.amazonaws.com",
                   sub(fmt::format("arn:{}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{__ApiId__}}/${{__Stage__}}/{}{}", context_.partition(),
                                   method == "any" ? "*" : upper, starred(path, false)),
                       {{"__ApiId__", properties.at("RestApiId")}, {"__Stage__", "*"}}));
    ApiState& api = context_.apis[api_id];
    if (!api.managed) return;
    api.definition = api.definition.deep_copy();
    if (has_integration(api.definition, path, method)) {
      context_.fail(at, fmt::format("resource {}: API method \"{}\" defined multiple times for path \"{}\".", id_, method, path), "keep one of the events");
    }
    add_integration(api.definition, {path, context_.py27}, {method, context_.py27}, integration_uri(context_.partition()), condition(), false);
    if (truthy(properties.if_contains("TimeoutInMillis"))) {
      for (Py* target : integrated_methods(api.definition, path, method)) {
        target->find("x-amazon-apigateway-integration")->dict()->set({"timeoutInMillis", false}, Py::from_json(properties.at("TimeoutInMillis"), true));
      }
    }
    api.definition = api.definition.deep_copy();
  }

  void http_api_event(const std::string& name, const std::string& at, const json::object& properties) {
    check_route(name, at, properties, true);
    const std::string api_id = api_id_of(properties.at("ApiId"));
    ApiState& api = context_.apis[api_id];
    std::string method, upper;
    for (char c : scalar_text(properties.at("Method"))) {
      method += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    const std::string path = scalar_text(properties.at("Path"));
    if (path == "$default" || !api.has_definition || !default_route_is_ours(api)) {
      const std::string shown = path == "$default" ? "" : starred(path, true);
      const std::string verb = method == "any" || method == kAnyMethod ? "*" : upper;
      add_permission(id_ + name, "", "apigateway.amazonaws.com",
                     sub(fmt::format("arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{__ApiId__}}/${{__Stage__}}/{}{}", verb, shown),
                         {{"__ApiId__", properties.at("ApiId")}, {"__Stage__", "*"}}));
    }
    if (!api.has_definition) return;
    if (!valid_definition(api.definition, true)) context_.fail(context_.pointer(api_id, "DefinitionBody"), fmt::format("resource {}: DefinitionBody is not an OpenAPI 3 document", api_id), "write openapi: 3.0.1 and paths");
    const bool exists = has_integration(api.definition, path, method);
    if (exists && api.managed) context_.fail(at, fmt::format("resource {}: API method '{}' defined multiple times for path '{}'.", id_, method, path), "keep one of the events");
    if (!exists) add_integration(api.definition, {path, false}, {method, false}, integration_uri("${AWS::Partition}"), condition(), true);
    for (Py* target : integrated_methods(api.definition, path, method)) {
      PyDict& integration = *target->find("x-amazon-apigateway-integration")->dict();
      if (truthy(properties.if_contains("TimeoutInMillis"))) integration.set({"timeoutInMillis", false}, Py::from_json(properties.at("TimeoutInMillis"), false));
      if (truthy(properties.if_contains("PayloadFormatVersion"))) integration.set({"payloadFormatVersion", false}, Py::from_json(properties.at("PayloadFormatVersion"), false));
      add_path_parameters(*target, path);
    }
  }

  static void add_path_parameters(Py& method, const std::string& path) {
    for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1)) {
      const auto close = path.find('}', open);
      if (close == std::string::npos) return;
      const std::string name = path.substr(open + 1, close - open - 1);
      if (method.find("parameters") == nullptr) method.dict()->set({"parameters", false}, Py(Py::List{}));
      Py::List& list = *method.find("parameters")->list();
      auto it = std::find_if(list.begin(), list.end(), [&](const Py& p) { const Py* n = p.find("name"); return n != nullptr && n->text() != nullptr && n->text()->text == name; });
      if (it == list.end()) {
        PyDict made;
        made.set({"name", false}, Py(name));
        it = list.insert(list.end(), Py(std::move(made)));
      }
      it->dict()->set({"in", false}, Py("path"));
      it->dict()->set({"required", false}, Py::scalar(true));
    }
  }

  // A $default route that invokes this function already carries a permission for every path.
  bool default_route_is_ours(ApiState& api) const {
    if (!valid_definition(api.definition, true) || !has_integration(api.definition, "$default", kAnyMethod)) return false;
    for (Py* method : integrated_methods(api.definition, "$default", kAnyMethod)) {
      const Py* uri = method->find("x-amazon-apigateway-integration")->find("uri");
      const Py* text = uri != nullptr ? uri->find("Fn::Sub") : nullptr;
      if (text == nullptr || text->text() == nullptr || text->text()->text.find("${" + id_ + ".Arn}") == std::string::npos) return false;
    }
    return true;
  }

  void schedule_event(const std::string& name, const std::string& at, const json::object& properties) {
    if (!properties.contains("Schedule")) context_.fail(at, fmt::format("resource {}: the Schedule event {} has no 'Schedule'", id_, name), "for example Schedule: rate(1 minute)");
    const std::string rule_id = id_ + name;
    json::object rule{{"ScheduleExpression", properties.at("Schedule")}};
    const json::value* enabled = properties.if_contains("Enabled");
    if (truthy(properties.if_contains("State")) && enabled != nullptr) context_.fail(at, fmt::format("resource {}: State and Enabled Properties cannot both be specified.", id_), "keep State");
    if (truthy(properties.if_contains("State"))) rule["State"] = properties.at("State");
    if (enabled != nullptr) rule["State"] = truthy(enabled) ? "ENABLED" : "DISABLED";
    for (std::string_view kept : {"Name", "Description"}) if (properties.contains(kept)) rule[kept] = properties.at(kept);
    const std::string suffix = "LambdaTarget";
    json::object target{{"Arn", alias_.empty() ? get_att(id_, "Arn") : make_ref(alias_)}, {"Id", rule_id.substr(0, 64 - suffix.size()) + suffix}};
    for (std::string_view kept : {"Input", "RetryPolicy"}) if (properties.contains(kept)) target[kept] = properties.at(kept);
    rule["Targets"] = json::array{std::move(target)};
    context_.places[rule_id] = at;
    context_.add(rule_id, "AWS::Events::Rule", std::move(rule), passed_);
    add_permission(rule_id, "", "events.amazonaws.com", get_att(rule_id, "Arn"));
  }

  Context& context_;
  const std::string id_;
  const json::object source_;
  json::object& properties_;
  const json::object passed_;
  json::object function_;
  std::string alias_, alias_name_;
  json::array destination_policies_;
};

}  // namespace

void transform_function(Context& context, const std::string& id) { FunctionTransform(context, id).run(); }

}  // namespace parvis::templates::sam
