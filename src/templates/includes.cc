#include "templates/includes.h"

#include <filesystem>

#include <fmt/format.h>

#include "core/file.h"

namespace parvis::templates {

namespace {

constexpr std::string_view kTransform = "Fn::Transform";

// Where an AWS::Include points; nullptr: it is another transform, or none.
const json::value* location_of(const json::value& transform) {
  const json::object* object = transform.if_object();
  if (object == nullptr || !object->contains("Name") || !is_text(object->at("Name"), "AWS::Include")) return nullptr;
  const json::value* parameters = object->if_contains("Parameters");
  return parameters != nullptr && parameters->is_object() ? parameters->as_object().if_contains("Location") : nullptr;
}

std::string name_of(const json::value& location) {
  if (!location.is_object()) return scalar_text(location);
  const auto part = [&](std::string_view name) { return location.as_object().contains(name) ? scalar_text(location.as_object().at(name)) : std::string(); };
  const std::string bucket = part("Bucket"), key = part("Key"), version = part("Version");
  return bucket.empty() || key.empty() ? "" : fmt::format("s3://{}/{}{}{}", bucket, key, version.empty() ? "" : "?versionId=", version);
}

class Includes {
 public:
  Includes(Document& document, const ReadIncluded* read, std::set<std::string>* found) : document_(document), read_(read), found_(found) {}

  std::vector<Diagnostic> run() {
    if (!document_.root.is_object()) return {};
    if (json::value* resources = document_.root.as_object().if_contains("Resources"); resources != nullptr && resources->is_object()) {
      for (auto& [id, resource] : resources->as_object()) definition(child("/Resources", std::string_view(id)), resource);
    }
    walk(document_.root, "");
    return std::move(errors_);
  }

 private:
  void fail(const std::string& at, std::string what, std::string hint) { errors_.push_back(document_.error(at, std::move(what), std::move(hint))); }

  void definition(const std::string& at, json::value& resource) {
    const json::value* type = resource.is_object() ? resource.as_object().if_contains("Type") : nullptr;
    if (type == nullptr || (!is_text(*type, "AWS::Serverless::Api") && !is_text(*type, "AWS::Serverless::HttpApi"))) return;
    json::value* properties = resource.as_object().if_contains("Properties");
    json::value* uri = properties != nullptr && properties->is_object() ? properties->as_object().if_contains("DefinitionUri") : nullptr;
    if (uri == nullptr) return;
    const std::string place = at + "/Properties/DefinitionUri";
    json::object& members = properties->as_object();
    if (members.contains("DefinitionBody")) return fail(place, "DefinitionUri and DefinitionBody are both here", "remove one of the two");
    for (const char* cors : {"Cors", "CorsConfiguration"})
      if (members.contains(cors)) return fail(child(at + "/Properties", cors), fmt::format("{} works only with inline Swagger specified in 'DefinitionBody' property.", cors), "use DefinitionBody with AWS::Include");
    auto body = content(*uri, place);
    if (!body) return;
    document_.positions[at + "/Properties/DefinitionBody"] = document_.at(place);
    members.erase("DefinitionUri");
    members["DefinitionBody"] = std::move(*body);
  }

  void walk(json::value& value, const std::string& at) {
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) walk(value.as_array()[i], child(at, i));
      return;
    }
    if (!value.is_object()) return;
    json::object& object = value.as_object();
    for (auto& [key, item] : object) walk(item, child(at, std::string_view(key)));
    const json::value* transform = object.if_contains(kTransform);
    const json::value* location = transform != nullptr ? location_of(*transform) : nullptr;
    if (location == nullptr) return;
    const std::string place = child(at, kTransform);
    auto made = content(*location, place);
    if (!made) return;
    if (object.size() == 1) {
      value = std::move(*made);
      return;
    }
    if (!made->is_object()) return fail(place, "AWS::Include stands beside other members, and its file holds no mapping", "include a mapping");
    object.erase(kTransform);
    for (auto& [key, item] : made->as_object()) object[key] = std::move(item);  // AWS names no order; the file wins
  }

  // nullopt: it could not be read, which is said; or files are only looked for.
  std::optional<json::value> content(const json::value& location, const std::string& at) {
    const std::string name = name_of(location);
    if (name.empty()) return fail(at, "the location of the file is not text", "write a path or s3://bucket/key"), std::nullopt;
    if (found_ != nullptr) found_->insert(name);
    if (read_ == nullptr) return std::nullopt;
    if (++files_ > kIncludedFilesMax) return fail(at, fmt::format("the template includes more than {} files", kIncludedFilesMax), "use fewer"), std::nullopt;
    const auto text = (*read_)(name);
    if (!text) return fail(at, fmt::format("{}: {}", name, text.error()), "correct the location"), std::nullopt;
    auto parsed = parse_document(*text, name);
    if (!parsed) return errors_.push_back(parsed.error()), std::nullopt;
    if (!included_files(*parsed).empty()) return fail(at, fmt::format("{} includes another file", name), "include it in the template"), std::nullopt;
    return std::move(parsed->root);
  }

  Document& document_;
  const ReadIncluded* read_;
  std::set<std::string>* found_;
  std::vector<Diagnostic> errors_;
  std::size_t files_ = 0;
};

}  // namespace

std::set<std::string> included_files(const Document& document) {
  std::set<std::string> found;
  Document copy{document.root, document.file, {}};
  Includes(copy, nullptr, &found).run();
  return found;
}

std::vector<Diagnostic> include_files(Document& document, const ReadIncluded& read) { return Includes(document, &read, nullptr).run(); }

ReadIncluded local_reader(const Document& document) {
  return [folder = std::filesystem::path(document.file).parent_path()](const std::string& location) -> std::expected<std::string, std::string> {
    if (location.find("://") != std::string::npos) return std::unexpected("it is read from S3 when the template is deployed by API; here only files are");
    const std::filesystem::path file = folder / location;
    std::error_code failed;
    if (!std::filesystem::is_regular_file(file, failed)) return std::unexpected(fmt::format("there is no file {}", file.lexically_normal().string()));
    if (std::filesystem::file_size(file, failed) > kTemplateBytesMax) return std::unexpected(fmt::format("it has more than {} bytes", kTemplateBytesMax));
    return read_file(file);
  };
}

}  // namespace parvis::templates
